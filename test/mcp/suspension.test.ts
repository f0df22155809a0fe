// Calls of older clients that need input: each is suspended, and what cannot be suspended is an error.
import { inputRequired, McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import * as z from "zod";
import { suspendCalls, type SuspendedCall } from "../../src/mcp/suspension.ts";
import { CannotAsk } from "../../src/streams/questions.ts";
import { clientOf, initializing } from "./served.ts";

const text = { content: [{ type: "text" as const, text: "done" }] };
const asks = () => inputRequired({ requestState: "state" });

/** A client of a server whose calls need input, but for the tool `easy`. */
async function connected(suspend: (call: SuspendedCall) => Promise<void>) {
  const server = new McpServer({ name: "test", version: "1" });
  suspendCalls(server, suspend);
  server.registerTool("hard", { inputSchema: z.object({}) }, asks);
  server.registerTool("easy", { inputSchema: z.object({}) }, () => text);
  server.registerPrompt("hard", {}, asks);
  server.registerResource("hard", "test://hard", {}, asks);
  const request = await clientOf(server);
  await request("0", "initialize", initializing);
  return request;
}

const calls: [method: string, params: Record<string, unknown>][] = [
  ["tools/call", { name: "hard", arguments: {} }],
  ["prompts/get", { name: "hard" }],
  ["resources/read", { uri: "test://hard" }],
];

test.each(calls)("%s that needs input is suspended", async (method, params) => {
  const suspended: SuspendedCall[] = [];
  const request = await connected(async (call) => void suspended.push(call));
  // The SDK gives every answer of a tool a `content`. This one goes nowhere.
  const result = method === "tools/call" ? { content: [] } : {};
  expect(await request("a", method, params)).toEqual({ jsonrpc: "2.0", id: "a", result });
  expect(suspended).toEqual([
    { id: "a", method, params, result: { resultType: "input_required", requestState: "state" } },
  ]);
});

test("a call that needs none is answered, and not suspended", async () => {
  const suspended: SuspendedCall[] = [];
  const request = await connected(async (call) => void suspended.push(call));
  const params = { name: "easy", arguments: {} };
  expect(await request("a", "tools/call", params)).toEqual({ jsonrpc: "2.0", id: "a", result: text });
  expect(await request("b", "tools/list", {})).toMatchObject({ result: { tools: expect.any(Array) } });
  expect(suspended).toEqual([]);
});

test.each(calls)("%s of a client that cannot be asked says so", async (method, params) => {
  const request = await connected(() => Promise.reject(new CannotAsk("It cannot be asked")));
  const answer =
    method === "tools/call"
      ? { result: { content: [{ type: "text", text: "It cannot be asked" }], isError: true } }
      : { error: { code: -32603, message: "It cannot be asked" } };
  expect(await request("a", method, params)).toEqual({ jsonrpc: "2.0", id: "a", ...answer });
});

test.each(calls)("%s ends with every other mistake as an error", async (method, params) => {
  const request = await connected(() => Promise.reject(new RangeError("A mistake")));
  expect(await request("a", method, params)).toMatchObject({ id: "a", error: { message: "A mistake" } });
});
