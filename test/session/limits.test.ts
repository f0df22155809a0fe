// How many sessions one principal can have, and how fast it can open them.
import { env as bindings } from "cloudflare:workers";
import { expect, test } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { initializeParams, mcp, open, rowsOf } from "../support/mcp.ts";
import { createDatabase, databaseRequests, keys, type TestDatabase } from "../support/worker.ts";

const ping = { method: "ping" };
const liveCount = async ({ query }: TestDatabase, principal: string) =>
  Number(
    (
      await query("SELECT count(*) FROM mcp_sessions WHERE principal = $1 AND expires_at > now()", [
        principal,
      ])
    )[0]?.["count"],
  );

test("one session more than the limit ends the one that was used least, in the same round trip", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_MAX_SESSIONS_PER_PRINCIPAL: "3" });
  const [first, second, third] = [await open(env), await open(env), await open(env)];
  const foreign = await open(env, { key: keys.bob });
  // The first is now the last used; the second has been idle for longest.
  for (const session of [third, first]) await mcp(env, ping, { session });
  const before = await databaseRequests();
  const fourth = await open(env);
  expect((await databaseRequests()) - before).toBe(1);
  const statuses = [];
  for (const session of [first, second, third, fourth])
    statuses.push((await mcp(env, ping, { session })).status);
  expect(statuses).toEqual([200, 404, 200, 200]);
  expect((await mcp(env, ping, { session: foreign, key: keys.bob })).status).toBe(200);
  expect(logged("MCP sessions evicted")).toEqual([
    expect.objectContaining({ principal: "alice", evicted: 1 }),
  ]);
  const ended = (await rowsOf(database)).filter((row) => row["ended_at"] !== null);
  expect(ended).toHaveLength(1);
});

test("expired and ended sessions do not count, and a lowered limit ends what is above it", async () => {
  const database = await createDatabase();
  for (let i = 0; i < 6; i++) await open(database.env());
  await database.query(
    "UPDATE mcp_sessions SET expires_at = now() WHERE session_id IN (SELECT session_id FROM mcp_sessions LIMIT 2)",
  );
  await open(database.env({ MCP_MAX_SESSIONS_PER_PRINCIPAL: "5" }));
  expect(await liveCount(database, "alice")).toBe(5);
  await open(database.env({ MCP_MAX_SESSIONS_PER_PRINCIPAL: "2" }));
  expect(await liveCount(database, "alice")).toBe(2);
});

test("forty opened at once never leave more than the limit, and never none", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_MAX_SESSIONS_PER_PRINCIPAL: "5" });
  await Promise.all(Array.from({ length: 40 }, () => open(env)));
  expect(await liveCount(database, "alice")).toBe(5);
});

test("an evicted session leaves the cache of the isolate that evicted it", async () => {
  const database = await createDatabase();
  const env = database.env({
    MCP_MAX_SESSIONS_PER_PRINCIPAL: "1",
    MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60",
  });
  const session = await open(env);
  await mcp(env, ping, { session });
  await open(env);
  expect((await mcp(env, ping, { session })).status).toBe(404);
});

test("initialize is limited to the rate of wrangler.toml for each principal: 429, no session and no query above it", async () => {
  const database = await createDatabase();
  const key = keepSecret("carol-key-0123456789abcdefgh");
  const limited: Env = Object.assign(database.env({ API_KEYS: `carol:mcp:${key} dave:mcp:${keys.bob}` }), {
    INITIALIZE_RATE_LIMIT: bindings.INITIALIZE_RATE_LIMIT,
  });
  const initialize = { method: "initialize", params: initializeParams };
  const statuses = [];
  // Twice the limit, so that the start of a new period in the middle changes nothing.
  for (let i = 0; i < 241; i++) {
    const response = await mcp(limited, initialize, { key });
    const id = response.headers.get("Mcp-Session-Id");
    if (id !== null) keepSecret(id);
    statuses.push(response.status);
    if (response.status !== 429) continue;
    expect(response.headers.get("Retry-After")).toBe("60");
    expect(await response.json()).toEqual({
      jsonrpc: "2.0",
      error: { code: -32000, message: "Too many sessions are being opened; try again later" },
      id: null,
    });
    break;
  }
  const opened = statuses.filter((status) => status === 200).length;
  expect(opened).toBeGreaterThanOrEqual(120);
  expect(statuses.at(-1)).toBe(429);
  expect(await rowsOf(database)).toHaveLength(opened);
  const before = await databaseRequests();
  expect((await mcp(limited, initialize, { key })).status).toBe(429);
  expect(await databaseRequests()).toBe(before);
  // Another principal is not affected.
  expect(await open(limited, { key: keys.bob })).toHaveLength(43);
});
