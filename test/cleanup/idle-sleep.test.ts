// Idle sleep: what it must never do is leave a session longer than without it.
import { createScheduledController } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import * as fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { createIdleSleep } from "../../src/cleanup/idle-sleep.ts";
import type { Records } from "../../src/cleanup/settings.ts";
import { handleCron } from "../../src/cron.ts";
import { readConfig } from "../../src/env.ts";
import { ConfigurationError } from "../../src/settings.ts";
import { logged } from "../support/captured-logs.ts";
import { at, HOUR, storeOf } from "../support/cleanup.ts";
import { mcp, open } from "../support/mcp.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  databaseRequests,
  environment,
  fire,
  IMMEDIATE_CRON,
  keys,
  REGULAR_CRON,
  remaining,
  send,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";

const kv = bindings.CLEANUP_SLEEP;
const MINUTE = 60_000;
const crons = { regular: REGULAR_CRON, immediate: IMMEDIATE_CRON };

const forget = () => Promise.all([kv.delete("last-run"), kv.delete("activity")]);
beforeEach(forget);

const sleeping = (database: TestDatabase, overrides: Record<string, string> = {}) =>
  Object.assign(database.env({ MCP_CLEANUP_IDLE_SLEEP: "true", ...overrides }), { CLEANUP_SLEEP: kv });

test("an event at the very time of an expiry asks the database", async () => {
  const database = await createDatabase();
  const expiry = at(new Date(), -HOUR);
  const options = { versionId: "1", minAgeSeconds: { regular: 0, immediate: 3600 }, now: () => new Date() };
  const sleep = createIdleSleep({ records: kv, maxSeconds: 86_400 }, options);
  await sleep.recordRun({ earliestExpiry: expiry }, at(expiry, -MINUTE));
  const cleanups = storeOf(database, { trigger: "cron" });
  const before = await databaseRequests();
  for (const [scheduledTime, requests] of [
    [at(expiry, -1), 0],
    [expiry, 1],
  ] as const) {
    const event = createScheduledController({ cron: REGULAR_CRON, scheduledTime });
    await handleCron(event, { mode: "standard", crons }, cleanups, sleep);
    expect((await databaseRequests()) - before).toBe(requests);
  }
  expect(logged("MCP session cleanup: asleep")).toMatchObject([
    { tier: "regular", until: expiry.toISOString() },
  ]);
});

/** What happens at a time of a history, before the cron event of that time. */
type Act =
  | { kind: "nothing" }
  | { kind: "open" | "touch" | "foreign"; id: number; ttlMinutes: number }
  | { kind: "end" | "foreign-end"; id: number };

/** A history of ten-minute steps on two databases, one with sleep and one without, `afterStep` seeing both. */
async function live(
  history: Act[],
  { records = kv as Records, capSeconds = 86_400, ageSeconds = 3600 },
  afterStep: (slept: Set<string>, awake: Set<string>, time: number) => void,
): Promise<number> {
  await forget();
  const [sleeper, control] = await Promise.all([createDatabase(), createDatabase()]);
  // In the past, because the database's clock caps what a run may delete.
  const start = Math.floor(Date.now() / HOUR) * HOUR - 30 * 24 * HOUR;
  let time = start;
  const minAgeSeconds = { regular: 0, immediate: ageSeconds };
  const options = { versionId: "1", minAgeSeconds, now: () => new Date(time) };
  const sleep = createIdleSleep({ records, maxSeconds: capSeconds }, options);
  const awake = createIdleSleep(undefined, options);
  const settings = { trigger: "cron", minAgeSeconds } as const;
  const cleanups = {
    slept: storeOf(sleeper, settings, sleep.recordRun),
    awake: storeOf(control, settings),
  };
  for (const act of history) {
    time += 10 * MINUTE;
    // Some minutes before the event.
    const now = `to_timestamp(${(time - 3 * MINUTE) / 1000})`;
    const statement = statementOf(act, now);
    if (statement !== undefined) await Promise.all([sleeper.query(statement), control.query(statement)]);
    time -= 3 * MINUTE;
    if (act.kind === "open" || act.kind === "end") await sleep.recordActivity();
    time += 3 * MINUTE;
    for (const cron of time % HOUR === 0 ? [REGULAR_CRON, IMMEDIATE_CRON] : [IMMEDIATE_CRON]) {
      const event = createScheduledController({ cron, scheduledTime: new Date(time) });
      await Promise.all([
        handleCron(event, { mode: "aggressive", crons }, cleanups.slept, sleep),
        handleCron(event, { mode: "aggressive", crons }, cleanups.awake, awake),
      ]);
    }
    const [withSleep, without] = await Promise.all([remaining(sleeper), remaining(control)]);
    afterStep(new Set(withSleep), new Set(without), time);
  }
  const [counted] = await sleeper.query("SELECT count(*) FROM mcp_cleanup_runs");
  return Number(counted?.["count"]);
}

