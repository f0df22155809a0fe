// MCP_ERAS: which revisions are served, and what a client of the other ones is told.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { expect, test } from "vitest";
import { MODERN, modern } from "../handles/modern.ts";
import { initializeParams, mcp, messageOf, open } from "../support/mcp.ts";
import { createDatabase, databaseRequests, environment, keys, send } from "../support/worker.ts";

type Mode = "legacy" | "auto" | { pin: string };

/** Connects a client, and says in which era it ended up. */
async function connected(env: Env, mode: Mode): Promise<string> {
  const client = new Client({ name: "test client", version: "1" }, { versionNegotiation: { mode } });
  const transport = new StreamableHTTPClientTransport(new URL("https://worker.test/mcp"), {
    fetch: (url, init) => send(env, new URL(url).pathname, init),
    requestInit: { headers: { Authorization: `Bearer ${keys.alice}` } },
  });
  try {
    await client.connect(transport);
    await client.listTools();
    return client.getProtocolEra() ?? "none";
  } catch {
    return "refused";
  } finally {
    await client.close();
  }
}

test.each([
  ["both", { legacy: "legacy", auto: "modern", pinned: "modern" }],
  ["sessions", { legacy: "legacy", auto: "legacy", pinned: "refused" }],
  ["stateless", { legacy: "refused", auto: "modern", pinned: "modern" }],
])("with %s, official clients end up in the era that is served", async (eras, expected) => {
  const database = await createDatabase();
  const env = database.env({ MCP_ERAS: eras });
  expect({
    legacy: await connected(env, "legacy"),
    auto: await connected(env, "auto"),
    pinned: await connected(env, { pin: MODERN }),
  }).toEqual(expected);
});

test("sessions only: a request of 2026-07-28 is told which revisions there are, without a query", async () => {
  const env = environment({ MCP_ERAS: "sessions" });
  const before = await databaseRequests();
  for (const method of ["server/discover", "tools/list", "subscriptions/listen"]) {
    const response = await modern(env, method);
    expect([response.status, await messageOf(response)]).toEqual([
      400,
      {
        jsonrpc: "2.0",
        id: 1,
        error: {
          code: -32_022,
          message: expect.any(String),
          data: { supported: expect.arrayContaining(["2025-11-25", "2025-03-26"]), requested: MODERN },
        },
      },
    ]);
  }
  expect((await databaseRequests()) - before).toBe(0);
});

test("sessions only: what it says it wants is repeated only if it is a revision", async () => {
  const env = environment({ MCP_ERAS: "sessions" });
  const requested = async (version: unknown, id: unknown) => {
    const response = await mcp(
      env,
      {
        id,
        method: "tools/list",
        params: { _meta: { "io.modelcontextprotocol/protocolVersion": version } },
      },
      { headers: { "MCP-Protocol-Version": MODERN } },
    );
    const { id: answered, error } = await messageOf(response);
    return [answered, Object(error).data?.requested];
  };
  expect(await requested("2030-01-01", "a")).toEqual(["a", "2030-01-01"]);
  expect(await requested("<script>", 7)).toEqual([7, "unknown"]);
});

test("stateless only: nobody gets a session, and there is nothing but POST", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_ERAS: "stateless", MCP_STREAMS: "true" });
  const response = await mcp(env, { method: "initialize", params: initializeParams });
  expect([response.status, response.headers.get("Mcp-Session-Id"), await messageOf(response)]).toEqual([
    400,
    null,
    expect.objectContaining({
      error: expect.objectContaining({
        code: -32_022,
        data: { supported: [MODERN], requested: "2025-11-25" },
      }),
    }),
  ]);
  const session = await open(database.env());
  for (const method of ["GET", "DELETE"]) {
    const refused = await mcp(env, "", { method, session, headers: { "Last-Event-ID": "x" } });
    expect([method, refused.status, refused.headers.get("Allow")]).toEqual([method, 405, "POST, OPTIONS"]);
  }
  const call = await mcp(env, { method: "tools/list" }, { session });
  expect(call.status).toBe(400);
  expect((await modern(env, "tools/list")).status).toBe(200);
  expect(await database.query("SELECT ended_at FROM mcp_sessions")).toEqual([{ ended_at: null }]);
});
