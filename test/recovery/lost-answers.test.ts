// What is sent again because its answer was lost, while others act in between.
import { afterEach, expect, test } from "vitest";
import { poll } from "../support/cleanup.ts";
import { callTool, end, open, rowsOf } from "../support/mcp.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { KEPT } from "../support/kept.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  faultHits,
  fire,
  REGULAR_CRON,
  remaining,
  send,
  setFaults,
} from "../support/worker.ts";

afterEach(() => setFaults());

const everything = keepSecret("everything-key-0123456789abcd");

test.each([
  "/session-health",
  "/metrics",
  "/sessions",
  "/handles",
  "/tasks",
  "/cleanup/runs",
  "/admin",
  "/admin/history",
  "/admin/sessions",
  "/admin/handles",
  "/admin/tasks",
  "/admin/runs",
])("what %s reads is asked for again", async (path) => {
  const database = await createDatabase();
  const env = database.env({
    API_KEYS: `ops:health+metrics+admin:${everything}`,
    ADMIN_PAGE: "true",
    ...KEPT,
  });
  await setFaults({ fault: { kind: "lost-after-commit" }, times: 1 });
  const response = await send(env, path, bearer(everything));
  expect([response.status, await faultHits()]).toEqual([200, [1]]);
  expect(await response.text()).not.toContain("cannot be asked");
});

test("a cleanup whose answer was lost is asked for again, and goes on where it was", async () => {
  const database = await createDatabase();
  await addSessions(database, { old: "2000-01-01" });
  await setFaults({ fault: { kind: "lost-after-commit" }, matching: "mcp_cleanup_sessions", times: 1 });
  await fire(database.env(), REGULAR_CRON);
  expect([await faultHits(), await remaining(database)]).toEqual([[1], []]);
});

test("an end whose answer was lost is heard of by the next attempt, although a cleanup came between them", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await setFaults(
    { fault: { kind: "lost-after-commit" }, matching: "ended AS", times: 1 },
    { fault: { kind: "latency", ms: 800 }, matching: "ended AS", times: 1 },
  );
  const ending = end(database.env(), session);
  await poll(async () => (await rowsOf(database)).filter((row) => row["ended_at"] !== null));
  await fire(database.env(), REGULAR_CRON, new Date(Date.now() + 1000));
  expect((await ending).status).toBe(204);
});

test("a write whose client has given up may still be done, and is done whole", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await database.query(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(4); RETURN NEW; END $$`);
  await database.query(
    "CREATE TRIGGER slow BEFORE UPDATE OF state ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION slow()",
  );
  await setFaults({ fault: { kind: "outlives-client" }, matching: "state_writes" });
  const hurried = database.env({ MCP_SESSION_TIMEOUT_MS: "3000" });
  const outcome = await callTool(hurried, session, "session_state_set", { key: "k", value: 1 });
  expect([outcome.isError, outcome.content[0]?.text]).toEqual([
    true,
    "writing session state failed: timeout",
  ]);
  await poll(async () => (await rowsOf(database)).filter((row) => row["state"] !== null));
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
  await poll(async () => (await rowsOf(database)).filter((row) => row["state"] !== null));
  await database.query(
    "UPDATE mcp_sessions SET state = '{\"k\": \"new\"}', state_writes = array_append(state_writes, 'another')",
  );
  expect((await first).isError).toBeUndefined();
  expect((await rowsOf(database))[0]?.["state"]).toEqual({ k: "new" });
});
