// What the endpoint of health makes of a census, and of a fault. Over a database: endpoint.test.ts.
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import type { Principal } from "../../src/auth/principal.ts";
import { parseCron } from "../../src/cleanup/tiers.ts";
import { DatabaseFault, type FaultKind } from "../../src/db/fault.ts";
import { healthEndpoint } from "../../src/health/endpoint.ts";
import type { Census } from "../../src/health/grade.ts";
import type { HealthStore } from "../../src/health/store.ts";
import { type FailedStep, TrialFailed } from "../../src/health/trial.ts";
import { AppError } from "../../src/http/errors.ts";
import { logged } from "../support/captured-logs.ts";

const NOW = new Date("2026-11-26T12:00:00.987Z");
const quiet = { lastRun: null, failuresInARow: 0, lastSuccessAt: null };
const census: Census = {
  total: 10,
  expired: 3,
  expiredAtLeast: 3,
  isOverdue: false,
  oldestExpiredAt: null,
  history: { regular: quiet, immediate: quiet },
  mayHideRows: false,
  wakesAt: undefined,
  totals: {},
};
const six = {
  status: "healthy",
  database: "connected",
  total_sessions: 10,
  active_sessions: 7,
  expired_sessions: 3,
  timestamp: "2026-11-26T12:00:00Z",
};

/** The endpoint over a census, or over what is thrown in place of one; `scopes` are those of who asks. */
function endpointOver(found: Census | Error, scopes?: Principal["scopes"]) {
  const asked: unknown[] = [];
  const store: HealthStore = {
    takeCensus: async (...parameters) => {
      asked.push(parameters);
      if (found instanceof Error) throw found;
      return found;
    },
    takeCensusWith: () => Promise.reject(new Error("nothing more is asked for")),
  };
  const endpoint = healthEndpoint({
    store,
    limits: {
      crons: { regular: parseCron("0 * * * *"), immediate: parseCron("*/10 * * * *") },
      expiredRatioMax: 1,
      activeTiers: ["regular"],
    },
    version: { id: "an id", tag: "a tag", deployedAt: null },
    unknownVariables: [{ name: "MCP_X", nearest: null }],
    now: () => NOW,
  });
  const app = new Hono<{ Variables: { principal: Principal; requestId: string } }>()
    .use(async (c, next) => {
      c.set("requestId", "the request");
      if (scopes !== undefined) c.set("principal", { name: "somebody", label: "somebody", scopes });
      await next();
    })
    .get("/", endpoint)
    .onError((error, c) => c.json({ thrown: error.message }, error instanceof AppError ? 400 : 500));
  return { app, asked, get: async (query = "") => app.request(`/${query}`) };
}
const bodyOf = async (found: Census | Error, query = "", scopes?: Principal["scopes"]) =>
  (await endpointOver(found, scopes).get(query)).json<Record<string, unknown>>();

test("what is exact has six members, in their order", async () => {
  const { get, asked } = endpointOver(census);
  const response = await get();
  expect([response.status, await response.text()]).toEqual([200, JSON.stringify(six)]);
  expect(asked).toEqual([[7200, false]]);
});

test("an estimate has its bounds", async () => {
  expect(await bodyOf({ ...census, expired: 4 })).toEqual({
    ...six,
    active_sessions: 6,
    expired_sessions: 4,
    expired_sessions_bounds: { at_least: 3, at_most: 10 },
  });
});

test("a degraded store has its reasons", async () => {
  expect(await bodyOf({ ...census, mayHideRows: true, isOverdue: true })).toEqual({
    ...six,
    status: "degraded",
    reasons: ["cleanup_overdue", "rows_hidden"],
  });
});

test("handles and tasks are told where they are counted", async () => {
  const handles = { active: 1, expired: 2, oldest_expired_at: null };
  const tasks = {
    working: 1,
    input_required: 2,
    ended: 3,
    expired: 4,
    due: 5,
    oldest_due_at: null,
    oldest_expired_at: null,
  };
  expect(await bodyOf({ ...census, kept: { handles } })).toEqual({ ...six, handles });
  expect(await bodyOf({ ...census, kept: { tasks, is_overdue: false } })).toEqual({ ...six, tasks });
  expect(await bodyOf({ ...census, kept: {} })).toEqual(six);
});

