// npm install @modelcontextprotocol/client
// MCP_URL=https://….workers.dev/mcp MCP_KEY=… node typescript-v2.ts
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const transport = new StreamableHTTPClientTransport(new URL(process.env["MCP_URL"] ?? ""), {
  requestInit: { headers: { Authorization: `Bearer ${process.env["MCP_KEY"]}` } },
});
// With versionNegotiation: { mode: "auto" } it speaks 2026-07-28, without a session.
const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(transport);

const { tools } = await client.listTools();
console.log(tools.map(({ name }) => name).join(" "));

// Ends the session. close() alone only leaves it to expire.
await transport.terminateSession();
await client.close();
