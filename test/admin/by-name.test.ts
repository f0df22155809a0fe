// From a log line to its session: GET /sessions?session= finds what the log has named.
import { expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { open, rowsOf } from "../support/mcp.ts";
import { addSessions, bearer, createDatabase, keys, send } from "../support/worker.ts";

interface Page {
  sessions: { session: string; principal: string; handle: string }[];
  next: string | null;
}
const page = async (env: Env, query: string) =>
  (await (await send(env, `/sessions?${query}`, bearer(keys.admin))).json()) as Page;

test("the name in the log finds its session among others, and the handle ends it", async () => {
  const database = await createDatabase();
  const env = database.env();
  for (let i = 0; i < 5; i++) await open(env, { key: i % 2 === 0 ? keys.alice : keys.bob });
  const names = logged("MCP session opened").map(({ session }) => String(session));
  expect(new Set(names).size).toBe(5);
  for (const name of names) {
    const { sessions, next } = await page(env, `session=${name}`);
    expect(sessions.map(({ session }) => session)).toEqual([name]);
    expect(next).toBeNull();
  }
  const [name] = names;
  const found = (await page(env, `session=${name}`)).sessions[0];
  const ending = await send(env, `/sessions/${found?.handle}`, { method: "DELETE", ...bearer(keys.admin) });
  expect(ending.status).toBe(204);
  expect((await page(env, `session=${name}&state=active`)).sessions).toEqual([]);
  expect((await page(env, `session=${name}&state=expired`)).sessions).toHaveLength(1);
  expect((await page(env, `session=${name}&principal=bob`)).sessions).toEqual([]);
});

test("every session with the name is found, the first and the last in order, and none beside them", async () => {
  const database = await createDatabase();
  const key = (name: string, digit: string) => name + digit.repeat(64 - name.length);
  const inside = [key("00ff00ff", "0"), key("00ff00ff", "7"), key("00ff00ff", "f")];
  const outside = [key("00ff00fe", "f"), key("00ff0100", "0"), key("00ff00f", "e")];
  for (const id of [...inside, ...outside])
    await database.query("INSERT INTO mcp_sessions (session_id, principal) VALUES ($1, 'alice')", [id]);
  const env = database.env();
  const first = await page(env, "session=00ff00ff&limit=2");
  expect(first.sessions.map(({ session }) => session)).toEqual(["00ff00ff", "00ff00ff"]);
  const second = await page(env, `session=00ff00ff&limit=2&after=${first.next}`);
  expect([second.sessions.length, second.next]).toEqual([1, null]);
  expect(new Set([...first.sessions, ...second.sessions].map(({ handle }) => handle)).size).toBe(3);
  expect((await page(env, "session=ffffffff")).sessions).toEqual([]);
});

test("a session of another program has no name, whatever its id looks like", async () => {
  const database = await createDatabase();
  await addSessions(database, { x: null });
  await database.query(
    "INSERT INTO mcp_sessions (session_id) VALUES (repeat('ab', 32)), ('abababab-of-python')",
  );
  await database.query("INSERT INTO mcp_sessions (session_id, principal) VALUES ('abababab', 'alice')");
  expect((await page(database.env(), "session=abababab")).sessions).toEqual([]);
});

test("a session is found by the key's index, not by reading the table", async () => {
  const database = await createDatabase();
  await database.query(
    "INSERT INTO mcp_sessions (session_id, principal) SELECT encode(sha256(i::text::bytea), 'hex'), 'bulk' FROM generate_series(1, 20000) i",
  );
  await database.query("ANALYZE mcp_sessions");
  const name = String((await rowsOf(database))[0]?.["session_id"]).slice(0, 8);
  expect((await page(database.env(), `session=${name}`)).sessions).toHaveLength(1);
  const plan = await database.query(
    `EXPLAIN SELECT 1 FROM ONLY mcp_sessions WHERE session_id >= '${name}' AND session_id < '${name}g'`,
  );
  expect(JSON.stringify(plan)).toMatch(/Index.*mcp_sessions_pkey/);
});
