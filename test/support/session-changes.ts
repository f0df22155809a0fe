// The rows of mcp_session_changes, which an insert merges by chance.

/** PL/pgSQL after which the next few inserts of its connection merge nothing: their chance is the same each time. */
export const NO_MERGE = "PERFORM setseed(0.5)";

/** After `PERFORM setseed(seed_for(true))` the next insert merges, after false it does not: function seed_for. */
export const SEED_FOR = `CREATE FUNCTION seed_for(merge boolean) RETURNS double precision LANGUAGE plpgsql AS $$
  DECLARE seed double precision; first double precision; BEGIN
    FOR n IN 1..100000 LOOP
      seed := n / 100000.0;
      PERFORM setseed(seed);
      first := random();
      IF (random() < 0.001) = merge THEN RETURN seed; END IF;
    END LOOP; END $$`;
