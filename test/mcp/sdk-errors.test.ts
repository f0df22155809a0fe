// Parameters that the SDK does not take: the client reads a sentence, with the id of its request, and no validator's list.
import { expect, test } from "vitest";
import { inWords } from "../../src/mcp/sdk-errors.ts";
import { mcp, messageOf, open } from "../support/mcp.ts";
import { createDatabase } from "../support/worker.ts";

const says = (member: string) => ({
  code: -32602,
  message: `The member ${member} is not as the Model Context Protocol has it`,
});

const requests: [member: string, method: string, params: object | undefined][] = [
  ["params.level", "logging/setLevel", { level: ["debug"] }],
  ["params.name", "tools/call", { name: 5 }],
  ["params.arguments", "tools/call", { name: "session_info", arguments: [] }],
  ["params", "tools/call", undefined],
  ["params.cursor", "tools/list", { cursor: 5 }],
];

test.each(requests)("%s of %s", async (member, method, params) => {
  const env = (await createDatabase()).env();
  const session = await open(env);
  const response = await mcp(env, { id: "mine", method, params }, { session });
  expect(response.status).toBe(200);
  expect(await messageOf(response)).toEqual({ jsonrpc: "2.0", id: "mine", error: says(member) });
});

test("a client of 2026-07-28 reads the same", async () => {
  const env = (await createDatabase()).env();
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "x", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const headers = { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list" };
  const response = await mcp(env, { method: "tools/list", params: { cursor: 5, _meta: meta } }, { headers });
  expect(await messageOf(response)).toEqual({ jsonrpc: "2.0", id: 1, error: says("params.cursor") });
});

const refused = (message: string) => ({
  jsonrpc: "2.0" as const,
  id: 1,
  error: { code: -32603, message, data: { x: 1 } },
});
const issues = (...path: (string | number)[]) =>
  JSON.stringify([{ code: "invalid_type", path, message: "x" }]);

test("names that a client has chosen are not repeated", () => {
  expect(inWords(refused(issues("params", "arguments", "a name of mine")))).toMatchObject({
    error: says("params.arguments"),
  });
});

test.each([
  ["a sentence", refused("Tool x not found")],
  ["a list of what an author's handler has read", refused(issues("result", "rows"))],
  ["a list that only looks like one", refused("[{]")],
  ["an empty list", refused("[{}]")],
  ["a result", { jsonrpc: "2.0" as const, id: 1, result: { message: issues("params") } }],
])("%s is sent as it is", (_, message) => {
  expect(inWords(message)).toBe(message);
});
