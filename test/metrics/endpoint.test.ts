import { expect, test } from "vitest";
import { at, HOUR } from "../support/cleanup.ts";
import { logged } from "../support/captured-logs.ts";
import { mcp, open } from "../support/mcp.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  databaseRequests,
  fire,
  IMMEDIATE_CRON,
  keys,
  REGULAR_CRON,
  send,
  setFaults,
} from "../support/worker.ts";

const scrape = (env: Env, headers: Record<string, string> = {}) =>
  send(env, "/metrics", { headers: { ...bearer(keys.metrics).headers, ...headers } });

/** Sample → value, as it stands in the text. */
async function samplesOf(response: Response): Promise<Record<string, string>> {
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(lines.map((line) => line.split(/ (?=[^ ]+$)/)));
}

test("everything is counted from the database, in one statement", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_AGGRESSIVE_CLEANUP: "true", MCP_MAX_SESSIONS_PER_PRINCIPAL: "2" });
  const expiredAt = at(new Date(), -1000);
  await addSessions(database, {
    live: at(new Date(), HOUR),
    never: null,
    expired: expiredAt,
    old: at(new Date(), -2 * HOUR),
  });
  const firedAt = Date.now();
  await fire(env, IMMEDIATE_CRON);
  const first = await open(env);
  for (let i = 0; i < 2; i++) await open(env);
  expect((await mcp(env, { method: "ping" }, { session: first })).status).toBe(404);
  const before = await databaseRequests();
  const response = await scrape(env);
  expect(await databaseRequests()).toBe(before + 1);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const samples = await samplesOf(response);
  expect(samples).toMatchObject({
    mcp_session_store_up: "1",
    'mcp_session_store_fault{kind="quota_exceeded"}': "0",
    'mcp_sessions{state="active"}': "4",
    'mcp_sessions{state="expired"}': "2",
    mcp_sessions_opened_total: "3",
    'mcp_sessions_ended_total{reason="client"}': "0",
    'mcp_sessions_ended_total{reason="operator"}': "0",
    'mcp_sessions_ended_total{reason="evicted"}': "1",
    'mcp_sessions_deleted_total{tier="regular"}': "0",
    'mcp_sessions_deleted_total{tier="immediate"}': "1",
    'mcp_session_cleanup_runs_total{tier="immediate",outcome="completed"}': "1",
    'mcp_session_cleanup_runs_total{tier="regular",outcome="completed"}': "0",
    'mcp_session_cleanup_duration_seconds_bucket{tier="immediate",le="+Inf"}': "1",
    'mcp_session_cleanup_duration_seconds_count{tier="immediate"}': "1",
    'mcp_session_cleanup_duration_seconds_count{tier="regular"}': "0",
    'mcp_session_cleanup_consecutive_failures{tier="regular"}': "0",
    'mcp_session_cleanup_interval_seconds{tier="regular"}': "3600",
    'mcp_session_cleanup_interval_seconds{tier="immediate"}': "600",
    'mcp_session_health_degraded{reason="cleanup_overdue"}': "0",
    'mcp_session_worker_info{version="unknown",tag=""}': "1",
  });
  const succeededAt =
    Number(samples['mcp_session_cleanup_last_success_timestamp_seconds{tier="immediate"}']) * 1000;
  expect(succeededAt).toBeGreaterThanOrEqual(firedAt);
  expect(succeededAt).toBeLessThanOrEqual(Date.now());
  expect(samples['mcp_session_cleanup_last_success_timestamp_seconds{tier="regular"}']).toBeUndefined();
  expect(Number(samples["mcp_session_cleanup_backlog_oldest_timestamp_seconds"])).toBeCloseTo(
    expiredAt.getTime() / 1000,
  );
});

test("a session that its client ends is counted once, also when the answer to the first try is lost", async () => {
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "ended_count" });
  const response = await send(env, "/mcp", {
    method: "DELETE",
    headers: { ...bearer(keys.alice).headers, "Mcp-Session-Id": session },
  });
  await setFaults();
  expect(response.status).toBe(204);
  expect(await samplesOf(await scrape(env))).toMatchObject({
    'mcp_sessions_ended_total{reason="client"}': "1",
  });
});

test("a session that expires is counted by the next run, and it is said until when they were counted", async () => {
  const database = await createDatabase();
  const env = database.env();
  expect(await samplesOf(await scrape(env))).not.toHaveProperty(
    "mcp_sessions_expired_counted_timestamp_seconds",
  );
  await fire(env, REGULAR_CRON);
  await database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('expired', clock_timestamp())",
  );
  expect(await samplesOf(await scrape(env))).toMatchObject({ mcp_sessions_expired_total: "0" });
  await fire(env, REGULAR_CRON);
  const samples = await samplesOf(await scrape(env));
  expect(samples).toMatchObject({ mcp_sessions_expired_total: "1" });
  const [{ seconds } = {}] = await database.query(
    "SELECT extract(epoch FROM max(started_at))::float8 AS seconds FROM mcp_cleanup_runs",
  );
  // The run counts just after it has begun. A metric has whole milliseconds, and the database more.
  const counted = Number(samples["mcp_sessions_expired_counted_timestamp_seconds"]);
  expect(counted).toBeGreaterThanOrEqual(Math.floor(Number(seconds) * 1000) / 1000);
  expect(counted).toBeLessThanOrEqual(Date.now() / 1000);
});

