// What a client hands back with its answers: as a server's own `options` verify it, and as it is sealed here.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { expect, test } from "vitest";
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import type { Json, SealOptions } from "../../src/mcp/context.ts";
import { readRequestState, reopenRequestState, requestStatesOf } from "../../src/mcp/request-state.ts";
import { createSealer } from "../../src/streams/sealed.ts";
import worker from "../conformance/server/index.ts";
import { clientInfo, messageOf } from "../support/mcp.ts";
import { createDatabase, keys } from "../support/worker.ts";

const NEW_VERSION = "2026-07-28";
const name = "test_input_required_result_request_state";

/** Calls a tool that asks for a confirmation and recognises its question by the state. */
async function confirm(env: Env, key: string, again: object = {}) {
  const params = {
    name,
    arguments: {},
    ...again,
    _meta: {
      [PROTOCOL_VERSION_META_KEY]: NEW_VERSION,
      [CLIENT_INFO_META_KEY]: clientInfo,
      [CLIENT_CAPABILITIES_META_KEY]: { elicitation: {} },
    },
  };
  const request = new Request("https://worker.test/mcp", {
    method: "POST",
    headers: {
      Authorization: `Bearer ${key}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "MCP-Protocol-Version": NEW_VERSION,
      "Mcp-Method": "tools/call",
      "Mcp-Name": name,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
  }) as Request<unknown, IncomingRequestCfProperties>;
  const context = createExecutionContext();
  const message = await messageOf(await worker.fetch(request, env, context));
  await waitOnExecutionContext(context);
  return message;
}

const inputResponses = { confirm: { action: "accept", content: { ok: true } } };
const refused = { code: -32602, data: { reason: "invalid_request_state" } };

async function asked(stateKey = "k".repeat(32)) {
  const database = await createDatabase();
  const env = database.env({ REQUEST_STATE_KEY: stateKey });
  const { result } = await confirm(env, keys.alice);
  expect(result).toMatchObject({ resultType: "input_required" });
  return { database, env, requestState: String(result?.["requestState"]) };
}

test("the principal that was asked may answer, on any isolate", async () => {
  const { database, env, requestState } = await asked();
  // An env of its own has an app of its own, as another isolate does.
  const other = database.env({ REQUEST_STATE_KEY: "k".repeat(32) });
  for (const isolate of [env, other]) {
    const { result } = await confirm(isolate, keys.alice, { inputResponses, requestState });
    expect(result).toMatchObject({ content: [{ type: "text", text: "state-ok" }] });
  }
});

test("nobody else may answer in its place", async () => {
  const { env, requestState } = await asked();
  const { error } = await confirm(env, keys.bob, { inputResponses, requestState });
  expect(error).toMatchObject(refused);
});

test("a state that was changed, or signed with another key, is refused", async () => {
  const { database, env, requestState } = await asked();
  const changed = await confirm(env, keys.alice, { inputResponses, requestState: `${requestState}x` });
  expect(changed.error).toMatchObject(refused);
  const rekeyed = database.env({ REQUEST_STATE_KEY: "other".repeat(8) });
  expect((await confirm(rekeyed, keys.alice, { inputResponses, requestState })).error).toMatchObject(refused);
});

const AT = Date.parse("2026-11-25T05:00:00.250Z");

/** What is sealed at a time that passes, and the marks that are made of it. */
function sealing(isFirst = true) {
  const time = { ms: AT };
  const now = () => new Date(time.ms);
  const marks: unknown[][] = [];
  const options = {
    sealer: createSealer(["k".repeat(40)], now),
    marks: {
      make: async (...mark: unknown[]) => {
        marks.push(mark);
        return isFirst;
      },
    },
    now,
  };
  const read = (text: string, principal = "alice") => readRequestState(text, options, principal);
  const reopen = (text: string, principal = "alice") => reopenRequestState(text, options, principal);
  const states = requestStatesOf(options, "alice");
  const seal = (value: Json, how?: SealOptions) => states.seal(value, how);
  return { seal, time, marks, read, reopen };
}
const invalid = "The state is not valid";

test("what is sealed comes back again and again, and no mark is made of it", async () => {
  for (const options of [undefined, {}, { singleUse: false }]) {
    const { seal, read, reopen, marks } = sealing();
    const sealed = await seal({ price: 42 }, options);
    for (const open of [read, read, reopen]) expect(await open(sealed)).toEqual({ price: 42 });
    expect(marks).toEqual([]);
  }
});

test("it is nobody else's, and nothing else is it", async () => {
  const { seal, read, reopen } = sealing();
  for (const open of [read, reopen]) {
    await expect(open(await seal(1), "bob")).rejects.toThrow(invalid);
    await expect(open("x")).rejects.toThrow(invalid);
  }
});

test.each([
  [undefined, 600],
  [1, 1],
  [60, 60],
])("with a lifetime of %j seconds it is good for %d", async (ttlSeconds, seconds) => {
  const { seal, read, reopen, time } = sealing();
  const sealed = await seal("value", ttlSeconds === undefined ? {} : { ttlSeconds });
  // It counts in whole seconds.
  time.ms += seconds * 1000 - 251;
  expect(await read(sealed)).toBe("value");
  time.ms += 1;
  for (const open of [read, reopen]) await expect(open(sealed)).rejects.toThrow(invalid);
});

test("a lifetime is a whole number from a second to ten years", async () => {
  const { seal } = sealing();
  for (const ttlSeconds of [1, 315_360_000]) expect(await seal(1, { ttlSeconds })).toBeTypeOf("string");
  const problem = new RangeError("ttlSeconds must be a whole number from 1 to 315360000");
  for (const ttlSeconds of [0, -1, 1.5, NaN, 315_360_001])
    await expect(seal(1, { ttlSeconds })).rejects.toThrow(problem);
});

test("one of a single use has a mark of its own, for as long as it could be used", async () => {
  const { seal, read, reopen, marks, time } = sealing();
  const [first, second] = [await seal("a", { singleUse: true }), await seal("b", { singleUse: true })];
  expect(await read(first)).toBe("a");
  time.ms += 100_000;
  expect(await read(second)).toBe("b");
  // A second before its end, and at the last moment.
  time.ms = AT - 250 + 599_000;
  await read(second);
  time.ms += 999;
  await read(second);
  expect(marks.map(([, ...others]) => others)).toEqual([
    ["alice", 600],
    ["alice", 500],
    ["alice", 1],
    ["alice", 1],
  ]);
  const [ofFirst, ofSecond, ...again] = marks.map(([mark]) => mark);
  expect(ofFirst).toMatch(/^used:[\da-f-]{36}$/);
  expect(ofFirst).not.toBe(ofSecond);
  expect(again).toEqual([ofSecond, ofSecond]);
  // A task may be run again.
  expect(await reopen(second)).toBe("b");
  expect(marks).toHaveLength(4);
});

test("one that was used before is refused", async () => {
  const { seal, read } = sealing(false);
  await expect(read(await seal(1, { singleUse: true }))).rejects.toThrow("The state was used before");
  expect(await read(await seal(1))).toBe(1);
});
