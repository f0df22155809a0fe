// McpAgent of the package `agents`: a Durable Object a session.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpAgent } from "agents/mcp";
import * as z from "zod";

const inputSchema = { a: z.number(), b: z.number() };

export class PeerAgent extends McpAgent {
  server = new McpServer({ name: "peer", version: "1" });

  async init() {
    this.server.registerTool("add", { description: "Adds two numbers", inputSchema }, ({ a, b }) => ({
      content: [{ type: "text", text: String(a + b) }],
    }));
  }
}

const mcp = PeerAgent.serve("/mcp", { binding: "AGENT" });

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === "/healthz") return new Response("ok");
    const key = request.headers.get("Authorization")?.slice("Bearer ".length) ?? "";
    if (!env.KEYS.split(" ").includes(key)) return new Response(null, { status: 401 });
    return await mcp.fetch(request, env, context);
  },
};
