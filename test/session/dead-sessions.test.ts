// A principal that opens sessions in a loop leaves as many dead ones behind as it may have live ones, whatever ended them.
import { expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { addIdle, storesOf } from "../support/stores.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const LIMIT = 5;

const rows = async ({ query }: TestDatabase, condition: string) =>
  (await query(`SELECT session_id FROM mcp_sessions WHERE ${condition} ORDER BY session_id`)).map(
    ({ session_id: key }) => String(key),
  );
const dead = (database: TestDatabase) => rows(database, "principal = 'alice' AND expires_at <= now()");
const total = async ({ query }: TestDatabase, name: string) =>
  Number((await query("SELECT sum(value) FROM mcp_session_totals WHERE name = $1", [name]))[0]?.["sum"]);

/** Adds dead sessions of alice; the first expired first. `ended` is an assignment. */
const addDead = ({ query }: TestDatabase, count: number, ended: string) =>
  query(
    `INSERT INTO mcp_sessions (session_id, principal, created_at, last_active, expires_at, ended_at, end_reason)
     SELECT 'dead-' || lpad(i::text, 3, '0'), 'alice', now() - interval '2 hours', now() - interval '2 hours',
            now() - interval '1 hour' + i * interval '1 second', ${ended} FROM generate_series(1, ${count}) i`,
  );

test("opening in a loop ends sessions, and leaves no more of them than the limit", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, LIMIT);
  for (let i = 0; i < 6 * LIMIT; i++) await open("alice");
  expect(await rows(database, "expires_at > now()")).toHaveLength(LIMIT);
  expect(await dead(database)).toHaveLength(LIMIT);
  expect(await total(database, "sessions_opened")).toBe(6 * LIMIT);
  expect(await total(database, "sessions_ended/evicted")).toBe(5 * LIMIT);
  expect(await total(database, "sessions_deleted/opening")).toBe(4 * LIMIT);
  const [counted] = await database.query("SELECT total, expired FROM mcp_count_sessions(7200)");
  expect(counted).toMatchObject({ total: String(2 * LIMIT), expired: String(LIMIT) });
});

test.each([
  ["that have expired", "NULL, NULL"],
  ["that were evicted a moment ago", "now(), 'evicted'"],
  ["that their client ended", "now() - interval '121 s', 'client'"],
  ["that an operator ended", "now() - interval '121 s', 'operator'"],
])("of sessions %s the oldest are deleted", async (_, ended) => {
  const database = await createDatabase();
  await addDead(database, LIMIT + 3, ended);
  expect(await storesOf(database, LIMIT).open("alice")).toBe(0);
  expect(await dead(database)).toEqual(["dead-004", "dead-005", "dead-006", "dead-007", "dead-008"]);
});

test.each([["client"], ["operator"]])(
  "a session that its %s has ended in the last two minutes is kept, for who asks again",
  async (reason) => {
    const database = await createDatabase();
    await addDead(database, LIMIT + 3, `now() - interval '119 s', '${reason}'`);
    await storesOf(database, LIMIT).open("alice");
    expect(await dead(database)).toHaveLength(LIMIT + 3);
  },
);

test("live sessions, and those of others, stay", async () => {
  const database = await createDatabase();
  await addIdle(database, "a", "b");
  await database.query(
    "INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ('never', 'alice', NULL)",
  );
  for (const owner of ["'bob'", "NULL"]) {
    await database.query(
      `INSERT INTO mcp_sessions (session_id, principal, expires_at)
       SELECT md5(i || coalesce(${owner}, '')), ${owner}, now() - interval '1 hour' FROM generate_series(1, 3 * ${LIMIT}) i`,
    );
  }
  const before = await rows(database, "true");
  await addDead(database, LIMIT + 1, "NULL, NULL");
  await storesOf(database, LIMIT).open("alice");
  expect(await rows(database, "session_id !~ '^(dead|new)-'")).toEqual(before);
  expect(await rows(database, "session_id ~ '^(dead|new)-'")).toHaveLength(LIMIT + 1);
});

test("a session that another table refers to keeps nobody from opening one, and others from being deleted", async () => {
  const database = await createDatabase();
  await addDead(database, LIMIT + 3, "NULL, NULL");
  await database.query("CREATE TABLE notes (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO notes VALUES ('dead-001'), ('dead-002')");
  const { open } = storesOf(database, LIMIT);
  await open("alice");
  expect(await dead(database)).toEqual([
    "dead-001",
    "dead-002",
    "dead-004",
    "dead-005",
    "dead-006",
    "dead-007",
    "dead-008",
  ]);
  expect(await database.query("SELECT session_id, reason FROM mcp_cleanup_blocked ORDER BY 1")).toEqual([
    { session_id: "dead-001", reason: "23503" },
    { session_id: "dead-002", reason: "23503" },
  ]);
  // What is listed does not count, and is not tried again.
  const tried = () => database.query("SELECT tried_at FROM mcp_cleanup_blocked ORDER BY session_id");
  const before = await tried();
  await open("alice");
  expect(await tried()).toEqual(before);
  expect(await dead(database)).toHaveLength(LIMIT + 2);
});

test("without the right to delete, a session is opened all the same, and nothing is listed", async () => {
  const database = await createDatabase();
  await addDead(database, LIMIT + 3, "NULL, NULL");
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '42501'; END $$`);
  await database.query(
    "CREATE TRIGGER refuse BEFORE DELETE ON mcp_sessions FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
  );
  expect(await storesOf(database, LIMIT).open("alice")).toBe(0);
  expect(await rows(database, "expires_at > now()")).toEqual(["new-1"]);
  expect(await dead(database)).toHaveLength(LIMIT + 3);
  expect(await database.query("SELECT FROM mcp_cleanup_blocked")).toEqual([]);
});

test("an opening waits for no lock of a dead session", async () => {
  const database = await createDatabase();
  await addDead(database, LIMIT + 2, "NULL, NULL");
  const held = await heldOpen(
    database,
    "SELECT 1 FROM mcp_sessions WHERE session_id = 'dead-001' FOR UPDATE",
  );
  await storesOf(database, LIMIT).open("alice");
  await held.release();
  expect(await dead(database)).toEqual([
    "dead-001",
    "dead-003",
    "dead-004",
    "dead-005",
    "dead-006",
    "dead-007",
  ]);
});

test("an opening reads none of the expired sessions of others, whatever the planner expects", async () => {
  const database = await createDatabase();
  const { query } = database;
  await query(
    `INSERT INTO mcp_sessions (session_id, principal, last_active, expires_at)
     SELECT i::text, CASE WHEN i <= 10000 THEN 'alice' ELSE 'bob' END, now(),
            now() + CASE WHEN i <= 19500 THEN 1 ELSE -1 END * interval '1 day'
       FROM generate_series(1, 20000) i`,
  );
  await query("VACUUM ANALYZE mcp_sessions");
  const counters = async () => {
    const [row] = await query(
      `SELECT n_tup_ins::int AS inserted, (SELECT idx_tup_read::int FROM pg_stat_user_indexes
                WHERE indexrelname = 'idx_mcp_sessions_expires') AS read
         FROM pg_stat_user_tables WHERE relname = 'mcp_sessions'`,
    );
    return { inserted: Number(row?.["inserted"]), read: Number(row?.["read"]) };
  };
  const before = await counters();
  await storesOf(database, 20_000).open("alice");
  // A backend reports what it did when it is idle, some seconds later.
  let after = await counters();
  while (after.inserted === before.inserted) after = await counters();
  expect(after.read).toBe(before.read);
});
