// What an error answer says of the database: to operators its kind and SQLSTATE, to others neither.
import { afterEach, expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import { initializeParams, mcp } from "../support/mcp.ts";
import { bearer, createDatabase, keys, send, setFaults } from "../support/worker.ts";

afterEach(() => setFaults());

const operator = keepSecret("operator-key-0123456789abcdef");
const everybody = keepSecret("everybody-key-0123456789abcde");
const API_KEYS = `ops:health+mcp+admin:${operator} all:health+mcp:${everybody} root:admin:${keys.admin}`;
const initialize = { method: "initialize", params: initializeParams };

/** A database whose table is gone: SQLSTATE 42P01. */
async function broken() {
  const database = await createDatabase();
  await database.query("DROP TABLE mcp_sessions CASCADE");
  return database.env({ API_KEYS });
}

test("an operator route says what has failed", async () => {
  const response = await send(await broken(), "/sessions", bearer(keys.admin));
  expect([response.status, await response.json()]).toMatchObject([
    503,
    { error: { code: "sessions_unusable", kind: "schema_missing", sqlstate: "42P01" } },
  ]);
});

test("/mcp says it to a key that has the scope admin, too, and to no other", async () => {
  const env = await broken();
  const refusal = { code: -32603, message: "The session store cannot be used; its operator must act" };
  for (const [key, more] of [
    [operator, { data: { kind: expect.any(String), sqlstate: expect.stringMatching(/^42/) } }],
    [everybody, {}],
  ] as const) {
    const response = await mcp(env, initialize, { key });
    expect([response.status, await response.json()]).toEqual([
      503,
      { jsonrpc: "2.0", error: { ...refusal, ...more }, id: null },
    ]);
  }
});

test("/session-health says the SQLSTATE to a key that has the scope admin, too, and to no other", async () => {
  const env = await broken();
  const health = async (key: string) => (await send(env, "/session-health", bearer(key))).json();
  expect(await health(operator)).toMatchObject({ reason: "schema_missing", sqlstate: "42P01" });
  expect(await health(everybody)).not.toHaveProperty("sqlstate");
});

test("a fault without a SQLSTATE has null", async () => {
  const env = (await createDatabase()).env({
    API_KEYS,
    MCP_SESSION_TIMEOUT_MS: "300",
    HEALTH_TIMEOUT_MS: "300",
  });
  await setFaults({ fault: { kind: "reset" } });
  const fault = { kind: "database_unreachable", sqlstate: null };
  expect(await (await mcp(env, initialize, { key: operator })).json()).toMatchObject({
    error: { data: fault },
  });
  expect(await (await send(env, "/sessions", bearer(operator))).json()).toMatchObject({ error: fault });
  expect(await (await send(env, "/session-health", bearer(operator))).json()).toMatchObject({
    sqlstate: null,
  });
});
