// What is repeated, how often, and for how long: the real driver against the faults of the local Neon.
import { sql } from "drizzle-orm";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { connect, type Operation } from "../../src/db/client.ts";
import { logged } from "../support/captured-logs.ts";
import { poll } from "../support/cleanup.ts";
import { createDatabase, databaseRequests, setFaults, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(() => setFaults());

const operation: Operation = { name: "a test", budgetMs: 5000, isIdempotent: true };

/** Runs a statement; hands back what came of it, and how many requests reached Neon. */
async function run(
  over: Partial<Operation> = {},
  client = connect({ url: database.url, endpointOverride: inject("neonEndpoint") }),
) {
  const before = await databaseRequests();
  const outcome = await client
    .run({ ...operation, ...over }, async (db) => (await db.execute(sql`SELECT 'answer' AS value`)).rows)
    .then(
      () => "success",
      (error: unknown) => error,
    );
  return { outcome, client, attempts: (await databaseRequests()) - before };
}

test.each([
  { kind: "reset" },
  { kind: "half-body" },
  { kind: "edge" },
  { kind: "lost-after-commit" },
  { kind: "control-plane" },
  { kind: "compute-unreachable" },
  { kind: "maintenance" },
  { kind: "lingering-locks", ms: 0 },
  { kind: "refused-by-postgres", sqlstate: "53300" },
  { kind: "refused-by-postgres", sqlstate: "57P03" },
] as const)("after two failures of %o the third attempt succeeds, in one line of the log", async (fault) => {
  await setFaults({ fault, times: 2 });
  expect(await run()).toMatchObject({ outcome: "success", attempts: 3 });
  expect(logged("Database operation retried")).toEqual([
    expect.objectContaining({
      operation: "a test",
      attempts: 3,
      outcome: "succeeded",
      duration_ms: expect.any(Number),
    }),
  ]);
});

test("what may have been committed is sent again only where that is harmless", async () => {
  for (const kind of ["reset", "half-body", "lost-after-commit", "edge"] as const) {
    await setFaults({ fault: { kind }, times: 1 });
    expect(await run({ isIdempotent: false })).toMatchObject({
      attempts: 1,
      outcome: { kind: "database_unreachable" },
    });
  }
  // What surely did not run is sent again all the same.
  for (const kind of ["control-plane", "compute-unreachable", "maintenance"] as const) {
    await setFaults({ fault: { kind }, times: 1 });
    expect(await run({ isIdempotent: false })).toMatchObject({ attempts: 2, outcome: "success" });
  }
});

test("what cannot succeed is not sent again", async () => {
  for (const [fault, kind] of [
    ["quota", "quota_exceeded"],
    ["too-many-endpoints", "quota_exceeded"],
    ["endpoint-deleted", "database_unreachable"],
    ["endpoint-disabled", "database_unreachable"],
    ["blocked-network", "permission_denied"],
    ["ip-not-allowed", "permission_denied"],
  ] as const) {
    await setFaults({ fault: { kind: fault } });
    expect(await run()).toMatchObject({ attempts: 1, outcome: { kind } });
  }
  await setFaults();
  await database.query("ALTER TABLE mcp_sessions RENAME TO elsewhere");
  const client = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const before = await databaseRequests();
  const missing = client.run(operation, (db) => db.execute(sql`SELECT 1 FROM mcp_sessions`));
  await expect(missing).rejects.toMatchObject({ kind: "schema_missing" });
  expect(await databaseRequests()).toBe(before + 1);
  expect(logged("Database operation retried")).toEqual([]);
});

test("an attempt outlasts the five seconds in which a compute wakes", async () => {
  await setFaults({ fault: { kind: "hang" }, times: 1 });
  const startedAt = performance.now();
  expect(await run({ budgetMs: 60_000 })).toMatchObject({ outcome: "success" });
  expect(performance.now() - startedAt).toBeGreaterThan(5500);
});

test("an attempt that hangs leaves time for another", async () => {
  await setFaults({ fault: { kind: "hang" }, times: 1 });
  expect(await run({ attemptMs: 300 })).toMatchObject({ outcome: "success", attempts: 2 });
});

test("an attempt that goes on after its deadline may have been committed, and is sent again only where that is harmless", async () => {
  await database.query("CREATE TABLE mark (id int PRIMARY KEY)");
  const client = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const write = (isIdempotent: boolean, id: number) => {
    const over = { ...operation, isIdempotent, attemptMs: 1000 };
    return client.run(over, (db, attempt) =>
      db.execute(
        sql`INSERT INTO mark SELECT ${id} FROM pg_sleep(${attempt === 0 ? 1.5 : 0}) ON CONFLICT DO NOTHING`,
      ),
    );
  };
  const fault = { fault: { kind: "outlives-client" }, times: 1 } as const;
  await setFaults(fault);
  await expect(write(false, 1)).rejects.toMatchObject({
    attempts: 1,
    fault: { kind: "timeout", outcomeUnknown: true },
  });
  const marks = async () => (await database.query("SELECT id FROM mark ORDER BY id")).map(({ id }) => id);
  await poll(marks);
  expect(await marks()).toEqual([1]);
  await setFaults(fault);
  await write(true, 2);
  expect(await marks()).toEqual([1, 2]);
});

test("a retry that meets the locks of its own failed attempt waits for them, or is sent once more", async () => {
  await database.query("CREATE TABLE mark (id int PRIMARY KEY)");
  const write = (id: number) =>
    connect({ url: database.url, endpointOverride: inject("neonEndpoint") }).run(
      { ...operation, budgetMs: 15_000 },
      (db) => db.execute(sql`INSERT INTO mark VALUES (${id})`),
    );
  await setFaults({ fault: { kind: "lingering-locks", ms: 700 }, times: 1 });
  await write(1);
  const name = new URL(database.url).pathname.slice(1);
  await database.query(`ALTER DATABASE ${name} SET lock_timeout = '20ms'`);
  // A connection whose statement has failed is not used again, and a new one has the setting.
  await expect(database.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
  await setFaults({ fault: { kind: "lingering-locks", ms: 60_000 }, times: 1 });
  const before = await databaseRequests();
  const second = write(2);
  // The one that failed, and two that the lock has refused.
  await poll(async () => ((await databaseRequests()) - before > 2 ? [true] : []));
  await setFaults();
  await second;
  expect(await database.query("SELECT id FROM mark ORDER BY id")).toEqual([{ id: 1 }, { id: 2 }]);
  const retried = logged("Database operation retried");
  expect(retried).toMatchObject([
    { kind: "overloaded", attempts: 2, outcome: "succeeded" },
    { kind: "overloaded", outcome: "succeeded" },
  ]);
  expect(retried[1]?.["attempts"]).toBeGreaterThan(2);
});

test.each([{ kind: "hang" }, { kind: "reset" }, { kind: "latency", ms: 60_000 }] as const)(
  "nothing goes on beyond its budget: %o",
  async (fault) => {
    await setFaults({ fault });
    const ended: number[] = [];
    // What has less time ends first, also when it begins last.
    await Promise.all(
      [5000, 500].map(async (budgetMs) => {
        expect((await run({ budgetMs })).outcome).toMatchObject({ name: "DatabaseFault" });
        ended.push(budgetMs);
      }),
    );
    expect(ended).toEqual([500, 5000]);
  },
);

test("a database that does not answer is asked ever less: the circuit opens, and closes by a probe", async () => {
  await setFaults({ fault: { kind: "reset" } });
  const { client } = await run({ budgetMs: 10_000 });
  expect(logged("Database circuit opened")).toEqual([
    expect.objectContaining({ level: "ERROR", kind: "database_unreachable" }),
  ]);
  for (let i = 0; i < 20; i++) {
    expect(await run({}, client)).toMatchObject({
      attempts: 0,
      outcome: { kind: "database_unreachable", attempts: 0 },
    });
  }
  await setFaults();
  expect(await run({}, client)).toMatchObject({ attempts: 0 });
  // Health goes out although it is open, and by it the isolate learns.
  expect(await run({ isProbe: true }, client)).toMatchObject({ outcome: "success", attempts: 1 });
  expect(logged("Database circuit closed")).toHaveLength(1);
  expect(await run({}, client)).toMatchObject({ outcome: "success", attempts: 1 });
});
