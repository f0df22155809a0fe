// Every fault of Neon's against everything the Worker does: what the caller gets, what is in the database afterwards,
// how often the database was asked, and that it took no longer than it may.
import { afterEach, describe, expect, test } from "vitest";
import type { Fault } from "../../dev/neon/switchboard.ts";
import { logged } from "../support/captured-logs.ts";
import { addExpired, runsOf } from "../support/cleanup.ts";
import { callTool, end, initializeParams, mcp, open, rowsOf } from "../support/mcp.ts";
import {
  bearer,
  createDatabase,
  databaseRequests,
  fire,
  keys,
  REGULAR_CRON,
  send,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";

afterEach(() => setFaults());

const BUDGET_MS = 1500;
const env = (database: TestDatabase) =>
  database.env({ MCP_SESSION_TIMEOUT_MS: String(BUDGET_MS), HEALTH_TIMEOUT_MS: String(BUDGET_MS) });

interface Row {
  fault: Fault;
  /** The reason that health gives while the fault lasts. */
  reason: string;
  /** Whether the statement is committed although the caller hears nothing of it. */
  commits?: boolean;
  /** Whether one more attempt helps, once the fault is over. */
  isRetried?: boolean;
  /** Whether a client is told to wait. */
  mayPass?: boolean;
}

const rows: Row[] = [
  { fault: { kind: "hang" }, reason: "timeout", isRetried: false },
  { fault: { kind: "reset" }, reason: "database_unreachable" },
  { fault: { kind: "half-body" }, reason: "database_unreachable", commits: true },
  { fault: { kind: "quota" }, reason: "quota_exceeded", isRetried: false, mayPass: false },
  { fault: { kind: "too-many-endpoints" }, reason: "quota_exceeded", isRetried: false, mayPass: false },
  { fault: { kind: "control-plane" }, reason: "database_unreachable" },
  { fault: { kind: "compute-unreachable" }, reason: "database_unreachable" },
  { fault: { kind: "maintenance" }, reason: "database_unreachable" },
  { fault: { kind: "edge" }, reason: "database_unreachable" },
  { fault: { kind: "edge", status: 525 }, reason: "database_unreachable" },
  { fault: { kind: "refused-by-postgres", sqlstate: "53300" }, reason: "overloaded" },
  { fault: { kind: "refused-by-postgres", sqlstate: "57P03" }, reason: "database_unreachable" },
  { fault: { kind: "lost-after-commit" }, reason: "database_unreachable", commits: true },
  { fault: { kind: "lingering-locks", ms: 150 }, reason: "overloaded" },
];

/** What came of it, how often the database was asked, and whether it was in time. */
async function measured<T>(work: () => Promise<T>) {
  const before = await databaseRequests();
  const startedAt = Date.now();
  const outcome = await work();
  return {
    outcome,
    attempts: (await databaseRequests()) - before,
    isInTime: Date.now() - startedAt < BUDGET_MS + 500,
  };
}

const refusalOf = (message: string) =>
  `{"jsonrpc":"2.0","error":{"code":-32603,"message":"${message}"},"id":null}`;
const unavailable = { body: refusalOf("The session store cannot be reached; try again"), retryAfter: "5" };
const unusable = {
  body: refusalOf("The session store cannot be used; its operator must act"),
  retryAfter: null,
};

const opening = (worker: Env) => mcp(worker, { method: "initialize", params: initializeParams });
const ask = async (response: Promise<Response>) => {
  const { status, headers } = await response;
  return { status, body: await (await response).text(), retryAfter: headers.get("Retry-After") };
};

describe.each(rows)("while $fault lasts", (row) => {
  const { fault, reason, commits = false, isRetried = true, mayPass = true } = row;
  const refused = { outcome: { status: 503, ...(mayPass ? unavailable : unusable) }, isInTime: true };
  /** One attempt, or several but never many. */
  const expectAttempts = (attempts: number) => {
    expect(attempts).toBeGreaterThanOrEqual(isRetried ? 2 : 1);
    expect(attempts).toBeLessThanOrEqual(isRetried ? 7 : 1);
  };

  test("health says so", async () => {
    const database = await createDatabase();
    await setFaults({ fault });
    const { outcome, attempts, isInTime } = await measured(() =>
      ask(send(env(database), "/session-health", bearer(keys.health))),
    );
    expect([outcome.status, JSON.parse(outcome.body), isInTime]).toMatchObject([
      503,
      { status: "unhealthy", reason },
      true,
    ]);
    expectAttempts(attempts);
  });

  test("nobody opens a session, and at most one row is left that nobody knows", async () => {
    const database = await createDatabase();
    await setFaults({ fault });
    const { attempts, ...rest } = await measured(() => ask(opening(env(database))));
    expect(rest).toEqual(refused);
    expectAttempts(attempts);
    await setFaults();
    expect(await rowsOf(database)).toHaveLength(commits ? 1 : 0);
  });

  test("a session is refused and not lost", async () => {
    const database = await createDatabase();
    const session = await open(database.env());
    await setFaults({ fault });
    const { attempts, ...rest } = await measured(() =>
      ask(mcp(env(database), { method: "ping" }, { session })),
    );
    expect(rest).toEqual(refused);
    expectAttempts(attempts);
    await setFaults();
    expect((await mcp(database.env(), { method: "ping" }, { session })).status).toBe(200);
  });

  test("an end that nobody heard of has happened once or not at all", async () => {
    const database = await createDatabase();
    const session = await open(database.env());
    await setFaults({ fault });
    const { attempts, ...rest } = await measured(() => ask(end(env(database), session)));
    expect(rest).toEqual(refused);
    expectAttempts(attempts);
    await setFaults();
    expect((await mcp(database.env(), { method: "ping" }, { session })).status).toBe(commits ? 404 : 200);
  });

  test("a state write fails with the kind, and is done whole or not at all", async () => {
    const database = await createDatabase();
    const session = await open(database.env());
    await setFaults({ fault, matching: "state_writes" });
    const { outcome, attempts, isInTime } = await measured(() =>
      callTool(env(database), session, "session_state_set", { key: "k", value: [1] }),
    );
    expect([outcome.isError, outcome.content[0]?.text]).toEqual([
      true,
      `writing session state failed: ${reason}${sqlstateOf(fault)}`,
    ]);
    expect(isInTime).toBe(true);
    // One is the session's own.
    expectAttempts(attempts - 1);
    await setFaults();
    expect((await rowsOf(database))[0]?.["state"]).toEqual(commits ? { k: [1] } : null);
  });

  test("a cleanup fails loudly, and what it did is counted once", async () => {
    const database = await createDatabase();
    await addExpired(database, 3);
    await setFaults({ fault });
    // A run may take its time budget, and fifteen seconds more for a compute to wake.
    const hurried = database.env({ MCP_CLEANUP_TIME_BUDGET_MS: "100" });
    const { outcome, attempts } = await measured(() =>
      fire(hurried, REGULAR_CRON).catch((error: unknown) => error),
    );
    expect(outcome).toMatchObject({ name: "DatabaseFault", kind: reason });
    expectAttempts(attempts);
    expect(logged("session_cleanup_task_failed")).toEqual([expect.objectContaining({ kind: reason })]);
    await setFaults();
    const deleted = (await runsOf(database)).reduce((sum, run) => sum + Number(run["deleted"]), 0);
    const [left] = await database.query("SELECT count(*)::int AS count FROM mcp_sessions");
    expect([deleted, left?.["count"]]).toEqual(commits ? [3, 0] : [0, 3]);
    // The next event catches up.
    await fire(database.env(), REGULAR_CRON, new Date(Date.now() + 1));
    const [after] = await database.query(
      "SELECT count(*)::int AS count, (SELECT sum(deleted)::int FROM mcp_cleanup_runs) AS deleted FROM mcp_sessions",
    );
    expect(after).toEqual({ count: 0, deleted: 3 });
  });
});

describe.each(rows.filter(({ isRetried }) => isRetried !== false))("when $fault hits once", ({ fault }) => {
  const once = { fault, times: 1 };

  test("everything is answered as if nothing had happened, with one attempt more, and done once", async () => {
    const database = await createDatabase();
    const worker = database.env();
    const hit = async <T>(work: () => Promise<T>, matching?: string) => {
      await setFaults({ ...once, ...(matching !== undefined && { matching }) });
      const result = await measured(work);
      await setFaults();
      return result;
    };

    const health = await hit(() => ask(send(worker, "/session-health", bearer(keys.health))));
    expect([health.outcome.status, health.attempts]).toEqual([200, 2]);

    const opened = await hit(() => open(worker));
    expect(opened.attempts).toBe(2);
    expect(await rowsOf(database)).toHaveLength(1);
    const session = opened.outcome;

    const used = await hit(() => ask(mcp(worker, { method: "ping" }, { session })));
    expect([used.outcome.status, used.attempts]).toEqual([200, 2]);

    const written = await hit(
      () => callTool(worker, session, "session_state_set", { key: "k", value: 1 }),
      "state_writes",
    );
    expect([written.outcome.structuredContent, written.attempts]).toEqual([
      { key: "k", version: 1, size_bytes: 8 },
      3,
    ]);
    expect((await rowsOf(database))[0]?.["state_writes"]).toHaveLength(1);

    const deleted = await hit(
      () => callTool(worker, session, "session_state_delete", { key: "k" }),
      "state_writes",
    );
    expect([deleted.outcome.structuredContent, deleted.attempts]).toEqual([{ deleted: true }, 3]);

    await open(worker);
    const others = await hit(() => callTool(worker, session, "end_my_other_sessions"), "IS DISTINCT FROM");
    expect([others.outcome.structuredContent, others.attempts]).toEqual([{ ended: 1 }, 3]);

    const ended = await hit(() => end(worker, session));
    expect([ended.outcome.status, ended.attempts]).toEqual([204, 2]);
    expect((await end(worker, session)).status).toBe(404);

    // An end can be asked for again for two minutes; until then its row stays.
    await fire(worker, REGULAR_CRON);
    expect(await rowsOf(database)).toHaveLength(2);
    await database.query("UPDATE mcp_sessions SET ended_at = ended_at - interval '2 minutes'");
    await hit(() => fire(worker, REGULAR_CRON, new Date(Date.now() + 1)));
    const [left] = await database.query(
      "SELECT count(*)::int AS count, (SELECT sum(deleted)::int FROM mcp_cleanup_runs) AS deleted FROM mcp_sessions",
    );
    expect(left).toEqual({ count: 0, deleted: 2 });
  });
});

test("an end whose answer was lost is heard of by the next attempt, although a cleanup came between them", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await setFaults(
    { fault: { kind: "lost-after-commit" }, matching: "ended AS", times: 1 },
    { fault: { kind: "latency", ms: 800 }, matching: "ended AS", times: 1 },
  );
  const ending = end(database.env(), session);
  while ((await rowsOf(database))[0]?.["ended_at"] === null);
  await fire(database.env(), REGULAR_CRON, new Date(Date.now() + 1000));
  expect((await ending).status).toBe(204);
});

