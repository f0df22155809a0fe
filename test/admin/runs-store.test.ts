// The records of runs by themselves: which ones are found, and in which order.
import { beforeAll, beforeEach, expect, inject, test } from "vitest";
import { cleanupRun, createRunsStore, type RunFilter } from "../../src/admin/runs-store.ts";
import { connect, type Database, type Operation } from "../../src/db/client.ts";
import { createDatabase } from "../support/worker.ts";

let database: Database;
let operations: Operation[];

// Nothing here changes a record.
beforeAll(async () => {
  const { url, query } = await createDatabase();
  const connection = connect({ url, endpointOverride: inject("neonEndpoint") });
  database = {
    run: (operation, work) => {
      operations.push(operation);
      // A busy machine may take longer.
      return connection.run({ ...operation, budgetMs: 60_000, attemptMs: 60_000 }, work);
    },
  };
  await query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted, batches, error_code, blocked, blocked_by)
     VALUES ('regular', 'cron', '2026-11-01', '2026-11-01', '2026-11-01', '2026-11-01', 'completed', 0, 0, NULL, 0, NULL),
            ('immediate', 'manual', '2026-11-02', '2026-11-02', '2026-11-02', '2026-11-02', 'failed', 7, 2, '23503', 3, '23503'),
            ('regular', 'manual', '2026-11-03T04:05:06.789Z', '2026-11-03', '2026-11-03', NULL, 'running', 5, 1, NULL, 0, NULL),
            ('regular', 'cron', '2026-11-02', '2026-11-02', '2026-11-04', '2026-11-04', 'completed', 0, 0, NULL, 0, NULL)`,
  );
});
beforeEach(() => {
  operations = [];
});

const list = (filter: Partial<RunFilter> = {}) =>
  createRunsStore(database, { timeoutMs: 7654 }).list({ limit: 10, ...filter });
const numbers = async (filter: Partial<RunFilter>) => (await list(filter)).runs.map(({ run_id: id }) => id);

test("it is one operation that may be repeated", async () => {
  await list();
  expect(operations).toEqual([{ name: "listing cleanup runs", budgetMs: 7654, isIdempotent: true }]);
});

test("a record is all that is known of a run", async () => {
  const { runs } = await list();
  expect(runs[2]).toEqual({
    run_id: 2,
    tier: "immediate",
    trigger: "manual",
    scheduled_at: "2026-11-02T00:00:00.000Z",
    cutoff: "2026-11-02T00:00:00.000Z",
    started_at: "2026-11-02T00:00:00.000Z",
    finished_at: "2026-11-02T00:00:00.000Z",
    outcome: "failed",
    deleted: 7,
    batches: 2,
    error_code: "23503",
    blocked: 3,
    blocked_by: "23503",
  });
  expect(runs[1]).toMatchObject({ scheduled_at: "2026-11-03T04:05:06.789Z", finished_at: null, deleted: 5 });
  for (const wrong of [{ deleted: -1 }, { batches: -1 }, { blocked: -1 }, { batches: "1" }, { tier: "x" }])
    expect(cleanupRun.safeParse({ ...runs[2], ...wrong }).success).toBe(false);
});

test.each<[string, Partial<RunFilter>, number[]]>([
  ["all, the latest first", {}, [4, 3, 2, 1]],
  ["those of a tier", { tier: "regular" }, [4, 3, 1]],
  ["those with an outcome", { outcome: "completed" }, [4, 1]],
  ["one by its number", { run: 3 }, [3]],
  ["none of a number that there is not", { run: 5 }, []],
  ["those before one", { before: 3 }, [2, 1]],
  ["the one that an operator started then", { startedByHandAt: new Date("2026-11-02T00:00:00Z") }, [2]],
  ["that one to the millisecond", { startedByHandAt: new Date("2026-11-03T04:05:06.789Z") }, [3]],
  ["none that a cron event started then", { startedByHandAt: new Date("2026-11-01T00:00:00Z") }, []],
  ["none beside the millisecond", { startedByHandAt: new Date("2026-11-03T04:05:06.788Z") }, []],
  ["what fits all filters", { tier: "regular", outcome: "completed", before: 4 }, [1]],
])("%s", async (_, filter, found) => {
  expect(await numbers(filter)).toEqual(found);
});

test.each([
  [1, undefined, [4], 4],
  [3, undefined, [4, 3, 2], 2],
  [3, 2, [1], null],
  [4, undefined, [4, 3, 2, 1], null],
  [5, undefined, [4, 3, 2, 1], null],
])("a page of %i before %s is %j, and the next one before %s", async (limit, before, found, next) => {
  const page = await list({ limit, before });
  expect([page.runs.map(({ run_id: id }) => id), page.next]).toEqual([found, next]);
});
