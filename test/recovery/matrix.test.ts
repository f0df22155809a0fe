// Every fault of Neon's against everything the Worker does: what the caller gets, what is in the database afterwards, and
// how often the database was asked. All faults last at the same time, each for a database of its own.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Fault } from "../../dev/neon/switchboard.ts";
import { logged } from "../support/captured-logs.ts";
import { addExpired, runsOf } from "../support/cleanup.ts";
import { callTool, end, initializeParams, mcp, open, rowsOf } from "../support/mcp.ts";
import {
  bearer,
  databaseRequests,
  faultHits,
  fire,
  keys,
  REGULAR_CRON,
  send,
  setFaults,
} from "../support/worker.ts";
import {
  ALL_ATTEMPTS,
  ask,
  type Case,
  casesOf,
  each,
  env,
  ping,
  refusedIn,
  rows,
  strike,
  whileItLasts,
} from "./cases.ts";

afterEach(() => setFaults());

// The shortest delays between attempts.
beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});

const opening = (worker: Env) => mcp(worker, { method: "initialize", params: initializeParams });

describe("while a fault lasts", () => {
  test("health says so", async () => {
    const cases = await casesOf(rows, false);
    const health = async (one: Case) => {
      const { body, ...rest } = await ask(send(env(one), "/session-health", bearer(keys.health)));
      return { ...rest, ...JSON.parse(body), status: [rest.status, JSON.parse(body).status] };
    };
    expect(await whileItLasts(cases, health, { attempts: ALL_ATTEMPTS })).toEqual(
      await each(cases, ({ reason, mayPass = true, isAnswered = false }) => ({
        status: [503, "unhealthy"],
        database: isAnswered ? "connected" : "disconnected",
        total_sessions: null,
        active_sessions: null,
        expired_sessions: null,
        reason,
        timestamp: expect.any(String),
        retryAfter: mayPass ? "30" : null,
      })),
    );
  });

  test("nobody opens a session, and at most one row is left that nobody knows", async () => {
    const cases = await casesOf(rows, false);
    expect(await whileItLasts(cases, (one) => ask(opening(env(one))))).toEqual(await each(cases, refusedIn));
    expect(await each(cases, async ({ database }) => (await rowsOf(database)).length)).toEqual(
      await each(cases, ({ commits = false }) => (commits ? 1 : 0)),
    );
  });

  test("a session is refused and not lost", async () => {
    const cases = await casesOf(rows, true);
    expect(await whileItLasts(cases, (one) => ask(ping(one, env(one))))).toEqual(
      await each(cases, refusedIn),
    );
    expect(await each(cases, async (one) => (await ping(one, one.database.env())).status)).toEqual(
      await each(cases, () => 200),
    );
  });

  test("an end that nobody heard of has happened once or not at all", async () => {
    const cases = await casesOf(rows, true);
    expect(await whileItLasts(cases, (one) => ask(end(env(one), one.session)))).toEqual(
      await each(cases, refusedIn),
    );
    expect(await each(cases, async (one) => (await ping(one, one.database.env())).status)).toEqual(
      await each(cases, ({ commits = false }) => (commits ? 404 : 200)),
    );
  });

  test("a state write fails with the kind, and is done whole or not at all", async () => {
    const cases = await casesOf(rows, true);
    const write = async (one: Case) => {
      const answer = await callTool(env(one), one.session, "session_state_set", { key: "k", value: [1] });
      return [answer.isError, answer.content[0]?.text];
    };
    expect(await whileItLasts(cases, write, { matching: "state_writes" })).toEqual(
      await each(cases, ({ fault, reason }) => [
        true,
        `writing session state failed: ${reason}${sqlstateOf(fault)}`,
      ]),
    );
    expect(await each(cases, async ({ database }) => (await rowsOf(database))[0]?.["state"])).toEqual(
      await each(cases, ({ commits = false }) => (commits ? { k: [1] } : null)),
    );
  });

  test("a cleanup fails loudly, and what it did is counted once", async () => {
    const cases = await casesOf(rows, false);
    for (const { database } of cases) await addExpired(database, 3);
    // A run may take its time budget, and fifteen seconds more for a compute to wake.
    const clean = async ({ database }: Case) =>
      fire(database.env({ MCP_CLEANUP_TIME_BUDGET_MS: "100" }), REGULAR_CRON).catch((error: unknown) => {
        const { name, kind } = error as { name: string; kind: string };
        return { name, kind };
      });
    expect(await whileItLasts(cases, clean, { attempts: ALL_ATTEMPTS })).toEqual(
      await each(cases, ({ reason }) => ({ name: "DatabaseFault", kind: reason })),
    );
    expect(
      logged("session_cleanup_task_failed")
        .map(({ kind }) => String(kind))
        .toSorted(),
    ).toEqual(rows.map(({ reason }) => reason).toSorted());

    const counts = async ({ database }: Case) => {
      const [left] = await database.query("SELECT count(*)::int AS count FROM mcp_sessions");
      const runs = await runsOf(database);
      return { left: left?.["count"], deleted: runs.reduce((sum, run) => sum + Number(run["deleted"]), 0) };
    };
    expect(await each(cases, counts)).toEqual(
      await each(cases, ({ commits = false }) =>
        commits ? { left: 0, deleted: 3 } : { left: 3, deleted: 0 },
      ),
    );
    // The next event catches up.
    const later = new Date(Date.now() + 1);
    await each(cases, ({ database }) => fire(database.env(), REGULAR_CRON, later));
    expect(await each(cases, counts)).toEqual(await each(cases, () => ({ left: 0, deleted: 3 })));
  });
});

