// The counts of health are kept, not counted: after whatever happened they must be what counting would find.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const expectTrueCounts = async ({ query }: TestDatabase) => {
  const [counts] = await query(`
    SELECT c.total, c.expired, c.expired_at_least, c.oldest_expired,
           (SELECT count(*) FROM mcp_sessions) AS true_total,
           (SELECT count(*) FROM mcp_sessions WHERE expires_at <= now()) AS true_expired,
           (SELECT min(expires_at) FROM mcp_sessions WHERE expires_at <= now() AND expires_at > '-infinity') AS true_oldest
      FROM mcp_count_sessions(7200) c`);
  expect(counts?.["total"]).toBe(counts?.["true_total"]);
  expect(counts?.["expired"]).toBe(counts?.["true_expired"]);
  expect(counts?.["expired_at_least"]).toBe(counts?.["true_expired"]);
  expect(counts?.["oldest_expired"]).toEqual(counts?.["true_oldest"]);
};

const expiries = [
  "NULL",
  "'infinity'",
  "'-infinity'",
  "now() - interval '3 hours'",
  "now() + interval '1 hour'",
];
const add = (count: number, expiry: number, end = "") => `
  INSERT INTO mcp_sessions (session_id, expires_at)
  SELECT 's' || (random() * 60)::int, ${expiries[expiry]} FROM generate_series(1, ${count}) ON CONFLICT ${end}`;
const some = (salt: number) => `hashtext(session_id || '${salt}') % 3 = 0`;

// What the Worker does, and what a program does that knows nothing of it. Each is a statement, and so a transaction.
const salts = fc.nat(1000);
const inserts = fc.tuple(fc.nat(40), fc.nat(expiries.length - 1));
const statements = fc.oneof(
  inserts.map(([count, expiry]) => add(count, expiry, "DO NOTHING")),
  // Within one statement no row may be hit twice.
  inserts.map(([, expiry]) => add(1, expiry, "(session_id) DO UPDATE SET expires_at = excluded.expires_at")),
  salts.map(
    (salt) =>
      `SELECT mcp_open_session('open-${salt}', 'alice', '2025-11-25', '{}', '{}', 60, NULL, ${(salt % 3) + 1})`,
  ),
  salts.map((salt) => `UPDATE mcp_sessions SET expires_at = now() - interval '1 hour' WHERE ${some(salt)}`),
  salts.map((salt) => `DELETE FROM mcp_sessions WHERE ${some(salt)}`),
  salts.map(
    (salt) => `
    WITH a AS (DELETE FROM mcp_sessions WHERE ${some(salt)}), b AS (DELETE FROM mcp_sessions WHERE ${some(salt + 1)} RETURNING 1)
    INSERT INTO mcp_sessions (session_id) SELECT 'counted-' || gen_random_uuid() FROM b`,
  ),
  salts.map(
    (salt) => `
    DO $$ BEGIN
      DELETE FROM mcp_sessions WHERE ${some(salt)};
      BEGIN
        ${add(3, 3, "DO NOTHING")};
        DELETE FROM mcp_sessions WHERE ${some(salt + 1)};
        IF ${salt % 4} = 0 THEN TRUNCATE mcp_sessions; END IF;
        RAISE EXCEPTION 'taken back';
      EXCEPTION WHEN raise_exception THEN NULL;
      END;
      DELETE FROM mcp_sessions WHERE ${some(salt + 2)};
      ${add(2, 4, "DO NOTHING")};
      IF ${salt % 5} = 0 THEN RAISE EXCEPTION 'all of it'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END $$`,
  ),
  salts.map(
    (salt) => `
    MERGE INTO mcp_sessions m USING (SELECT 's' || i AS id FROM generate_series(1, 20) i) n ON m.session_id = n.id
     WHEN MATCHED AND ${some(salt)} THEN DELETE
     WHEN MATCHED THEN UPDATE SET last_active = now()
     WHEN NOT MATCHED THEN INSERT (session_id, expires_at) VALUES (n.id, now() + interval '1 hour')`,
  ),
  fc.constant("SELECT mcp_merge_session_changes()"),
  fc.constant("CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 7, 10000, 30)"),
  fc.constant("TRUNCATE mcp_sessions"),
);

const oneByOne = async ({ query }: TestDatabase, history: string[]) => {
  for (const statement of history) await query(statement);
};
// Those that PostgreSQL refuses, because two have waited for each other, change nothing.
const atOnce = ({ query }: TestDatabase, history: string[]) =>
  Promise.allSettled(history.map((statement) => query(statement)));

test.each([
  ["one statement after the other", oneByOne, { numRuns: 40, maxLength: 12 }],
  ["of many at once", atOnce, { numRuns: 15, maxLength: 24 }],
] as const)(
  "after a random history %s they are what counting finds",
  async (_name, run, { numRuns, maxLength }) => {
    const database = await createDatabase();
    const histories = fc.array(statements, { minLength: maxLength / 3, maxLength });
    const property = fc.asyncProperty(histories, async (history) => {
      await run(database, history);
      await expectTrueCounts(database);
    });
    await fc.assert(property, { numRuns });
  },
);

test("deletes that a delete brings about count, too", async () => {
  const database = await createDatabase();
  await database.query(
    "ALTER TABLE mcp_sessions ADD COLUMN parent text REFERENCES mcp_sessions ON DELETE CASCADE",
  );
  await database.query(
    "INSERT INTO mcp_sessions (session_id, parent) SELECT i::text, nullif(i / 3, 0)::text FROM generate_series(1, 40) i",
  );
  await database.query("DELETE FROM mcp_sessions WHERE session_id IN ('4', '5')");
  await database.query("DELETE FROM mcp_sessions WHERE session_id = '2'");
  await expectTrueCounts(database);
});

test("opening sessions keeps the rows of mcp_session_changes few by itself", async () => {
  const database = await createDatabase();
  await database.query(`
    DO $$ BEGIN
      FOR i IN 1..20000 LOOP INSERT INTO mcp_sessions (session_id) VALUES ('s' || i); END LOOP;
    END $$`);
  const [changes] = await database.query("SELECT count(*)::int AS count FROM mcp_session_changes");
  expect(changes?.["count"]).toBeLessThan(15_000);
  await expectTrueCounts(database);
});
