// What the batches of a run do, written down by functions that stand in front of those of the routine and call them. It is
// kept in sequences, because those are not rolled back with a batch that fails.
import type { TestDatabase } from "../support/worker.ts";

const KEPT = 600;
const LOCK_MS = "extract(epoch FROM current_setting('lock_timeout')::interval) * 1000";
const BEHIND = {
  mcp_delete_oldest: "counted",
  mcp_delete_range: "range",
  mcp_delete_pages: "pages",
  mcp_delete_sessions: "single",
  mcp_find_expired: "find",
  mcp_choose_bulk: "choose",
};

export async function writeDownSteps({ query }: TestDatabase): Promise<void> {
  await query(`DO $$ BEGIN CREATE SEQUENCE noted; FOR i IN 1..${KEPT} LOOP
    EXECUTE 'CREATE SEQUENCE note_' || i || ' MINVALUE -9000000000000000000'; END LOOP; END $$`);
  await query(`CREATE FUNCTION note(VARIADIC numbers bigint[]) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE one bigint; place bigint;
    BEGIN
      FOREACH one IN ARRAY numbers || (${LOCK_MS})::bigint LOOP
        place := nextval('noted');
        IF place <= ${KEPT} THEN PERFORM setval(('note_' || place)::regclass, one); END IF;
      END LOOP;
    END $$`);
  for (const [routine, name] of Object.entries(BEHIND))
    await query(`ALTER FUNCTION ${routine} RENAME TO ${name}_behind`);
  const micros = (instant: string) =>
    `CASE WHEN isfinite(${instant}) THEN (extract(epoch FROM ${instant}) * 1000000)::bigint ELSE 0 END`;
  for (const definition of [
    `mcp_delete_oldest(f timestamptz, e timestamptz, c timestamptz, n timestamptz, l integer, o boolean, k boolean,
       OUT found_rows bigint, OUT deleted bigint, OUT first_expiry timestamptz, OUT last_expiry timestamptz, OUT found_pages bigint)
     LANGUAGE plpgsql AS $$ BEGIN
       PERFORM note(1, l, o::int, ${micros("f")});
       SELECT d.* INTO found_rows, deleted, first_expiry, last_expiry, found_pages FROM counted_behind(f, e, c, n, l, o, k) d;
     END $$`,
    // Whether it stops at the right time cannot be told by less than the time that has passed since the run renewed its lease.
    `mcp_delete_range(f timestamptz, t timestamptz, s timestamptz, o boolean) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
       PERFORM note(2, ${micros("f")}, ${micros("t")}, o::int,
         (extract(epoch FROM s - clock_timestamp()) * 1000000)::bigint,
         (SELECT extract(epoch FROM s - max(renewed_at)) * 1000000 FROM mcp_cleanup_runs)::bigint);
       RETURN range_behind(f, t, s, o);
     END $$`,
    `mcp_delete_pages(f tid, t tid, e timestamptz, s boolean, o boolean) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
       PERFORM note(3, (f::text::point)[0]::bigint, (t::text::point)[0]::bigint, s::int, o::int, ${micros("e")});
       RETURN pages_behind(f, t, e, s, o);
     END $$`,
    `mcp_delete_sessions(i text[], e timestamptz, c timestamptz, n timestamptz, u timestamptz, OUT handled integer, OUT deleted bigint)
     LANGUAGE plpgsql AS $$ BEGIN
       PERFORM note(4, cardinality(i),
         (extract(epoch FROM u - clock_timestamp()) * 1000000)::bigint,
         (SELECT extract(epoch FROM u - max(renewed_at)) * 1000000 FROM mcp_cleanup_runs)::bigint);
       SELECT d.* INTO handled, deleted FROM single_behind(i, e, c, n, u) d;
     END $$`,
    `mcp_find_expired(f timestamptz, e timestamptz, c timestamptz, n timestamptz, l integer, a tid, z tid)
     RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN
       PERFORM note(5, coalesce(l, -1), coalesce((a::text::point)[0]::bigint, -1));
       RETURN find_behind(f, e, c, n, l, a, z);
     END $$`,
    `mcp_choose_bulk(f bigint, p bigint, l timestamptz, u timestamptz) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
       PERFORM note(6);
       RETURN choose_behind(f, p, l, u);
     END $$`,
  ])
    await query(`CREATE FUNCTION ${definition}`);
}

export interface Step {
  /** As in `pages 0-16 @10`; the number is the lock_timeout in milliseconds. */
  text: string;
  /** Until when it may work: microseconds from its begin, and from the lease of the run. */
  until?: [number, number];
  /** Of a range: the microseconds from its first expiry time to its last. */
  width?: number;
  /** Of pages: the last expiry time, in microseconds since 1970. */
  expiry?: number;
}

/** The steps so far, as far as they were kept. */
export async function notedSteps({ query }: TestDatabase): Promise<Step[]> {
  const notes = (
    await query(
      `SELECT last_value::text AS value FROM pg_sequences
        WHERE sequencename LIKE 'note\\_%' AND last_value IS NOT NULL ORDER BY substr(sequencename, 6)::int`,
    )
  ).map(({ value }) => Number(value));
  const steps: Step[] = [];
  const take = (count: number) => notes.splice(0, count);
  const listed = (isLeftOut: number | undefined) => (isLeftOut === 1 ? " without listed" : "");
  const instant = (micros = 0) =>
    micros === 0 ? "-infinity" : new Date(micros / 1000).toISOString().replace("T00:00:00.000Z", "");
  while (notes.length > 0) {
    const [kind] = take(1);
    if (kind === 1) {
      const [limit, out, from, lock] = take(4);
      steps.push({ text: `counted ${limit}${listed(out)} from ${instant(from)} @${lock}` });
    } else if (kind === 2) {
      const [from = 0, to = 0, out, fromNow = 0, fromLease = 0, lock] = take(6);
      steps.push({ text: `range${listed(out)} @${lock}`, width: to - from, until: [fromNow, fromLease] });
    } else if (kind === 3) {
      const [from, to, skips, out, expiry = 0, lock] = take(6);
      steps.push({
        text: `pages ${from}-${to}${skips === 1 ? " unlocked" : ""}${listed(out)} @${lock}`,
        expiry,
      });
    } else if (kind === 4) {
      const [count, fromNow = 0, fromLease = 0, lock] = take(4);
      steps.push({ text: `single ${count} @${lock}`, until: [fromNow, fromLease] });
    } else if (kind === 5) {
      const [limit = 0, page = 0, lock] = take(3);
      steps.push({ text: `find ${limit < 0 ? `on page ${page}` : limit} @${lock}` });
    } else {
      take(1);
      steps.push({ text: "choose" });
    }
  }
  return steps;
}

export const stepsOf = async (database: TestDatabase) => (await notedSteps(database)).map(({ text }) => text);

/** How many numbers were noted, kept or not: 2 of a choice, 5 of a counted batch, 7 of one of pages. */
export const notedCount = async ({ query }: TestDatabase) =>
  Number((await query("SELECT last_value FROM noted"))[0]?.["last_value"]);
