// The operator's routes of the cleanup by themselves. Over a database: cleanup.test.ts.
import { Hono } from "hono";
import { expect, test } from "vitest";
import { cleanupEndpoint, listRunsRoute, runCleanupRoute } from "../../src/admin/cleanup-endpoint.ts";
import type { RunFilter } from "../../src/admin/runs-store.ts";
import { DatabaseFault } from "../../src/db/fault.ts";
import type { CleanupReport } from "../../src/cleanup/store.ts";
import { AppError } from "../../src/http/errors.ts";
import { operations } from "../../src/http/openapi.ts";

const NOW = new Date("2026-11-26T12:00:00Z");
const report: CleanupReport = {
  runId: 7,
  outcome: "completed",
  deleted: 5,
  batches: 2,
  errorCode: null,
  earliestExpiry: null,
  blocked: 3,
  blockedBy: "23503",
};
const answer = {
  tier: "regular",
  run_id: 7,
  outcome: "completed",
  deleted: 5,
  batches: 2,
  error_code: null,
  blocked: 3,
  blocked_by: "23503",
};

/** The routes over a run that ends like this, and what they asked for. */
function routes(ends: CleanupReport | Error = report) {
  const cleaned: unknown[] = [];
  const listed: RunFilter[] = [];
  const waitedFor: Promise<unknown>[] = [];
  const { run, list } = cleanupEndpoint({
    store: {
      clean: async (...asked) => {
        cleaned.push(asked);
        if (ends instanceof Error) throw ends;
        return ends;
      },
    },
    runs: {
      list: async (filter) => {
        listed.push(filter);
        return { runs: [], next: null };
      },
    },
    now: () => NOW,
  });
  const app = new Hono()
    .post("/cleanup/:tier", run)
    .get("/runs", list)
    .onError((error, c) =>
      c.json({ name: error.name, message: error.message }, error instanceof AppError ? 400 : 500),
    );
  const context = {
    waitUntil: (promise: Promise<unknown>) => void waitedFor.push(promise),
    passThroughOnException: () => {},
    props: {},
  };
  const ask = async (method: string, path: string) => {
    const response = await app.fetch(new Request(`https://worker.test${path}`, { method }), {}, context);
    return [response.status, await response.json()];
  };
  return { ask, cleaned, listed, waitedFor };
}

test("a run is answered with its report, and the platform waits for it", async () => {
  const { ask, cleaned, waitedFor } = routes();
  expect(await ask("POST", "/cleanup/regular")).toEqual([200, answer]);
  expect(cleaned).toEqual([["regular", NOW]]);
  expect(waitedFor).toHaveLength(1);
  await Promise.all(waitedFor);
});

test("a run that was skipped is no failure, and one that failed is 503 with its report", async () => {
  const skipped = routes({ ...report, outcome: "skipped", errorCode: "busy" });
  expect(await skipped.ask("POST", "/cleanup/immediate")).toEqual([
    200,
    { ...answer, tier: "immediate", outcome: "skipped", error_code: "busy" },
  ]);
  const failed = routes({ ...report, outcome: "failed", errorCode: "23503" });
  expect(await failed.ask("POST", "/cleanup/regular")).toEqual([
    503,
    { ...answer, outcome: "failed", error_code: "23503" },
  ]);
  await Promise.all(failed.waitedFor);
});

test("a database that has not answered is thrown, and the platform is told of no mistake", async () => {
  const fault = { kind: "timeout", retryable: true, outcomeUnknown: true, answered: false } as const;
  const { ask, waitedFor } = routes(new DatabaseFault("a run", fault));
  expect(await ask("POST", "/cleanup/regular")).toEqual([
    500,
    { name: "DatabaseFault", message: "a run failed: timeout" },
  ]);
  expect(await Promise.all(waitedFor)).toEqual([undefined]);
});

test.each([
  ["POST", "/cleanup/other", "The parameter tier must be regular or immediate"],
  ["POST", "/cleanup/regular?dry_run=1", "The parameter dry_run is not known; this route has none"],
  ["GET", "/runs?tier=other", "The parameter tier must be regular or immediate"],
  [
    "GET",
    "/runs?outcome=ended",
    "The parameter outcome must be one of running, completed, partial, skipped, failed",
  ],
  ["GET", "/runs?before=0", "The parameter before must be the number of a run"],
  ["GET", "/runs?before=x", "The parameter before must be the number of a run"],
  ["GET", "/runs?limit=0", "The parameter limit must be a whole number from 1 to 1000"],
  ["GET", "/runs?x=1", "The parameter x is not known; known are tier, outcome, before, limit"],
])("%s %s is refused: %s", async (method, path, message) => {
  const { ask, cleaned, listed } = routes();
  expect(await ask(method, path)).toEqual([400, { name: "AppError", message }]);
  expect([cleaned, listed]).toEqual([[], []]);
});

test("the list is asked for as the parameters say it", async () => {
  const { ask, listed } = routes();
  expect(await ask("GET", "/runs")).toEqual([200, { runs: [], next: null }]);
  await ask("GET", "/runs?tier=immediate&outcome=failed&before=1&limit=3");
  expect(listed).toEqual([{ limit: 100 }, { tier: "immediate", outcome: "failed", before: 1, limit: 3 }]);
});

test("both routes say what they may refuse, and describe what they answer", () => {
  const refusals = ["invalid_request", "sessions_unavailable", "sessions_unusable"];
  const run = operations.get(runCleanupRoute);
  const list = operations.get(listRunsRoute);
  expect([run?.refusals, list?.refusals]).toEqual([refusals, refusals]);
  expect([Object.keys(run?.answers ?? {}), Object.keys(list?.answers ?? {})]).toEqual([
    ["200", "503"],
    ["200"],
  ]);
  for (const status of [200, 503]) {
    const schema = run?.answers[status]?.schema;
    expect(schema?.parse(answer)).toEqual(answer);
    expect(schema?.parse({ ...answer, deleted: 0, batches: 0, blocked: 0 })).toMatchObject({ deleted: 0 });
    for (const wrong of [{ deleted: -1 }, { batches: -1 }, { blocked: -1 }, { outcome: "running" }])
      expect(schema?.safeParse({ ...answer, ...wrong }).success).toBe(false);
  }
});
