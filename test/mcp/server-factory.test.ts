// The server of one request: what it is called, what it advertises, and what it is given.
import { McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import type { ServerDefinition } from "../../src/mcp/context.ts";
import { contextOf } from "../../src/mcp/request-context.ts";
import { createServerFactory, type ServerHooks } from "../../src/mcp/server-factory.ts";
import { clientOf, initializing } from "./served.ts";

const unused = {} as never;
const asking = contextOf(
  { sessions: unused, state: unused, tokens: undefined, handles: undefined, requestState: undefined },
  { caller: { kind: "key", name: "alice", scopes: ["mcp"] }, session: undefined },
  { waitUntil: () => undefined, signal: new AbortController().signal },
);

const made = (more: Partial<ServerDefinition>, hooks?: ServerHooks) =>
  createServerFactory({ name: "test", version: "1.2.3", register: () => undefined, ...more }, {})(
    asking,
    hooks,
  );

/** What it says to `initialize`. */
async function initialized(server: McpServer): Promise<Record<string, unknown>> {
  const request = await clientOf(server);
  return Object(await request("1", "initialize", initializing)).result;
}

test("it has the name and the version of its definition, and a title when that has one", async () => {
  const named = { name: "test", version: "1.2.3" };
  expect((await initialized(await made({})))["serverInfo"]).toStrictEqual(named);
  expect((await initialized(await made({ title: "A test" })))["serverInfo"]).toStrictEqual({
    ...named,
    title: "A test",
  });
});

const says = { content: [] };
const tool = (server: McpServer) => void server.registerTool("t", {}, () => says);
const prompt = (server: McpServer) => void server.registerPrompt("p", {}, () => ({ messages: [] }));
const resource = (server: McpServer) =>
  void server.registerResource("r", "test://r", {}, () => ({ contents: [] }));
const tools = { listChanged: false };
const prompts = { listChanged: false };
const resources = { listChanged: false, subscribe: false };

test.each<[string, ((server: McpServer) => void)[], object]>([
  ["nothing", [], {}],
  ["a tool", [tool], { tools }],
  ["a prompt", [prompt], { prompts }],
  ["a resource", [resource], { resources }],
  ["all of them", [tool, prompt, resource], { tools, prompts, resources }],
])("with %s it advertises no more than that, and log messages", async (_, parts, capabilities) => {
  const server = await made({
    register: (one) => {
      for (const register of parts) register(one);
    },
  });
  expect(server.server.getCapabilities()).toStrictEqual({ logging: {}, ...capabilities });
});

test("what its author advertises is kept, but for changes of lists", async () => {
  const capabilities = {
    tools: { listChanged: true, own: {} },
    prompts: { listChanged: true, own: {} },
    resources: { listChanged: true, subscribe: true, own: {} },
    completions: {},
    experimental: { mine: {} },
  };
  const server = await made({ options: { capabilities } });
  expect(server.server.getCapabilities()).toStrictEqual({
    logging: {},
    tools: { listChanged: false, own: {} },
    prompts: { listChanged: false, own: {} },
    resources: { listChanged: false, subscribe: false, own: {} },
    completions: {},
    experimental: { mine: {} },
  });
});

test("its options are a value, or a function of the request", async () => {
  const instructions = async (options: ServerDefinition["options"]) =>
    (await initialized(await made(options === undefined ? {} : { options })))["instructions"];
  expect(await instructions({ instructions: "For all" })).toBe("For all");
  expect(await instructions(({ principal }) => ({ instructions: `For ${principal}` }))).toBe("For alice");
  expect(await instructions(undefined)).toBeUndefined();
});

test("it is prepared before anything is registered, with the context of its request and its variables", async () => {
  const steps: unknown[] = [];
  const definition: ServerDefinition = {
    name: "test",
    version: "1",
    register: async (server, { principal, env }) => {
      await Promise.resolve();
      steps.push([server instanceof McpServer, principal, env]);
    },
  };
  const prepare = (server: McpServer) => void steps.push(server instanceof McpServer);
  await createServerFactory(definition, { GREETING: "hello" })(asking, { prepare });
  expect(steps).toEqual([true, [true, "alice", { GREETING: "hello" }]]);
});

test("its mistakes are thrown", async () => {
  const mistake = new RangeError("a mistake");
  const fail = () => {
    throw mistake;
  };
  await expect(made({ register: fail })).rejects.toBe(mistake);
  await expect(made({ options: fail })).rejects.toBe(mistake);
  await expect(made({}, { prepare: fail })).rejects.toBe(mistake);
});

test("its errors are in words", async () => {
  const request = await clientOf(await made({ register: tool }));
  expect(await request("1", "tools/call", { name: 5 })).toMatchObject({
    error: { code: -32602, message: "The member params.name is not as the Model Context Protocol has it" },
  });
});