test("a write whose client has given up may still be done, and is done whole", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await database.query(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(1.5); RETURN NEW; END $$`);
  await database.query(
    "CREATE TRIGGER slow BEFORE UPDATE OF state ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION slow()",
  );
  await setFaults({ fault: { kind: "outlives-client" }, matching: "state_writes" });
  const hurried = database.env({ MCP_SESSION_TIMEOUT_MS: "1000" });
  const outcome = await callTool(hurried, session, "session_state_set", { key: "k", value: 1 });
  expect([outcome.isError, outcome.content[0]?.text]).toEqual([
    true,
    "writing session state failed: timeout",
  ]);
  while ((await rowsOf(database))[0]?.["state"] === null);
  expect(await rowsOf(database)).toMatchObject([{ state: { k: 1 } }]);
  expect((await rowsOf(database))[0]?.["state_writes"]).toHaveLength(1);
});

test("a write that is sent again does not undo what another has written since", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  // The first attempt is committed and its answer lost; the second is held up.
  await setFaults(
    { fault: { kind: "lost-after-commit" }, matching: "state_writes", times: 1 },
    { fault: { kind: "latency", ms: 800 }, matching: "state_writes", times: 1 },
  );
  const first = callTool(database.env(), session, "session_state_set", { key: "k", value: "old" });
  while ((await rowsOf(database))[0]?.["state"] === null);
  await database.query(
    "UPDATE mcp_sessions SET state = '{\"k\": \"new\"}', state_writes = array_append(state_writes, 'another')",
  );
  expect((await first).isError).toBeUndefined();
  expect((await rowsOf(database))[0]?.["state"]).toEqual({ k: "new" });
});

function sqlstateOf(fault: Fault): string {
  if (fault.kind === "lingering-locks") return " (SQLSTATE 40001)";
  return fault.kind === "refused-by-postgres" ? ` (SQLSTATE ${fault.sqlstate})` : "";
}
