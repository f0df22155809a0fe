// The SDK alone, as its manual shows it: a transport a session, in the memory of one isolate.
import { McpServer, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import * as z from "zod";

const inputSchema = z.object({ a: z.number(), b: z.number() });
const transports = new Map<string, WebStandardStreamableHTTPServerTransport>();

async function open(): Promise<WebStandardStreamableHTTPServerTransport> {
  const server = new McpServer({ name: "peer", version: "1" });
  server.registerTool("add", { description: "Adds two numbers", inputSchema }, ({ a, b }) => ({
    content: [{ type: "text", text: String(a + b) }],
  }));
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => crypto.randomUUID(),
    enableJsonResponse: true,
    onsessioninitialized: (id) => void transports.set(id, transport),
  });
  await server.connect(transport);
  return transport;
}

export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname === "/healthz") return new Response("ok");
    const key = request.headers.get("Authorization")?.slice("Bearer ".length) ?? "";
    if (!env.KEYS.split(" ").includes(key)) return new Response(null, { status: 401 });
    const id = request.headers.get("Mcp-Session-Id");
    const transport = id === null ? await open() : transports.get(id);
    if (transport !== undefined) return transport.handleRequest(request);
    const error = { code: -32001, message: "Session not found" };
    return Response.json({ jsonrpc: "2.0", id: null, error }, { status: 404 });
  },
} satisfies ExportedHandler<{ KEYS: string }>;
