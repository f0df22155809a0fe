// Batches: which revisions have them, and what may be in one.
import { expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import { initializeParams, mcp } from "../support/mcp.ts";
import { createDatabase, databaseRequests } from "../support/worker.ts";

const ping = (id: unknown) => ({ jsonrpc: "2.0", id, method: "ping" });
const cancel = (requestId: unknown) => ({
  jsonrpc: "2.0",
  method: "notifications/cancelled",
  params: { requestId },
});
const refusal = (message: string) => ({ jsonrpc: "2.0", error: { code: -32600, message }, id: null });
const JSON_ONLY = { Accept: "application/json" };

async function opened(protocolVersion: string, variables: Record<string, string> = {}) {
  const env = (await createDatabase()).env(variables);
  const params = { ...initializeParams, protocolVersion };
  const response = await mcp(env, { method: "initialize", params });
  const session = keepSecret(response.headers.get("Mcp-Session-Id") ?? "");
  return { env, session };
}

test.each(["2024-10-07", "2024-11-05", "2025-03-26"])("%s has batches", async (version) => {
  const { env, session } = await opened(version);
  for (const headers of [JSON_ONLY, { ...JSON_ONLY, "MCP-Protocol-Version": version }]) {
    const response = await mcp(env, [ping(1), ping("1")], { session, headers });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual([
      { jsonrpc: "2.0", id: 1, result: {} },
      { jsonrpc: "2.0", id: "1", result: {} },
    ]);
  }
  const notifications = [{ jsonrpc: "2.0", method: "notifications/initialized" }];
  expect((await mcp(env, notifications, { session })).status).toBe(202);
});

const ENDED = "Batches ended with MCP 2025-03-26: send one message a request";

test.each(["2025-06-18", "2025-11-25"])(
  "%s has none, whether or not the header names it",
  async (version) => {
    const { env, session } = await opened(version);
    const versions = [undefined, version, "2025-03-26"];
    for (const header of versions) {
      for (const batch of [[ping(1)], [ping(1), ping(2)]]) {
        const headers = { "MCP-Protocol-Version": header };
        const response = await mcp(env, batch, { session, headers });
        expect([response.status, await response.json()]).toEqual([400, refusal(ENDED)]);
      }
    }
  },
);

test("a header of a revision without batches is refused in a session that has them, and without a query", async () => {
  const { env, session } = await opened("2025-03-26");
  const before = await databaseRequests();
  const headers = { "MCP-Protocol-Version": "2025-06-18" };
  const response = await mcp(env, [ping(1)], { session, headers });
  expect([response.status, await response.json()]).toEqual([400, refusal(ENDED)]);
  expect(await databaseRequests()).toBe(before);
});

const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: initializeParams };

test.each<[string, unknown[], string]>([
  ["no message", [], "A batch must have a message"],
  ["21 messages", Array.from({ length: 21 }, (_, i) => ping(i)), "A batch has at most 20 messages"],
  ["an initialize alone", [initialize], "Message 1 of the batch: initialize must be sent by itself"],
  [
    "an initialize among others",
    [ping(7), initialize],
    "Message 2 of the batch: initialize must be sent by itself",
  ],
  ["an id twice", [ping(1), ping(2), ping(1)], "Message 3 of the batch: another request has the same id"],
  ["a text id twice", [ping("a"), ping("a")], "Message 2 of the batch: another request has the same id"],
  [
    "a request that it cancels",
    [ping(1), cancel(1)],
    "Message 2 of the batch: it cancels a request of the same batch",
  ],
  [
    "a request that it cancels before",
    [ping(2), cancel(1), ping(1)],
    "Message 2 of the batch: it cancels a request of the same batch",
  ],
  ["a batch in it", [ping(1), [ping(2)]], "Message 2 of the batch: A message must be an object"],
  ["null in it", [null], "Message 1 of the batch: A message must be an object"],
  [
    "a message of another JSON-RPC",
    [ping(1), { ...ping(2), jsonrpc: "1.0" }],
    'Message 2 of the batch: The member jsonrpc must be "2.0"',
  ],
])("a batch with %s is refused as a whole, without a query", async (_, batch, message) => {
  const { env, session } = await opened("2025-03-26");
  const before = await databaseRequests();
  const response = await mcp(env, batch, { session });
  expect([response.status, await response.json()]).toEqual([400, refusal(message)]);
  expect(await databaseRequests()).toBe(before);
});

test("an id in a batch that a number cannot hold is refused, and sent back as no other number", async () => {
  const { env, session } = await opened("2025-03-26");
  for (const id of ["9007199254740993", "1e400", "1.00000000000000000001"]) {
    const body = `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":${id},"method":"ping"}]`;
    const response = await mcp(env, body, { session });
    expect([response.status, await response.json()]).toEqual([
      400,
      refusal(expect.stringMatching(/^Message [12] of the batch: The member id must be a whole number/)),
    ]);
  }
});

test("a request is answered that comes with the cancellation of another, also where streams are kept", async () => {
  const { env, session } = await opened("2025-03-26", { MCP_STREAMS: "true" });
  const response = await mcp(env, [cancel(9), ping(1)], { session, headers: JSON_ONLY });
  expect([response.status, await response.json()]).toEqual([200, { jsonrpc: "2.0", id: 1, result: {} }]);
});

test("20 messages are a batch", async () => {
  const { env, session } = await opened("2025-03-26");
  const batch = Array.from({ length: 20 }, (_, i) => ping(i));
  const response = await mcp(env, batch, { session, headers: JSON_ONLY });
  expect(await response.json()).toHaveLength(20);
});