test("verbose tells of the Worker, and until when each tier sleeps", async () => {
  const later = new Date("2026-11-26T13:00:00.987Z");
  const run = { last_run: null, failures_in_a_row: 0 };
  const wakesAt = { regular: later, immediate: NOW };
  expect(await bodyOf({ ...census, wakesAt }, "?verbose=1")).toEqual({
    ...six,
    cleanup: { regular: { ...run, sleeps_until: "2026-11-26T13:00:00Z" }, immediate: run },
    worker: {
      version_id: "an id",
      version_tag: "a tag",
      deployed_at: null,
      unknown_variables: [{ name: "MCP_X", nearest: null }],
    },
  });
  expect(await bodyOf({ ...census, wakesAt }, "?verbose=0")).toEqual(six);
});

test("the whole life is tried only for who asks for it", async () => {
  for (const [query, isWholeLife] of [
    ["?write=1", true],
    ["?write=0", false],
  ] as const) {
    const { get, asked } = endpointOver(census);
    await get(query);
    expect(asked).toEqual([[7200, isWholeLife]]);
  }
});

test.each(["verbose", "write"])("%s is 0 or 1, and nothing is asked for another value", async (name) => {
  for (const value of ["2", "", "true"]) {
    const { get, asked } = endpointOver(census);
    const response = await get(`?${name}=${value}`);
    expect([response.status, await response.json(), asked]).toEqual([
      400,
      { thrown: `The parameter ${name} must be 0 or 1` },
      [],
    ]);
  }
});

describe("of a database that fails", () => {
  const fault = (kind: FaultKind, more: object = {}) => ({
    kind,
    retryable: false,
    outcomeUnknown: false,
    answered: false,
    ...more,
  });
  const down = new DatabaseFault("a census", fault("timeout"));
  const ofStep = { sqlstate: "P0001", answered: true };
  const step: FailedStep = {
    step: "delete",
    sqlstate: "P0001",
    symptom: null,
    table: null,
    column: null,
    constraint: null,
  };
  const failed = new TrialFailed(fault("write_rejected", ofStep), step);
  const five = {
    status: "unhealthy",
    database: "disconnected",
    total_sessions: null,
    active_sessions: null,
    expired_sessions: null,
    reason: "timeout",
    timestamp: "2026-11-26T12:00:00Z",
  };
  const rejected = { ...five, database: "connected", reason: "write_rejected" };

  test("the answer is 503 with the reason, and says when to ask again where waiting helps", async () => {
    const passing = await endpointOver(down).get();
    expect([passing.status, passing.headers.get("Retry-After"), await passing.text()]).toEqual([
      503,
      "30",
      JSON.stringify(five),
    ]);
    const lasting = await endpointOver(failed).get();
    expect([lasting.status, lasting.headers.get("Retry-After"), await lasting.json()]).toEqual([
      503,
      null,
      rejected,
    ]);
  });

  test("the step of a trial is told to who has asked for it", async () => {
    expect(await bodyOf(failed, "?write=1")).toEqual({ ...rejected, failed_step: step });
    expect(await bodyOf(failed, "?write=0")).toEqual(rejected);
    expect(await bodyOf(down, "?write=1")).toEqual(five);
  });

  test("the SQLSTATE is told to operators alone, and is null where there was none", async () => {
    expect(await bodyOf(failed, "", ["health", "admin"])).toEqual({ ...rejected, sqlstate: "P0001" });
    expect(await bodyOf(down, "", ["admin"])).toEqual({ ...five, sqlstate: null });
    expect(await bodyOf(failed, "", ["health"])).toEqual(rejected);
  });

  test("a line of the log says why", async () => {
    await endpointOver(failed).get();
    await endpointOver(down).get();
    expect(logged("Session health check failed")).toEqual([
      expect.objectContaining({
        level: "ERROR",
        reason: "write_rejected",
        sqlstate: "P0001",
        step: "delete",
        request_id: "the request",
      }),
      expect.objectContaining({ reason: "timeout", request_id: "the request" }),
    ]);
  });

  test("what is no fault of the database is thrown", async () => {
    const response = await endpointOver(new TypeError("a mistake")).get();
    expect([response.status, await response.json()]).toEqual([500, { thrown: "a mistake" }]);
  });
});
