// Openings, evictions, bulk ends and uses of the same sessions, all at once: nobody is ever in a deadlock.
import { expect, test } from "vitest";
import { runCleanupOnce } from "../../src/cleanup/clean.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import { logged } from "../support/captured-logs.ts";
import { storeOf } from "../support/cleanup.ts";
import { heldOpen, waiting } from "../support/locks.ts";
import { addIdle, fill, live, type Stores, storesOf } from "../support/stores.ts";
import { asWorkerRole, createDatabase, setFaults, type TestDatabase } from "../support/worker.ts";

const EACH = 300;

/** Locks a row, the so many-th in the order of ids, until it is released. */
async function lockRow(database: TestDatabase, place: number) {
  const [row] = await database.query(
    "SELECT session_id FROM mcp_sessions ORDER BY session_id OFFSET $1 LIMIT 1",
    [place],
  );
  return heldOpen(
    database,
    `SELECT FROM mcp_sessions WHERE session_id = '${String(row?.["session_id"])}' FOR UPDATE`,
  );
}

/** Writes to all sessions, in the order of ids, as a careful program does. */
const lockAll = ({ query }: TestDatabase) =>
  query(
    `UPDATE mcp_sessions SET capabilities = '{}' WHERE session_id = ANY (ARRAY(
       SELECT session_id FROM mcp_sessions ORDER BY session_id FOR UPDATE))`,
  );

/** A deadlock ends one of its statements with an error, and our own are then sent again. */
const expectNoDeadlock = () =>
  expect(logged("Database operation retried").filter(({ kind }) => kind === "overloaded")).toEqual([]);

const many = {
  "an operator's bulk end": ({ admin }: Stores) => admin.endAll("alice"),
  "a client's bulk end": ({ sessions }: Stores) => sessions.endOthers("alice", undefined),
  "an opening that evicts": ({ open }: Stores) => open("alice"),
};
const kinds = Object.keys(many) as (keyof typeof many)[];

test.each(kinds.flatMap((one, i) => kinds.slice(i).map((other) => [one, other] as const)))(
  "%s and %s do not wait for each other in a circle",
  async (one, other) => {
    const database = await createDatabase();
    const stores = storesOf(database);
    await fill(database, "alice", EACH);
    const middle = await lockRow(database, EACH / 2);
    const works = [many[one](stores)];
    await waiting(database, 1);
    works.push(many[other](stores));
    await waiting(database, 2);
    await middle.release();
    await Promise.all(works);
    expectNoDeadlock();
  },
);

const plans = ["enable_tidscan", "enable_indexscan"];
const attempts = ["once", "twice"];
test.each(
  plans.flatMap((plan) => attempts.flatMap((times) => kinds.map((kind) => [kind, times, plan] as const))),
)(
  "nor do %s, sent %s, and a program that locks in the order of ids, with %s off",
  async (kind, times, plan) => {
    const database = await createDatabase();
    await fill(database, "alice", EACH);
    await database.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET ${plan} = off`);
    // With a connection of its own, which has the setting.
    const stores = storesOf(await asWorkerRole(database));
    // The program locks nine rows and waits for the tenth. Whoever locks in another order has some of the others by then.
    const tenth = await lockRow(database, 9);
    const theirs = lockAll(database);
    await waiting(database, 1);
    if (times === "twice") await setFaults({ fault: { kind: "reset" }, times: 1, matching: "mcp_sessions" });
    const ours = many[kind](stores);
    await waiting(database, 2);
    await tenth.release();
    await Promise.all([theirs, ours]);
    await setFaults();
    expectNoDeadlock();
  },
);

test("principals whose turns have the same lock only wait for each other", async () => {
  const database = await createDatabase();
  const { admin, sessions, open } = storesOf(database);
  const [row] = await database.query(
    `SELECT array_agg(name) AS names FROM (SELECT 'name-' || i AS name FROM generate_series(1, 300000) i) AS n
      GROUP BY hashtext(name) HAVING count(*) > 1 LIMIT 1`,
  );
  const names = row?.["names"] as string[];
  expect(names.length).toBeGreaterThan(1);
  for (const name of names) await fill(database, name, EACH);
  await Promise.all(
    [...names, ...names, ...names].flatMap((name) => [
      open(name),
      sessions.endOthers(name, undefined),
      admin.endAll(name),
      open(name),
    ]),
  );
  expectNoDeadlock();
});

test("no deadlock in twelve rounds of everything at once, cleanup included", async () => {
  const database = await createDatabase();
  const { admin, sessions, states, open } = storesOf(database);
  const cleanups = storeOf(database, { batchSize: 50 });
  const principals = ["alice", "bob", "carol"];
  for (let round = 0; round < 12; round++) {
    await database.query("DELETE FROM mcp_sessions");
    for (const principal of principals) await fill(database, principal, EACH);
    const keys = new Map<string, string[]>();
    for (const principal of principals) keys.set(principal, await live(database, principal));
    const works: (() => Promise<unknown>)[] = [() => runCleanupOnce(cleanups, new Date())];
    for (const [principal, known] of keys) {
      const any = () => known[Math.floor(Math.random() * known.length)] ?? "";
      for (let i = 0; i < 3; i++) {
        works.push(
          () => admin.endAll(principal),
          () => sessions.endOthers(principal, any()),
          () => open(principal),
          () => sessions.end(any(), principal),
          () => sessions.resume(any(), principal),
          () => states.set(unknownSession(any(), principal, "x", new Date()), "k", 1),
        );
      }
    }
    await Promise.all(works.toSorted(() => Math.random() - 0.5).map((work) => work()));
  }
  expectNoDeadlock();
  const [counted] = await database.query(
    "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()",
  );
  expect(counted).toEqual({ deadlocks: 0 });
});

test("rows of another program that refer to sessions neither wait for an end or a write nor keep it waiting", async () => {
  const database = await createDatabase();
  const { admin, sessions, states, open } = storesOf(database, 2);
  await addIdle(database, "a", "b", "c", "d");
  // What PostgreSQL does for each note that is inserted.
  const theirs = await heldOpen(database, "SELECT FROM mcp_sessions FOR KEY SHARE");
  const d = unknownSession("d", "alice", "x", new Date());
  expect(await states.set(d, "k", 1)).toMatchObject({ outcome: "written" });
  expect(await sessions.resume("d", "alice")).toBeDefined();
  expect(await sessions.end("a", "alice")).toBe(true);
  expect(await open("alice")).toBe(2);
  expect(await sessions.endOthers("alice", "d")).toBe(1);
  expect(await admin.endAll("alice")).toEqual({ ended: 1, hasMore: false });
  await theirs.release();
});

test("the bulk ends and openings of a principal take turns, those of another do not wait", async () => {
  const database = await createDatabase();
  const { admin, sessions, open } = storesOf(database);
  for (const principal of ["alice", "bob"]) await fill(database, principal, 5);
  const turn = await heldOpen(
    database,
    "SELECT pg_advisory_xact_lock(hashtext('mcp_open_session'), hashtext('alice'))",
  );
  const works = [open("alice"), admin.endAll("alice"), sessions.endOthers("alice", undefined)];
  await waiting(database, 3);
  await Promise.all([open("bob"), admin.endAll("bob"), sessions.endOthers("bob", undefined)]);
  expect(await live(database, "alice")).toHaveLength(5);
  await turn.release();
  await Promise.all(works);
});
