// npm install @modelcontextprotocol/sdk
// MCP_URL=https://….workers.dev/mcp MCP_KEY=… node typescript-v1.ts
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const transport = new StreamableHTTPClientTransport(new URL(process.env["MCP_URL"] ?? ""), {
  requestInit: { headers: { Authorization: `Bearer ${process.env["MCP_KEY"]}` } },
});
const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(transport);

const { tools } = await client.listTools();
console.log(tools.map(({ name }) => name).join(" "));

await transport.terminateSession();
await client.close();