function statementOf(act: Act, now: string): string | undefined {
  if (act.kind === "nothing") return undefined;
  if (!("ttlMinutes" in act))
    return `UPDATE mcp_sessions SET expires_at = ${now}, ended_at = ${now}
             WHERE session_id LIKE '${act.kind === "end" ? "open" : "foreign"}-${act.id}%' AND expires_at > ${now}`;
  const expiry = `${now} + interval '${act.ttlMinutes} minutes'`;
  // Another program's ids are its own: a row that is still there must not keep a new one out.
  const id = act.kind === "foreign" ? `foreign-${act.id}-${now}` : `open-${act.id}`;
  return act.kind === "touch"
    ? `UPDATE mcp_sessions SET expires_at = greatest(expires_at, ${expiry})
        WHERE session_id = 'open-${act.id}' AND expires_at > ${now}`
    : `INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('${id}', ${expiry}) ON CONFLICT DO NOTHING`;
}

const ids = fc.nat(3);
const ttls = fc.constantFrom(1, 5, 25, 90, 300);
const nothing = fc.constant<Act>({ kind: "nothing" });
const ofOurs = fc.oneof(
  { arbitrary: nothing, weight: 8 },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom("open" as const, "touch" as const),
      id: ids,
      ttlMinutes: ttls,
    }),
    weight: 3,
  },
  { arbitrary: fc.record({ kind: fc.constant("end" as const), id: ids }), weight: 1 },
);
const ofAnother = fc.oneof(
  { arbitrary: ofOurs, weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant("foreign" as const), id: ids, ttlMinutes: ttls }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant("foreign-end" as const), id: ids }), weight: 1 },
);
const foreign = fc.record({ kind: fc.constant("foreign" as const), id: ids, ttlMinutes: ttls });
const faultKinds = fc.constantFrom("works", "works", "works", "fails", "garbage", "empty");
const quiet = fc.array(nothing, { minLength: 6, maxLength: 20 });

test("with sleep exactly the same sessions are there after every event, and runs are fewer", async () => {
  let steps = 0;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(ofOurs, { minLength: 10, maxLength: 30 }),
      quiet,
      fc.array(ofOurs, { minLength: 5, maxLength: 15 }),
      fc.constantFrom(60, 3600),
      async (before, pause, after, ageSeconds) => {
        runs += await live([...before, ...pause, ...after], { ageSeconds }, (slept, awake, time) => {
          steps += 1;
          expect(slept, new Date(time).toISOString()).toEqual(awake);
        });
      },
    ),
    { numRuns: 12 },
  );
  expect(runs).toBeLessThan(steps * 0.8);
});

