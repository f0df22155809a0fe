// Messages that are not quite right: what the client is told, and that nothing has happened.
import { describe, expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import { callTool, initializeParams, mcp, messageOf, open, rowsOf } from "../support/mcp.ts";
import { createDatabase, databaseRequests, environment, keys } from "../support/worker.ts";

const INVALID_REQUEST = -32600;
const INVALID_PARAMS = -32602;

const refusal = (code: number, message: string) => ({ jsonrpc: "2.0", error: { code, message }, id: null });

/** Sends a body as it is. */
async function sent(body: string, options: Parameters<typeof mcp>[2] = {}) {
  const before = await databaseRequests();
  const response = await mcp(environment(), body, options);
  expect(response.headers.get("Mcp-Session-Id")).toBeNull();
  expect(await databaseRequests()).toBe(before);
  return [response.status, JSON.parse(await response.text())];
}

describe("a bad initialize says which member is wrong, and opens nothing", () => {
  const { clientInfo } = initializeParams;
  const member = (name: string, rule: string) => `The member ${name} of initialize ${rule}`;
  const text = "must be a string, such as 2025-11-25";
  test.each<[string, unknown, string]>([
    ["no params", undefined, member("params", "is missing")],
    ["no protocolVersion", { protocolVersion: undefined }, member("params.protocolVersion", "is missing")],
    ["a number for protocolVersion", { protocolVersion: 20250618 }, member("params.protocolVersion", text)],
    ["null for protocolVersion", { protocolVersion: null }, member("params.protocolVersion", text)],
    ["a list of versions", { protocolVersion: ["2025-06-18"] }, member("params.protocolVersion", text)],
    ["no capabilities", { capabilities: undefined }, member("params.capabilities", "is missing")],
    ["null for capabilities", { capabilities: null }, member("params.capabilities", "must be an object")],
    [
      "a list of capabilities",
      { capabilities: ["roots"] },
      member("params.capabilities", "must be an object"),
    ],
    ["true for capabilities", { capabilities: true }, member("params.capabilities", "must be an object")],
    ["no clientInfo", { clientInfo: undefined }, member("params.clientInfo", "is missing")],
    ["a name for clientInfo", { clientInfo: "claude" }, member("params.clientInfo", "must be an object")],
    ["null for clientInfo", { clientInfo: null }, member("params.clientInfo", "must be an object")],
    ["a list for clientInfo", { clientInfo: [clientInfo] }, member("params.clientInfo", "must be an object")],
    ["no name", { clientInfo: { version: "1" } }, member("params.clientInfo.name", "is missing")],
    [
      "null for a name",
      { clientInfo: { name: null, version: "1" } },
      member("params.clientInfo.name", "must be a string"),
    ],
    [
      "an object for a name",
      { clientInfo: { name: {}, version: "1" } },
      member("params.clientInfo.name", "must be a string"),
    ],
    ["no version", { clientInfo: { name: "a" } }, member("params.clientInfo.version", "is missing")],
    [
      "a number for a version",
      { clientInfo: { name: "a", version: 1.2 } },
      member("params.clientInfo.version", "must be a string"),
    ],
    [
      "a number for a title",
      { clientInfo: { ...clientInfo, title: 5 } },
      member("params.clientInfo.title", "is not as the Model Context Protocol has it"),
    ],
    [
      "an icon without an address",
      { clientInfo: { ...clientInfo, icons: [{ sizes: ["1x1"] }] } },
      member("params.clientInfo.icons.0.src", "is not as the Model Context Protocol has it"),
    ],
    [
      "a list for a capability",
      { capabilities: { roots: [] } },
      member("params.capabilities.roots", "is not as the Model Context Protocol has it"),
    ],
    [
      "text for an experimental capability, whose name the client has chosen",
      { capabilities: { experimental: { [keys.alice]: "x" } } },
      member("params.capabilities.experimental", "is not as the Model Context Protocol has it"),
    ],
    ["text for _meta", { _meta: "x" }, "The member params._meta must be an object"],
    [
      "a token that is no id",
      { _meta: { progressToken: 1.5 } },
      "The member params._meta.progressToken must be a string or a whole number",
    ],
    [
      "a related task without an id",
      { _meta: { "io.modelcontextprotocol/related-task": {} } },
      "The member params._meta.io.modelcontextprotocol/related-task must be an object with a string taskId",
    ],
  ])("%s", async (_, change, message) => {
    const params = change === undefined ? undefined : { ...initializeParams, ...Object(change) };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    expect(await sent(body)).toEqual([400, refusal(INVALID_PARAMS, message)]);
  });

  test.each([["null"], ['"text"'], ["[]"], ["5"]])("params of %s", async (params) => {
    expect(await sent(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":${params}}`)).toEqual([
      400,
      refusal(INVALID_PARAMS, "The member params must be an object"),
    ]);
  });

  test("as a notification", async () => {
    const body = JSON.stringify({ jsonrpc: "2.0", method: "initialize", params: initializeParams });
    expect(await sent(body)).toEqual([
      400,
      refusal(INVALID_REQUEST, "initialize is a request: the member id is missing"),
    ]);
  });

  test("with the id of a session, or without", async () => {
    const body = '{"jsonrpc":"2.0","id":1,"method":"initialize"}';
    const options = { session: "A".repeat(43) };
    expect(await sent(body, options)).toEqual(await sent(body));
  });
});

test.each(["1999-01-01", "2099-01-01", "2026-07-28", "", "latest"])(
  "a client of the unknown revision %j is offered the newest one with sessions",
  async (protocolVersion) => {
    const database = await createDatabase();
    const params = { ...initializeParams, protocolVersion };
    const response = await mcp(database.env(), { method: "initialize", params });
    keepSecret(response.headers.get("Mcp-Session-Id") ?? "");
    expect((await messageOf(response)).result).toMatchObject({ protocolVersion: "2025-11-25" });
    expect(await rowsOf(database)).toMatchObject([{ protocol_version: "2025-11-25" }]);
  },
);

describe("what is no message of JSON-RPC", () => {
  const id =
    "The member id must be a whole number from -(2^53 - 1) to 2^53 - 1, or text of 256 characters at most";
  test.each<[string, string]>([
    ["null", "A message must be an object"],
    ["5", "A message must be an object"],
    ['"ping"', "A message must be an object"],
    ["{}", 'The member jsonrpc must be "2.0"'],
    ['{"id":1,"method":"ping"}', 'The member jsonrpc must be "2.0"'],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', 'The member jsonrpc must be "2.0"'],
    ['{"jsonrpc":2.0,"id":1,"method":"ping"}', 'The member jsonrpc must be "2.0"'],
    ['{"jsonrpc":"2.0","id":1}', "The member method is missing"],
    ['{"jsonrpc":"2.0","id":1,"method":5}', "The member method must be a string"],
    ['{"jsonrpc":"2.0","id":1,"method":null}', "The member method must be a string"],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","extra":1}', "A request has only jsonrpc, id, method, params"],
    [
      '{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{}}',
      "A request has only jsonrpc, id, method, params",
    ],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', "A response has only jsonrpc, id, result"],
    ['{"jsonrpc":"2.0","id":1,"result":"ok"}', "The member result must be an object"],
    ['{"jsonrpc":"2.0","id":1,"result":{"_meta":5}}', "The member result._meta must be an object"],
    [
      '{"jsonrpc":"2.0","id":1,"error":"no"}',
      "The member error must have a whole number code and a string message",
    ],
    ['{"jsonrpc":"2.0","result":{}}', id],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":true,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":[1],"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":1.5,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":0.99999999999999999999,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":1.00000000000000000001,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":1.00000000000000000001e+1,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":10.00000000000000000001E-1,"method":"ping"}', id],
    [String.raw`{"jsonrpc":"2.0","\u0069\u0064":1.00000000000000000001,"method":"ping"}`, id],
    ['{"jsonrpc":"2.0","id" : 9007199254740991.4,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":9007199254740992,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":-9007199254740993,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"tools/call"}', id],
    ['{"jsonrpc":"2.0","id":1e400,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":-1e400,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":1e-400,"method":"ping"}', id],
    ['{"jsonrpc":"2.0","id":1e21,"method":"ping"}', id],
    [`{"jsonrpc":"2.0","id":1.${"0".repeat(1000)}1,"method":"ping"}`, id],
    [`{"jsonrpc":"2.0","id":"${"x".repeat(257)}","method":"ping"}`, id],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"initialize"}', id],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"notifications/initialized"}', id],
  ])("%s", async (body, message) => {
    const refused = [400, refusal(INVALID_REQUEST, message)];
    expect(await sent(body, { session: "A".repeat(43) })).toEqual(refused);
    // Of the revision without sessions, the same.
    const headers = { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "ping" };
    expect(await sent(body, { headers })).toEqual(refused);
  });

  test.each(["null", "[]", "5", '"x"'])("params of %s", async (params) => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${params}}`;
    expect(await sent(body, { session: "A".repeat(43) })).toEqual([
      400,
      refusal(INVALID_PARAMS, "The member params must be an object"),
    ]);
  });
});

test.each([
  ["0", 0],
  ["-1", -1],
  ["1.0", 1],
  ["12.5e1", 125],
  ["1e3", 1000],
  ["1.25E+2", 125],
  ["0e5", 0],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ["-9007199254740991", Number.MIN_SAFE_INTEGER],
  ['""', ""],
  ['"9007199254740993"', "9007199254740993"],
  [JSON.stringify("x".repeat(256)), "x".repeat(256)],
])("an id of %s is sent back", async (id, expected) => {
  const env = (await createDatabase()).env();
  const session = await open(env);
  const response = await mcp(env, `{"jsonrpc":"2.0","id":${id},"method":"ping"}`, { session });
  expect(await messageOf(response)).toEqual({ jsonrpc: "2.0", id: expected, result: {} });
});

test("a large number in the input of a tool is no id", async () => {
  const env = (await createDatabase()).env();
  const session = await open(env);
  const body =
    '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"session_state_set","arguments":{"key":"k","value":{"id":1.00000000000000000001}}}}';
  expect(await messageOf(await mcp(env, body, { session }))).toMatchObject({ id: 7, result: {} });
});

describe("initialize with the id of a session opens a new one, and leaves the other as it is", () => {
  test.each(["a live", "an ended", "a foreign", "an unknown", "a malformed"])("%s session", async (kind) => {
    const database = await createDatabase();
    const env = database.env();
    const live = await open(env);
    const ended = await open(env);
    await mcp(env, "", { session: ended, method: "DELETE" });
    const foreign = await open(env, { key: keys.bob });
    const unknown = keepSecret("u".repeat(43));
    const ids: Record<string, string> = {
      "a live": live,
      "an ended": ended,
      "a foreign": foreign,
      "an unknown": unknown,
      "a malformed": "gone",
    };
    await callTool(env, live, "session_state_set", { key: "k", value: 1 });
    const before = await rowsOf(database);
    const id = await open(env, { session: ids[kind] ?? "" });
    expect(Object.values(ids)).not.toContain(id);
    const after = await rowsOf(database);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after).toHaveLength(before.length + 1);
    for (const session of [id, live])
      expect((await mcp(env, { method: "ping" }, { session })).status).toBe(200);
  });
});
