// mcpRoutes asks clients and replays, in an app of somebody else.
import { acceptedContent, inputRequired } from "@modelcontextprotocol/server";
import { Hono } from "hono";
import { expect, test } from "vitest";
import * as z from "zod";
import { principalOf, requireKey } from "../../src/public/auth.ts";
import { defineServer, mcpRoutes } from "../../src/public/mcp.ts";
import { connectTo, isolatesOf } from "../streams/isolates.ts";
import { createDatabase } from "../support/worker.ts";

const server = defineServer({
  name: "parts",
  version: "1.0.0",
  register(mcpServer) {
    mcpServer.registerTool("greet", { inputSchema: z.object({}) }, (_input, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "name", z.object({ name: z.string() }));
      if (answer !== undefined) return { content: [{ type: "text", text: `Hello ${answer.name}` }] };
      const requestedSchema = { type: "object" as const, properties: { name: { type: "string" as const } } };
      return inputRequired({
        inputRequests: { name: inputRequired.elicit({ message: "Who?", requestedSchema }) },
      });
    });
  },
});
const app = () =>
  new Hono().route("/mcp", mcpRoutes(server, { principal: principalOf, guard: requireKey("mcp") }));

test("asks with MCP_STREAMS, and not without", async () => {
  const database = await createDatabase();
  for (const isOn of [true, false]) {
    const env = database.env({ MCP_STREAMS: String(isOn), MCP_STREAM_RETRY_MS: "100" });
    const two = isolatesOf(app, env);
    const { client, transport } = await connectTo(two, { capabilities: { elicitation: {} } });
    client.setRequestHandler("elicitation/create", () =>
      Promise.resolve({ action: "accept" as const, content: { name: "Ada" } }),
    );
    await client.connect(transport);
    const answer = await client.callTool({ name: "greet", arguments: {} });
    expect(answer).toMatchObject(isOn ? { content: [{ text: "Hello Ada" }] } : { isError: true });
    expect(two.exchanges.filter(({ lastEventId }) => lastEventId !== null)).toHaveLength(isOn ? 1 : 0);
    await client.close();
  }
});
