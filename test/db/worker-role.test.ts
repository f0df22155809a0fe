// The script of docs/database.md: its role can do all that the Worker does, and each right in it is needed.
import { expect, test } from "vitest";
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

/** Goes through every kind of statement of the Worker; rejects when one fails. */
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

  await addSessions(owner, { old: "2020-01-01T00:00:00Z" });
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
  expect((await send(env, "/session-health?verbose=1", bearer(keys.health))).status).toBe(200);
  expect(await (await send(env, "/metrics", bearer(keys.metrics))).text()).toContain(
    "mcp_session_store_up 1",
  );
}

test("a role with these rights alone can do all that the Worker does", async () => {
  const owner = await createDatabase();
  await useEverything(owner, await asWorkerRole(owner));
  expect(await owner.query("SELECT 1 FROM mcp_sessions WHERE session_id = 'session-old'")).toEqual([]);
});

const rights = {
  mcp_sessions: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_cleanup_runs: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_session_totals: ["SELECT", "INSERT", "UPDATE"],
};
const eachRight = Object.entries(rights).flatMap(([table, all]) =>
  all.map((right) => {
    const fewer = all.filter((other) => other !== right);
    return [right, table, `${all.join(", ")} ON ${table}`, `${fewer.join(", ")} ON ${table}`] as const;
  }),
);

test.each([
  ...eachRight,
  ["SELECT", "mcp_session_changes", "GRANT SELECT ON mcp_session_changes TO mcp_worker;", ""] as const,
])("without %s on %s something fails", async (_right, _table, text, replacement) => {
  const owner = await createDatabase();
  await expect(useEverything(owner, await asWorkerRole(owner, [text, replacement]))).rejects.toThrow();
});
