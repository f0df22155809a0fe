// What an author's server can use and set, and what it advertises.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { expect, test } from "vitest";
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { defineServer } from "../../src/mcp/context.ts";
import { createWorker } from "../../src/worker.ts";
import { logged } from "../support/captured-logs.ts";
import { poll } from "../support/cleanup.ts";
import { callTool, clientInfo, initializeParams, mcp, messageOf, open, rowsOf } from "../support/mcp.ts";
import { bearer, createDatabase, environment, keys, send } from "../support/worker.ts";

const NEW_VERSION = "2026-07-28";

const modernMeta = {
  [PROTOCOL_VERSION_META_KEY]: NEW_VERSION,
  [CLIENT_INFO_META_KEY]: clientInfo,
  [CLIENT_CAPABILITIES_META_KEY]: {},
};

/** A request of a client of 2026-07-28. */
const modern = (env: Env, method: string, params: object = {}) =>
  mcp(
    env,
    {
      method,
      params: {
        ...params,
        _meta: modernMeta,
      },
    },
    { headers: { "MCP-Protocol-Version": NEW_VERSION, "Mcp-Method": method } },
  );

const unable = {
  tools: { listChanged: false },
  prompts: { listChanged: false },
  resources: { listChanged: false, subscribe: false },
  logging: {},
};

test("a server's options are a function of the request, and it advertises only what can be delivered", async () => {
  const database = await createDatabase();
  const env = database.env();
  const initialized = await messageOf(await mcp(env, { method: "initialize", params: initializeParams }));
  expect(initialized.result).toMatchObject({
    serverInfo: { name: "test-server", version: "1.0.0" },
    instructions: "For alice.",
    capabilities: unable,
  });
  const discovered = await messageOf(await modern(env, "server/discover"));
  expect(discovered.result).toMatchObject({ instructions: "For alice.", capabilities: unable });
});

test("a handler has the variables of its server, and the request's signal", async () => {
  const database = await createDatabase();
  const greet = async (overrides: Record<string, string>) => {
    const env = database.env(overrides);
    return (await callTool(env, await open(env), "greet")).structuredContent;
  };
  expect(await greet({})).toEqual({ greeting: "hello", limit: null, aborted: false });
  expect(await greet({ TEST_GREETING: "moin", MCP_TEST_LIMIT: "3" })).toMatchObject({
    greeting: "moin",
    limit: 3,
  });
});

test("a variable of the server that is wrong closes the doors, and is named", async () => {
  const response = await send(environment({ MCP_TEST_LIMIT: "many" }), "/healthz");
  expect(response.status).toBe(500);
  expect(logged("The configuration is wrong")[0]).toMatchObject({
    variables: { MCP_TEST_LIMIT: "must be a number" },
  });
});

test("a client that goes away aborts the signal of its tool", async () => {
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  const leaving = new AbortController();
  const call = { method: "tools/call", params: { name: "await_client_gone", arguments: { key: "left" } } };
  const answer = mcp(env, call, { session, signal: leaving.signal });
  // Its request has found the session.
  await poll(() => database.query("SELECT FROM mcp_sessions WHERE last_active > created_at"));
  leaving.abort();
  await answer;
  expect((await rowsOf(database))[0]?.["state"]).toEqual({ left: "the client has gone" });
});

test("waitUntil lets a tool go on after its response", async () => {
  const database = await createDatabase();
  const env = database.env();
  // `callTool` resolves when everything that waits has ended.
  await callTool(env, await open(env), "later", { key: "k" });
  expect((await rowsOf(database))[0]?.["state"]).toEqual({ k: "written later" });
});

test("clients of both eras see prompts and resources; only those with a session see its tools", async () => {
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  const names = async (response: Promise<Response>, list: string) =>
    z
      .array(z.object({ name: z.string() }))
      .parse((await messageOf(await response)).result?.[list])
      .map(({ name }) => name);
  expect(await names(mcp(env, { method: "prompts/list" }, { session }), "prompts")).toEqual(["ask"]);
  expect(await names(modern(env, "prompts/list"), "prompts")).toEqual(["ask"]);
  expect(await names(modern(env, "resources/list"), "resources")).toEqual(["note"]);
  expect(await names(mcp(env, { method: "tools/list" }, { session }), "tools")).toContain(
    "session_state_get",
  );
  expect(await names(modern(env, "tools/list"), "tools")).not.toContain("session_state_get");
});

test("an unknown variable is a warning in the log of an isolate, and in verbose health", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_AGRESSIVE_CLEANUP: "yes" });
  const unknown = { name: "MCP_AGRESSIVE_CLEANUP", nearest: "MCP_AGGRESSIVE_CLEANUP" };
  const health = await send(env, "/session-health?verbose=1", bearer(keys.health));
  expect(await health.json()).toMatchObject({ status: "healthy", worker: { unknown_variables: [unknown] } });
  await send(env, "/healthz");
  expect(logged("Unknown variable")).toEqual([
    expect.objectContaining({ level: "WARN", variable: unknown.name, nearest: unknown.nearest }),
  ]);
});

test.each([
  ["register", {}],
  ["options", { options: () => fail() }],
])("what %s throws is a mistake of the server, in both eras: 500, logged by its name", async (_, more) => {
  const worker = createWorker(
    defineServer({ name: "broken", version: "1", register: () => fail(), ...more }),
  );
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  for (const request of [
    { headers: { "Mcp-Session-Id": session }, params: {} },
    {
      headers: { "MCP-Protocol-Version": NEW_VERSION, "Mcp-Method": "tools/list" },
      params: { _meta: modernMeta },
    },
  ]) {
    const context = createExecutionContext();
    const response = await worker.fetch(
      new Request<unknown, IncomingRequestCfProperties>("https://worker.test/mcp", {
        method: "POST",
        headers: {
          Authorization: `Bearer ${keys.alice}`,
          Accept: "application/json, text/event-stream",
          "Content-Type": "application/json",
          ...request.headers,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: request.params }),
      }),
      env,
      context,
    );
    expect([response.status, await response.json()]).toEqual([
      500,
      { jsonrpc: "2.0", error: { code: -32_603, message: expect.any(String) }, id: null },
    ]);
    await waitOnExecutionContext(context);
  }
  expect(logged("The request failed")).toMatchObject([{ error: "SyntaxError" }, { error: "SyntaxError" }]);
});

function fail(): never {
  throw new SyntaxError("a secret detail");
}
