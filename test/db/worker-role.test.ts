// The script of docs/database.md: its role can do all that the Worker does, and each right in it is needed.
import { expect, test } from "vitest";
import { newTables, tableRights } from "../../src/db/rights.ts";
import { addHandles, addTasks, KEPT } from "../support/kept.ts";
import { callTool, end, open } from "../support/mcp.ts";
import {
  addSessions,
  asWorkerRole,
  bearer,
  createDatabase,
  fire,
  IMMEDIATE_CRON,
  keys,
  REGULAR_CRON,
  send,
  type TestDatabase,
} from "../support/worker.ts";

const json = async <T>(response: Response): Promise<T> => (await response.json()) as T;

/** Goes through every kind of statement of the Worker, but the census; rejects when one fails. */
async function useEverything(owner: TestDatabase, role: TestDatabase): Promise<void> {
  const env = role.env({ MCP_AGGRESSIVE_CLEANUP: "true", MCP_MAX_SESSIONS_PER_PRINCIPAL: "3" });
  const session = await open(env);
  const call = (name: string, input?: object) => callTool(env, session, name, input);
  for (const [name, input] of [
    ["session_state_set", { key: "k", value: 1 }],
    ["session_state_increment", { key: "k" }],
    ["session_state_delete", { key: "k" }],
    ["list_my_sessions", {}],
    ["end_my_other_sessions", {}],
  ] as const) {
    const { isError, content } = await call(name, input);
    if (isError) throw new Error(content[0]?.text ?? name);
  }
  // One more than the limit, so that one is evicted.
  const others = [await open(env), await open(env), await open(env)];
  expect((await end(env, others[0] ?? "")).status).toBe(204);

  await addSessions(owner, { old: "2020-01-01T00:00:00Z", blocked: "2020-01-01T00:00:00Z" });
  await owner.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await owner.query("INSERT INTO tool_calls VALUES ('session-blocked')");
  await owner.query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome)
     SELECT 'regular', 'cron', t, t, t, t, 'completed' FROM (SELECT now() - interval '40 days' AS t) AS past`,
  );
  await fire(env, IMMEDIATE_CRON);
  await fire(env, REGULAR_CRON);

  const admin = bearer(keys.admin);
  const listed = await json<{ sessions: { handle: string; state: string }[] }>(
    await send(env, "/sessions", admin),
  );
  const handle = listed.sessions.find(({ state }) => state === "active")?.handle ?? "";
  expect((await send(env, `/sessions/${handle}`, { ...admin, method: "DELETE" })).status).toBe(204);
  expect((await send(env, "/sessions?principal=alice", { ...admin, method: "DELETE" })).status).toBe(200);
  expect((await send(env, "/cleanup/regular", { ...admin, method: "POST" })).status).toBe(200);
  expect((await send(env, "/cleanup/runs", admin)).status).toBe(200);
}

/** Health looks at the rights itself, so its failure says nothing of what else they are needed for. */
async function takeCensus({ env }: TestDatabase): Promise<void> {
  expect((await send(env(), "/session-health?verbose=1", bearer(keys.health))).status).toBe(200);
  expect((await send(env(), "/session-health?write=1", bearer(keys.health))).status).toBe(200);
  expect(await (await send(env(), "/metrics", bearer(keys.metrics))).text()).toContain(
    "mcp_session_store_up 1",
  );
}

test("a role with these rights alone can do all that the Worker does", async () => {
  const owner = await createDatabase();
  const role = await asWorkerRole(owner);
  await useEverything(owner, role);
  await takeCensus(role);
  expect(await owner.query("SELECT 1 FROM mcp_sessions WHERE session_id = 'session-old'")).toEqual([]);
});

test.each(["varchar", "varchar(64)", 'text COLLATE "C"'])(
  "so it can where the ids of an adopted table are %s",
  async (type) => {
    const owner = await createDatabase();
    await owner.query(`ALTER TABLE mcp_sessions ALTER session_id TYPE ${type}`);
    await useEverything(owner, await asWorkerRole(owner));
    expect(await owner.query("SELECT 1 FROM mcp_sessions WHERE session_id = 'session-old'")).toEqual([]);
  },
);

/** Every verb of what outlives a request, and the batch of cleanup that sweeps it. */
async function useStreams(owner: TestDatabase, { query }: TestDatabase): Promise<void> {
  await owner.query(
    "INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ('key', 'me', now() + interval '1 day')",
  );
  await query(
    "SELECT mcp_append_events('s', 'key', 1, ARRAY['{}'], false, 600, 64, '{\"id\": 1}', ARRAY['q'], ARRAY['name'])",
  );
  await query(`SELECT mcp_answer_question('q', 'key', '{"result": {}}', 'claim')`);
  await query("SELECT mcp_replay_stream('s', 'key', 0, true, 600, 64, 45)");
  await query("SELECT mcp_cancel_call('mark', 'key', '1', 600, 64)");
  await query(
    "SELECT mcp_sweep_streams(run_id, 10) FROM mcp_begin_cleanup_run('regular', 'manual', now(), now(), now())",
  );
}

/** The same of handles. */
async function useHandles({ query }: TestDatabase): Promise<void> {
  for (const handle of ["a", "b"])
    await query("SELECT mcp_make_handle($1, 'me', 'kind', '1', 60, true, 1)", [handle]);
  await query("SELECT * FROM mcp_read_handle('b', 'me')");
  await query("SELECT * FROM mcp_change_handle('b', 'me', '2', 1, 'claim')");
  await query("SELECT mcp_end_handle('b', 'me', 'claim')");
  await query(
    "SELECT mcp_sweep_handles(run_id, 10) FROM mcp_begin_cleanup_run('regular', 'manual', now(), now(), now())",
  );
}

/** The same of tasks. */
async function useTasks({ query }: TestDatabase): Promise<void> {
  await query("SELECT mcp_create_task('t', 'me', 'tool', '{}', 'fail', 1, 1000, 600, 30, 1)");
  await query("SELECT * FROM mcp_take_task('t', 'claim', 35, '{}')");
  await query("SELECT mcp_ask_task('t', 'claim', '{}', ARRAY['2.a'], NULL)");
  await query("SELECT mcp_answer_task('t', 'me', ARRAY['2.a'], ARRAY['{}'], 100, 30)");
  await query("SELECT * FROM mcp_find_due_tasks(1, NULL, 30, '{}')");
  await query("SELECT mcp_finish_task('t', 'claim', 'failed', '{}')");
  await query("SELECT mcp_cancel_task('t', 'me')");
  // The one before gives way.
  await query("SELECT mcp_create_task('u', 'me', 'tool', '{}', 'fail', 1, 1000, 600, 30, 1)");
  await query(
    "SELECT mcp_sweep_tasks(run_id, 10) FROM mcp_begin_cleanup_run('regular', 'manual', now(), now(), now())",
  );
}

/** What operators do with handles and tasks. */
async function useKept(owner: TestDatabase, role: TestDatabase): Promise<void> {
  const [handle, task] = [await addHandles(owner, "me"), await addTasks(owner, "me")];
  const env = role.env(KEPT);
  const admin = bearer(keys.admin);
  for (const [path, [key]] of [
    ["/handles", handle],
    ["/tasks", task],
  ] as const) {
    expect((await send(env, path, admin)).status).toBe(200);
    expect((await send(env, `${path}/${key}`, { ...admin, method: "DELETE" })).status).toBe(204);
  }
  expect((await send(env, "/session-health", bearer(keys.health))).status).toBe(200);
}

test("so it can with what outlives a request", async () => {
  const owner = await createDatabase();
  const role = await asWorkerRole(owner);
  await expect(useStreams(owner, role)).resolves.toBeUndefined();
  await role.query("DELETE FROM mcp_cleanup_runs");
  await expect(useHandles(role)).resolves.toBeUndefined();
  await role.query("DELETE FROM mcp_cleanup_runs");
  await expect(useTasks(role)).resolves.toBeUndefined();
  await useKept(owner, role);
});

const eachRight = Object.entries(tableRights).flatMap(([table, rights]) =>
  rights.map((right) => [right, table as keyof typeof tableRights] as const),
);

test.each(eachRight)("without %s on %s something fails", async (right, table) => {
  const owner = await createDatabase();
  const role = await asWorkerRole(owner);
  await owner.query(`REVOKE ${right} ON ${table} FROM mcp_worker`);
  const use = () => {
    // The changes are read by the census only.
    if (table === "mcp_session_changes") return takeCensus(role);
    if (table === "mcp_handles") return useHandles(role);
    if (table === "mcp_tasks") return useTasks(role);
    return newTables.includes(table) ? useStreams(owner, role) : useEverything(owner, role);
  };
  await expect(use()).rejects.toThrow();
});