test("whatever another program writes and KV loses, nothing stays longer than without sleep plus the cap", async () => {
  const capSeconds = 2 * 3600;
  await fc.assert(
    fc.asyncProperty(
      fc.array(ofAnother, { minLength: 5, maxLength: 25 }),
      fc.array(foreign, { minLength: 1, maxLength: 3 }),
      fc.array(nothing, { minLength: 20, maxLength: 30 }),
      fc.oneof(fc.constant(["works"]), fc.array(faultKinds, { minLength: 7, maxLength: 7 })),
      async (before, written, pause, faults) => {
        let calls = 0;
        const fault = () => faults[calls++ % faults.length];
        const unreliable = {
          get: async (key: string) => {
            const kind = fault();
            if (kind === "fails") throw new Error("KV GET failed: 500 Internal Server Error");
            if (kind === "garbage") return '{"ranAt":';
            return kind === "empty" ? null : await kv.get(key);
          },
          put: async (key: string, value: string) => {
            if (fault() === "fails") throw new Error("KV PUT failed: 429 Too Many Requests");
            await kv.put(key, value);
          },
        };
        const goneSince = new Map<string, number>();
        await live(
          [...before, ...written, ...pause],
          { records: unreliable, capSeconds },
          (slept, awake, time) => {
            for (const id of slept) {
              if (awake.has(id)) goneSince.delete(id);
              else if (!goneSince.has(id)) goneSince.set(id, time);
              expect(time - (goneSince.get(id) ?? time)).toBeLessThanOrEqual(capSeconds * 1000);
            }
            expect([...awake].filter((id) => !slept.has(id))).toEqual([]);
          },
        );
      },
    ),
    { numRuns: 10 },
  );
});

test("an idle day of aggressive events asks the database once", async () => {
  const day = Array.from({ length: 143 }, (): Act => ({ kind: "nothing" }));
  const runs = await live(day, {}, () => {});
  expect(runs).toBe(1);
});

test("activity that began within a recorded window, and committed after the next run, is not missed", async () => {
  const start = new Date();
  let time = start;
  const sleep = createIdleSleep(
    { records: kv, maxSeconds: 86_400 },
    { versionId: "1", minAgeSeconds: { regular: 0, immediate: 3600 }, now: () => time },
  );
  await sleep.recordActivity();
  // No second record is written for this one, which takes a while.
  time = at(start, 5 * MINUTE - 1);
  await sleep.recordActivity();
  const ranAt = at(time, 20_000);
  const never = new Date(8.64e15);
  const done = { runId: 1, outcome: "completed", deleted: 0, batches: 0 } as const;
  const report = { ...done, errorCode: null, blocked: 0, blockedBy: null };
  await sleep.recordRun({ ...report, earliestExpiry: never }, ranAt);
  expect((await sleep.wakesAt())?.regular).toEqual(ranAt);
});

test("an event that sleeps makes no query and says until when; opening a session ends the sleep", async () => {
  const database = await createDatabase();
  const env = sleeping(database);
  const scheduled = new Date();
  await fire(env, REGULAR_CRON, scheduled);
  const before = await databaseRequests();
  await fire(env, REGULAR_CRON, at(scheduled, HOUR));
  expect(await databaseRequests()).toBe(before);
  expect(logged("MCP session cleanup: asleep")).toEqual([
    expect.objectContaining({
      level: "INFO",
      tier: "regular",
      until: at(scheduled, 24 * HOUR).toISOString(),
    }),
  ]);
  await open(env);
  await fire(env, REGULAR_CRON, at(scheduled, 2 * HOUR));
  expect(await databaseRequests()).toBe(before + 2);
});

test("it wakes when the first session expires, and another version of the Worker asks anew", async () => {
  const database = await createDatabase();
  const scheduled = at(new Date(), -10 * HOUR);
  await addSessions(database, { live: at(scheduled, 5 * HOUR), later: at(scheduled, 9 * HOUR) });
  const env = sleeping(database);
  const runs = async () =>
    Number((await database.query("SELECT count(*) FROM mcp_cleanup_runs"))[0]?.["count"]);
  await fire(env, REGULAR_CRON, scheduled);
  await fire(env, REGULAR_CRON, at(scheduled, 4 * HOUR));
  expect(await runs()).toBe(1);
  await fire(env, REGULAR_CRON, at(scheduled, 6 * HOUR));
  expect(await remaining(database)).toEqual(["later"]);
  await fire(env, REGULAR_CRON, at(scheduled, 7 * HOUR));
  expect(await runs()).toBe(2);
  const deployed = Object.assign(sleeping(database), {
    CF_VERSION_METADATA: { id: "2", tag: "", timestamp: "" },
  });
  await fire(deployed, REGULAR_CRON, at(scheduled, 7 * HOUR + 1));
  expect(await runs()).toBe(3);
});

