// A clock that can be set, for the code of one database: now() and clock_timestamp() of a schema that is searched before
// pg_catalog. They go at the speed of PostgreSQL's own clock, from the time that they are set to.
import type { Client } from "pg";

const SCHEMA = "simulated";
const CLOCKS = { now: "STABLE", clock_timestamp: "VOLATILE" };

/** From now on every new connection to the database has the clock. To be called before the routines are made. */
export async function simulateClock(client: Client, database: string, at: Date): Promise<void> {
  await client.query(`CREATE SCHEMA ${SCHEMA}`);
  await setClock(client, at);
  // What is created without a schema goes to the first of them.
  await client.query(`ALTER DATABASE ${database} SET search_path = public, ${SCHEMA}, pg_catalog`);
}

export async function setClock(client: Client, at: Date): Promise<void> {
  const aheadMs = at.getTime() - Date.now();
  await client.query(
    Object.entries(CLOCKS)
      .map(
        ([name, volatility]) =>
          `CREATE OR REPLACE FUNCTION ${SCHEMA}.${name}() RETURNS timestamptz LANGUAGE sql ${volatility} PARALLEL SAFE
             AS 'SELECT pg_catalog.${name}() + interval ''${aheadMs} milliseconds'''`,
      )
      .join(";"),
  );
}