test("sums stay when the records of runs go", async () => {
  const database = await createDatabase();
  const env = database.env();
  await addSessions(database, { expired: at(new Date(), -1000) });
  await fire(env, REGULAR_CRON);
  const sums = (samples: Record<string, string>) =>
    Object.entries(samples).filter(([name]) => /_total|_duration_seconds_/.test(name));
  const before = sums(await samplesOf(await scrape(env)));
  await database.query("DELETE FROM mcp_cleanup_runs");
  expect(sums(await samplesOf(await scrape(env)))).toEqual(before);
});

test("a run falls into exactly one bucket, with the bounds that are shown", async () => {
  const database = await createDatabase();
  const milliseconds = [0, 10, 11, 500, 20_000, 300_000, 300_001];
  for (const duration of milliseconds) {
    await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome)
       VALUES ('regular', 'cron', now(), now(), now(), now() + $1::int * interval '1 millisecond', 'completed')`,
      [duration],
    );
  }
  const samples = await samplesOf(await scrape(database.env()));
  const bucket = (le: string) =>
    samples[`mcp_session_cleanup_duration_seconds_bucket{tier="regular",le="${le}"}`];
  expect(["0.01", "0.05", "0.1", "0.5", "1", "5", "20", "60", "300", "+Inf"].map(bucket)).toEqual(
    [2, 3, 3, 4, 4, 4, 5, 5, 6, 7].map(String),
  );
  expect(Number(samples['mcp_session_cleanup_duration_seconds_sum{tier="regular"}'])).toBeCloseTo(620.522);
});

test("how long the statement took is in seconds", async () => {
  const env = (await createDatabase()).env();
  await setFaults({ fault: { kind: "latency", ms: 30 } });
  const before = Date.now();
  const samples = await samplesOf(await scrape(env));
  const elapsedMs = Date.now() - before;
  await setFaults();
  const seconds = Number(samples["mcp_session_store_query_duration_seconds"]);
  expect(seconds).toBeGreaterThanOrEqual(0.029);
  expect(seconds).toBeLessThanOrEqual(elapsedMs / 1000);
});

test("a tier that is switched off has no interval", async () => {
  const samples = await samplesOf(await scrape((await createDatabase()).env()));
  const intervals = Object.entries(samples).filter(([name]) => name.includes("cleanup_interval"));
  expect(intervals).toEqual([['mcp_session_cleanup_interval_seconds{tier="regular"}', "3600"]]);
});

test("OpenMetrics where Accept prefers it, as Prometheus does", async () => {
  const env = (await createDatabase()).env();
  const prometheus =
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
  const response = await scrape(env, { Accept: prometheus });
  expect(response.headers.get("Content-Type")).toBe(
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
  );
  const text = await response.text();
  expect(text).toMatch(/\n# EOF\n$/);
  expect(text).toContain("# TYPE mcp_sessions_opened counter\nmcp_sessions_opened_total 0\n");
  for (const accept of ["*/*", "text/plain", "text/html", "nonsense"]) {
    expect((await scrape(env, { Accept: accept })).headers.get("Content-Type")).toContain("text/plain");
  }
});

test("a database that cannot be asked is 200 and store_up 0, and says which fault", async () => {
  const empty = (await createDatabase({ empty: true })).env({ HEALTH_TIMEOUT_MS: "2000" });
  const response = await scrape(empty);
  expect(response.status).toBe(200);
  const samples = await samplesOf(response);
  expect(samples).toMatchObject({
    mcp_session_store_up: "0",
    'mcp_session_store_fault{kind="schema_missing"}': "1",
    'mcp_session_store_fault{kind="timeout"}': "0",
    'mcp_session_cleanup_interval_seconds{tier="regular"}': "3600",
  });
  expect(Object.keys(samples).filter((name) => /^mcp_sessions|_total/.test(name))).toEqual([]);
  expect(logged("Session metrics failed")).toEqual([
    expect.objectContaining({ kind: "schema_missing", sqlstate: "42883" }),
  ]);
});

test.each([
  [keys.health, 403],
  [keys.alice, 403],
  ["unknown-key-0123456789abcdef", 401],
])("only the scope metrics opens it, and the database is not asked", async (key, status) => {
  const env = (await createDatabase()).env();
  const before = await databaseRequests();
  expect((await send(env, "/metrics", bearer(key))).status).toBe(status);
  expect(await databaseRequests()).toBe(before);
});
