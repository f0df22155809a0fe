// Parameters that the SDK does not take: the client reads a sentence, with the id of its request, and no validator's list.
import { McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import { inWords, memberAt, speakInWords } from "../../src/mcp/sdk-errors.ts";
import { mcp, messageOf, open } from "../support/mcp.ts";
import { createDatabase } from "../support/worker.ts";
import { clientOf } from "./served.ts";

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

test.each<[(string | number)[], string]>([
  [[], ""],
  [["params"], "params"],
  [["params", "level"], "params.level"],
  [["params", "messages", 0, "content"], "params.messages.0.content"],
  [["params", "items", 1234, "x"], "params.items.1234.x"],
  [["params", "items", 12345, "x"], "params.items"],
  [["params", "a".repeat(32), "b"], `params.${"a".repeat(32)}.b`],
  [["params", "a".repeat(33), "b"], "params"],
  [["params", "a name", "x"], "params"],
  [["params", "1name", "x"], "params"],
  [["params", "name1", "x"], "params"],
  [["params", "_meta", "x"], "params"],
  [["params", "", "x"], "params"],
  [["params", "capabilities", "experimental", "mine"], "params.capabilities.experimental"],
  [["params", "capabilities", "extensions", "mine", "x"], "params.capabilities.extensions"],
  [["extensions"], "extensions"],
])("the path %j is called %j", (path, name) => {
  expect(memberAt(path)).toBe(name);
});

const list = issues("params", "level");

test.each([
  ["alone", list],
  ["after the method", `Invalid tools/call request: ${list}`],
  ["after a method with an underscore", `Invalid x_y/Z request: ${list}`],
  ["on several lines", JSON.stringify(JSON.parse(list), null, 2)],
  ["with more than one entry", JSON.stringify([...JSON.parse(list), { path: [] }])],
])("a validator's list %s becomes a sentence, without the rest of the error", (_, message) => {
  expect(inWords(refused(message))).toEqual({ jsonrpc: "2.0", id: 1, error: says("params.level") });
});

test.each([
  ["after other words", `The list: ${list}`],
  ["before other words", `${list} is what it said`],
  ["after a method that is none", `Invalid 7 request: ${list}`],
  ["of no entries", "[]"],
  ["of texts", '["params"]'],
  ["of a path without a member that the protocol names", issues("body", "level")],
  ["of a path with something else in it", JSON.stringify([{ path: ["params", null] }])],
])("a list %s is sent as it is", (_, message) => {
  const sent = refused(message);
  expect(inWords(sent)).toBe(sent);
});

test("a server that speaks in words does so over its transport, and sends all else as it is", async () => {
  const server = new McpServer({ name: "test", version: "1" }, { capabilities: { tools: {} } });
  speakInWords(server);
  server.server.setRequestHandler("tools/list", () => {
    throw new Error(list);
  });
  const request = await clientOf(server);
  expect(await request("mine", "tools/list")).toEqual({
    jsonrpc: "2.0",
    id: "mine",
    error: says("params.level"),
  });
  expect(await request("mine", "ping")).toEqual({ jsonrpc: "2.0", id: "mine", result: {} });
});
