import { afterEach, expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { at, HOUR } from "../support/cleanup.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  databaseRequests,
  fire,
  keys,
  REGULAR_CRON,
  send,
  type TestDatabase,
} from "../support/worker.ts";

const ask = (env: Env, path = "/session-health", method = "GET") =>
  send(env, path, { method, ...bearer(keys.health) });

const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

async function addMany({ query }: TestDatabase, count: number, expiresAt: string) {
  await query(
    `INSERT INTO mcp_sessions (session_id, expires_at) SELECT gen_random_uuid()::text, ${expiresAt} FROM generate_series(1, ${count})`,
  );
}

async function addRuns({ query }: TestDatabase, tier: string, ...outcomes: string[]) {
  for (const outcome of outcomes) {
    await query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
       VALUES ($1, 'cron', now(), now(), now(), now(), $2, $3)`,
      [tier, outcome, outcome === "failed" ? "XX000" : outcome === "skipped" ? "busy" : null],
    );
  }
}

test("a healthy store answers with exactly six keys, its exact counts and whole seconds", async () => {
  const database = await createDatabase();
  await addSessions(database, {
    live: at(new Date(), HOUR),
    never: null,
    forever: "infinity",
    expired: at(new Date(), -1000),
    "also-expired": at(new Date(), -HOUR),
  });
  const before = await databaseRequests();
  const askedAt = Date.now();
  const response = await ask(database.env());
  expect(await databaseRequests()).toBe(before + 1);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("application/json");
  const text = await response.text();
  const { timestamp } = JSON.parse(text);
  expect(timestamp).toMatch(SECONDS);
  expect(Date.parse(timestamp)).toBeGreaterThan(askedAt - 1000);
  expect(Date.parse(timestamp)).toBeLessThanOrEqual(Date.now());
  expect(text).toBe(
    `{"status":"healthy","database":"connected","total_sessions":5,"active_sessions":3,"expired_sessions":2,"timestamp":"${timestamp}"}`,
  );
});

test("above 100,000 expired sessions the number is an estimate, with its bounds", async () => {
  const database = await createDatabase();
  // Counting takes milliseconds. On a busy machine it may take many.
  const env = database.env({ HEALTH_TIMEOUT_MS: "60000" });
  await addMany(database, 100_000, "now() - interval '1 minute'");
  await addMany(database, 200_000, "now() + interval '1 hour'");
  expect(await (await ask(env)).json()).toEqual({
    status: "healthy",
    database: "connected",
    total_sessions: 300_000,
    active_sessions: 200_000,
    expired_sessions: 100_000,
    timestamp: expect.any(String),
  });
  await addMany(database, 50_000, "now() - interval '2 minutes'");
  const body = await (await ask(env)).json<Record<string, number>>();
  expect(body).toMatchObject({
    total_sessions: 350_000,
    expired_sessions_bounds: { at_least: 100_001, at_most: 350_000 },
  });
  expect(body["expired_sessions"]).toBeGreaterThan(110_000);
  expect(body["expired_sessions"]).toBeLessThan(200_000);
  expect(body["active_sessions"]).toBe(350_000 - (body["expired_sessions"] ?? 0));
});

test("an empty table is healthy", async () => {
  const database = await createDatabase();
  expect(await (await ask(database.env())).json()).toMatchObject({ status: "healthy", total_sessions: 0 });
});

test("HEAD answers as GET does, without the body", async () => {
  const database = await createDatabase();
  const response = await ask(database.env(), "/session-health", "HEAD");
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("");
});

test("cleanup is overdue when something has been expired for more than two regular intervals", async () => {
  const database = await createDatabase();
  await addMany(database, 1, "now() - interval '1 hour 59 minutes 50 seconds'");
  expect(await (await ask(database.env())).json()).toMatchObject({ status: "healthy" });
  await addMany(database, 1, "now() - interval '2 hours'");
  const response = await ask(database.env());
  expect(response.status).toBe(200);
  const body = await response.json<Record<string, unknown>>();
  expect(body).toMatchObject({ status: "degraded", expired_sessions: 2, reasons: ["cleanup_overdue"] });
  expect(Object.keys(body)).toEqual([
    "status",
    "database",
    "total_sessions",
    "active_sessions",
    "expired_sessions",
    "timestamp",
    "reasons",
  ]);
  // The interval is that of the configured cron: once a day, this is not yet late.
  const daily = database.env({ MCP_REGULAR_CLEANUP_CRON: "0 3 * * *" });
  expect(await (await ask(daily)).json()).toMatchObject({ status: "healthy" });
});

test("three failures in a row of a tier that is on degrade, and one success ends it", async () => {
  const database = await createDatabase();
  await addRuns(database, "regular", "completed", "failed", "failed");
  expect(await (await ask(database.env())).json()).toMatchObject({ status: "healthy" });
  await addRuns(database, "regular", "skipped", "failed");
  expect(await (await ask(database.env())).json()).toMatchObject({
    status: "degraded",
    reasons: ["cleanup_failing"],
  });
  await addRuns(database, "regular", "partial");
  expect(await (await ask(database.env())).json()).toMatchObject({ status: "healthy" });
});

test("failures of the immediate tier count in aggressive mode only", async () => {
  const database = await createDatabase();
  await addRuns(database, "immediate", "failed", "failed", "failed");
  expect(await (await ask(database.env())).json()).toMatchObject({ status: "healthy" });
  const aggressive = database.env({ MCP_AGGRESSIVE_CLEANUP: "true" });
  expect(await (await ask(aggressive)).json()).toMatchObject({
    status: "degraded",
    reasons: ["cleanup_failing"],
  });
});

test("a high ratio of expired sessions degrades, counted above 100 expired only", async () => {
  const database = await createDatabase();
  await addMany(database, 100, "now() - interval '1 minute'");
  expect(await (await ask(database.env())).json()).toMatchObject({ status: "healthy", active_sessions: 0 });
  await addMany(database, 1, "now() - interval '1 minute'");
  expect(await (await ask(database.env())).json()).toMatchObject({ reasons: ["expired_ratio_high"] });
  await addMany(database, 101, "now() + interval '1 hour'");
  expect(await (await ask(database.env())).json()).toMatchObject({ status: "healthy" });
  const strict = database.env({ HEALTH_EXPIRED_RATIO_MAX: "0.9" });
  expect(await (await ask(strict)).json()).toMatchObject({ reasons: ["expired_ratio_high"] });
});

test("verbose adds the last run of each tier and its failures in a row", async () => {
  const database = await createDatabase();
  await addRuns(database, "immediate", "completed", "failed");
  await addSessions(database, { expired: at(new Date(), -HOUR) });
  await fire(database.env(), REGULAR_CRON);
  const body = await (await ask(database.env(), "/session-health?verbose=1")).json();
  expect(body).toMatchObject({
    status: "healthy",
    cleanup: {
      regular: {
        last_run: { outcome: "completed", trigger: "cron", deleted: 1, batches: 1, error_code: null },
        failures_in_a_row: 0,
      },
      immediate: { last_run: { outcome: "failed", error_code: "XX000" }, failures_in_a_row: 1 },
    },
  });
  expect(await (await ask(database.env(), "/session-health?verbose=0")).json()).not.toHaveProperty("cleanup");
});

test("verbose before any run says so", async () => {
  const database = await createDatabase();
  const body = await (await ask(database.env(), "/session-health?verbose=1")).json();
  const nothing = { last_run: null, failures_in_a_row: 0 };
  expect(body).toMatchObject({ cleanup: { regular: nothing, immediate: nothing } });
});

test.each(["verbose", "write"])("another value of %s is 400 and makes no query", async (name) => {
  const database = await createDatabase();
  const before = await databaseRequests();
  const response = await ask(database.env(), `/session-health?${name}=yes-please`);
  expect([response.status, await response.json()]).toMatchObject([
    400,
    { error: { message: `The parameter ${name} must be 0 or 1` } },
  ]);
  expect(await databaseRequests()).toBe(before);
});

afterEach(() => {
  expect(logged().filter(({ level }) => level === "ERROR")).toEqual([]);
});