test("ending sessions ends the sleep, by a client and by an operator", async () => {
  const database = await createDatabase();
  const env = sleeping(database);
  const forgotten = async () => {
    await forget();
    return Object.assign(sleeping(database), { CLEANUP_SLEEP: kv });
  };
  const session = await open(env);
  const authorized = { ...bearer(keys.alice).headers, "Mcp-Session-Id": session };
  expect((await send(await forgotten(), "/mcp", { method: "DELETE", headers: authorized })).status).toBe(204);
  expect(await kv.get("activity")).not.toBeNull();
  expect(
    (await send(await forgotten(), "/sessions?principal=alice", { method: "DELETE", ...bearer(keys.admin) }))
      .status,
  ).toBe(200);
  expect(await kv.get("activity")).not.toBeNull();
  // A later request of a session changes nothing that a run would have to know.
  const other = await open(env);
  expect((await mcp(await forgotten(), { method: "ping" }, { session: other })).status).toBe(200);
  expect(await kv.get("activity")).toBeNull();
});

test("an open whose answer is lost ends the sleep, too", async () => {
  const database = await createDatabase();
  await setFaults({ fault: { kind: "reset" }, matching: "mcp_open_session" });
  await expect(open(sleeping(database))).rejects.toThrow("503");
  await setFaults();
  expect(await kv.get("activity")).not.toBeNull();
});

test("without KV sessions open and cron events ask", async () => {
  const database = await createDatabase();
  const broken = {
    get: () => Promise.reject(new Error("down")),
    put: () => Promise.reject(new Error("down")),
  };
  const env = Object.assign(sleeping(database), { CLEANUP_SLEEP: broken });
  await open(env);
  const before = await databaseRequests();
  for (let i = 0; i < 3; i++) await fire(env, REGULAR_CRON, at(new Date(), i * HOUR));
  expect(await databaseRequests()).toBe(before + 3);
  expect(logged("Cleanup sleep record failed")[0]).toMatchObject({
    level: "WARN",
    operation: "record activity",
  });
});

test("while it sleeps cleanup is not overdue; health and metrics say until when", async () => {
  const database = await createDatabase();
  const env = sleeping(database);
  const scheduled = new Date();
  await fire(env, REGULAR_CRON, scheduled);
  await addSessions(database, { foreign: at(new Date(), -3 * HOUR) });
  const health = await send(env, "/session-health?verbose=1", bearer(keys.health));
  const until = at(scheduled, 24 * HOUR);
  expect(await health.json()).toMatchObject({
    status: "healthy",
    expired_sessions: 1,
    cleanup: { regular: { sleeps_until: `${until.toISOString().slice(0, 19)}Z` } },
  });
  const metrics = await (await send(env, "/metrics", bearer(keys.metrics))).text();
  expect(metrics).toContain(
    `mcp_session_cleanup_sleep_until_timestamp_seconds{tier="regular"} ${until.getTime() / 1000}`,
  );
  await forget();
  expect(await (await send(env, "/session-health", bearer(keys.health))).json()).toMatchObject({
    status: "degraded",
    reasons: ["cleanup_overdue"],
  });
});

test("switched on without the binding, the configuration is wrong", () => {
  const readWithout = () => readConfig(environment({ MCP_CLEANUP_IDLE_SLEEP: "true" }));
  expect(readWithout).toThrow(ConfigurationError);
  expect(readWithout).toThrow("MCP_CLEANUP_IDLE_SLEEP needs the KV namespace CLEANUP_SLEEP in wrangler.toml");
});
