// mcpRoutes gives tools handles, and serves the eras that it is told to, in an app of somebody else.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Hono } from "hono";
import { expect, test } from "vitest";
import basket from "../../examples/basket.ts";
import { principalOf, requireKey } from "../../src/public/auth.ts";
import { mcpRoutes } from "../../src/public/mcp.ts";
import { isolatesOf } from "../streams/isolates.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { createDatabase, keys } from "../support/worker.ts";

const app = () =>
  new Hono().route("/mcp", mcpRoutes(basket, { principal: principalOf, guard: requireKey("mcp") }));

async function connected(env: Env, key: string): Promise<Client> {
  const client = new Client({ name: "shopper", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const transport = new StreamableHTTPClientTransport(new URL("https://worker.test/mcp"), {
    fetch: isolatesOf(app, env).fetch,
    requestInit: { headers: { Authorization: `Bearer ${key}` } },
  });
  await client.connect(transport);
  return client;
}

test.each([
  ["both", "modern"],
  ["sessions", "legacy"],
  ["stateless", "modern"],
])("with MCP_ERAS=%s a client of both eras has its basket", async (eras, era) => {
  const database = await createDatabase();
  const env = database.env({ MCP_HANDLES: "true", MCP_ERAS: eras });
  const [alice, bob] = [await connected(env, keys.alice), await connected(env, keys.bob)];
  expect(alice.getProtocolEra()).toBe(era);
  const { structuredContent } = await alice.callTool({ name: "open_basket", arguments: {} });
  const { basket: handle } = structuredContent as { basket: string };
  const add = { name: "add_to_basket", arguments: { basket: keepSecret(handle), item: "tea" } };
  expect(await alice.callTool(add)).toMatchObject({ structuredContent: { items: ["tea"] } });
  expect(await bob.callTool(add)).toMatchObject({ isError: true });
  expect(await database.query("SELECT FROM mcp_sessions")).toHaveLength(era === "legacy" ? 2 : 0);
});

test("without MCP_HANDLES tools have none", async () => {
  const database = await createDatabase();
  const client = await connected(database.env(), keys.alice);
  expect(await client.listTools().catch(() => ({ tools: [] }))).toMatchObject({ tools: [] });
});
