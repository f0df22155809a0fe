// What a client of 2026-07-28 hands back with its answers, when a server's `options` verify it.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { expect, test } from "vitest";
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
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
