// Settings of the Worker's role or database: a run does what it can, says what it cannot, and the next one goes on.
import { describe, expect, test } from "vitest";
import { addExpired, at, HOUR, runsOf, storeOf } from "../support/cleanup.ts";
import { disconnect, resetRole, setForRole } from "../support/owner.ts";
import {
  addSessions,
  asSuperuser,
  createDatabase,
  nameOf,
  remaining,
  type TestDatabase,
} from "../support/worker.ts";

const clean = (database: TestDatabase, settings = {}) =>
  storeOf(database, settings).clean("regular", new Date());

async function filled(count: number): Promise<TestDatabase> {
  const database = await createDatabase();
  await addExpired(database, count);
  await addSessions(database, { live: at(new Date(), HOUR) });
  return database;
}

describe("a run deletes everything under", () => {
  test.each([
    "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '1ms'",
    "idle_session_timeout = '1s'",
    "statement_timeout = '30s'",
    "row_security = off",
    "synchronous_commit = off",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_isolation = serializable",
    "enable_indexscan = off",
    "DateStyle = 'German'",
    "IntervalStyle = 'postgres_verbose'",
    "TimeZone = 'America/New_York'",
    "bytea_output = escape",
  ])("%s", async (setting) => {
    const database = await filled(3000);
    await setForRole(database, setting);
    expect(await clean(database, { batchSize: 100 })).toMatchObject({
      outcome: "completed",
      deleted: 3000,
      blocked: 0,
      errorCode: null,
    });
    expect(await remaining(database)).toEqual(["live"]);
  });
});

describe("nothing is deleted, and the run fails, under", () => {
  test.each([
    ["default_transaction_read_only = on", "read_only"],
    ["search_path = pg_catalog", "schema_missing"],
  ])("%s", async (setting, kind) => {
    const database = await filled(10);
    await setForRole(database, setting);
    await expect(clean(database, { timeBudgetMs: 100 })).rejects.toMatchObject({ kind });
    await resetRole(database);
    expect(await database.query("SELECT count(*)::int FROM mcp_sessions")).toEqual([{ count: 11 }]);
    expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 10 });
  });
});

test("a run that is cancelled at once does not keep the next one from its work", async () => {
  const database = await filled(10);
  await setForRole(database, "statement_timeout = '1ms'");
  await clean(database, { timeBudgetMs: 100 }).catch(() => {});
  await resetRole(database);
  await clean(database);
  expect(await remaining(database)).toEqual(["live"]);
});

test("under a short statement_timeout runs are partial, and get to the end", async () => {
  const database = await filled(20_000);
  await setForRole(database, "statement_timeout = '100ms'");
  // On a busy machine most of them are cancelled before they have deleted much.
  let outcome: string | undefined;
  for (let runs = 0; runs < 1000 && outcome !== "completed"; runs += 1) {
    outcome = (await clean(database).catch(() => undefined))?.outcome;
  }
  await resetRole(database);
  expect(await remaining(database)).toEqual(["live"]);
  const deleted = (await runsOf(database)).reduce((sum, each) => sum + Number(each["deleted"]), 0);
  expect(deleted).toBe(20_000);
});

test("a role whose triggers do not run deletes all the same, and the count is right after the next run", async () => {
  const database = await filled(500);
  const { query } = database;
  await asSuperuser(
    `ALTER ROLE mcp IN DATABASE ${nameOf(database.url)} SET session_replication_role = replica`,
    database,
  );
  await disconnect(database);
  expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 500 });
  await clean(database);
  expect(await query("SELECT total::int, expired::int FROM mcp_count_sessions(0)")).toEqual([
    { total: 1, expired: 0 },
  ]);
});