test("when a fault hits once, everything is answered as if nothing had happened, with one attempt more, and done once", async () => {
  const cases = await casesOf(
    rows.filter(({ isRetried }) => isRetried !== false),
    false,
  );
  const workers = new Map(cases.map((one) => [one, env(one)]));
  const workerOf = (one: Case) => workers.get(one) ?? env(one);
  /** What comes of the work, in which the fault hits one of so many requests, and one more makes up for it. */
  const hit = async <T>(work: (one: Case) => Promise<T>, requests: number, matching = "") => {
    await strike(cases, { times: 1, matching });
    const before = await databaseRequests();
    const outcomes = await each(cases, work);
    expect(await faultHits()).toEqual(cases.map(() => 1));
    expect((await databaseRequests()) - before).toBe(cases.length * (requests + 1));
    await setFaults();
    return outcomes;
  };
  const all = <T>(value: T) => each(cases, () => value);
  const call = (name: string, input?: object) => async (one: Case) =>
    (await callTool(workerOf(one), one.session, name, input)).structuredContent;
  const statusOf = async (response: Promise<Response>) => (await response).status;

  const health = (one: Case) => statusOf(send(workerOf(one), "/session-health", bearer(keys.health)));
  expect(await hit(health, 1)).toEqual(await all(200));

  const opened = async (one: Case) => {
    one.session = await open(workerOf(one));
    return (await rowsOf(one.database)).length;
  };
  // Looking at the rows is a request, too.
  expect(await hit(opened, 2)).toEqual(await all(1));

  expect(await hit((one) => statusOf(ping(one, workerOf(one))), 1)).toEqual(await all(200));

  const written = await hit(call("session_state_set", { key: "k", value: 1 }), 2, "state_writes");
  expect(written).toEqual(await all({ key: "k", version: 1, size_bytes: 8 }));
  const writes = async ({ database }: Case) => (await rowsOf(database))[0]?.["state_writes"];
  expect(await each(cases, writes)).toEqual(await all([expect.any(String)]));

  const deleted = await hit(call("session_state_delete", { key: "k" }), 2, "state_writes");
  expect(deleted).toEqual(await all({ deleted: true }));

  await each(cases, (one) => open(workerOf(one)));
  const others = await hit(call("end_my_other_sessions"), 2, "IS DISTINCT FROM");
  expect(others).toEqual(await all({ ended: 1 }));

  expect(await hit((one) => statusOf(end(workerOf(one), one.session)), 1)).toEqual(await all(204));
  const ended = await each(cases, (one) => statusOf(end(workerOf(one), one.session)));
  expect(ended).toEqual(await all(404));

  // An end can be asked for again for two minutes; until then its row stays.
  await each(cases, (one) => fire(workerOf(one), REGULAR_CRON));
  expect(await each(cases, async ({ database }) => (await rowsOf(database)).length)).toEqual(await all(2));
  await each(cases, ({ database }) =>
    database.query("UPDATE mcp_sessions SET ended_at = ended_at - interval '2 minutes'"),
  );
  const later = new Date(Date.now() + 1);
  await hit((one) => fire(workerOf(one), REGULAR_CRON, later), 1);
  const left = async ({ database }: Case) =>
    (
      await database.query(
        "SELECT count(*)::int AS count, (SELECT sum(deleted)::int FROM mcp_cleanup_runs) AS deleted FROM mcp_sessions",
      )
    )[0];
  expect(await each(cases, left)).toEqual(await all({ count: 0, deleted: 2 }));
});

function sqlstateOf(fault: Fault): string {
  if (fault.kind === "lingering-locks") return " (SQLSTATE 40001)";
  return fault.kind === "refused-by-postgres" ? ` (SQLSTATE ${fault.sqlstate})` : "";
}
