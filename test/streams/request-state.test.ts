// What a client carries from one question to the next: sealed, bound to its principal and to a time, and good for one use where the
// author says so. In both eras.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  inputRequired,
  inputResponse,
  type McpServer,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as z from "zod";
import type { ServerContext } from "../../src/mcp/context.ts";
import { createSealer } from "../../src/streams/sealed.ts";
import { clientInfo, messageOf } from "../support/mcp.ts";
import { createDatabase, keys, setFaults } from "../support/worker.ts";
import { connectTo, type Isolates, isolates } from "./isolates.ts";

const FIRST = "first-key-".padEnd(40, "1");
const SECOND = "second-key-".padEnd(40, "2");
const sealing = { MCP_REQUEST_STATE_KEYS: FIRST };
const form = { type: "object" as const, properties: { ok: { type: "boolean" as const } } };

/** Asks, and says what it had sealed before. */
function register(server: McpServer, { requestState }: ServerContext): void {
  const options = z.object({ single: z.boolean().default(false), seconds: z.number().default(600) });
  server.registerTool("buy", { inputSchema: options }, async ({ single, seconds }, { mcpReq }) => {
    const price = mcpReq.requestState<number>();
    if (inputResponse(mcpReq.inputResponses, "ok").kind === "elicit")
      return { content: [{ type: "text", text: `Bought for ${JSON.stringify(price)}` }] };
    const sealed = await requestState?.seal(42, { singleUse: single, ttlSeconds: seconds });
    return inputRequired({
      inputRequests: { ok: inputRequired.elicit({ message: "Buy?", requestedSchema: form }) },
      ...(sealed !== undefined && { requestState: sealed }),
    });
  });
}

async function buy(
  { fetch }: Isolates,
  params: object,
  { key = keys.alice, args = {} }: { key?: string; args?: object } = {},
) {
  const response = await fetch("https://worker.test/mcp", {
    method: "POST",
    headers: {
      Authorization: `Bearer ${key}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "MCP-Protocol-Version": "2026-07-28",
      "Mcp-Method": "tools/call",
      "Mcp-Name": "buy",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "buy",
        arguments: args,
        ...params,
        _meta: {
          [PROTOCOL_VERSION_META_KEY]: "2026-07-28",
          [CLIENT_INFO_META_KEY]: clientInfo,
          [CLIENT_CAPABILITIES_META_KEY]: { elicitation: {} },
        },
      },
    }),
  });
  return { status: response.status, ...(await messageOf(response)) };
}

const yes = { inputResponses: { ok: { action: "accept", content: { ok: true } } } };
const bought = { result: { content: [{ type: "text", text: "Bought for 42" }] } };
const refused = { error: { code: -32_602, data: { reason: "invalid_request_state" } } };
const stateOf = ({ result }: { result?: Record<string, unknown> }) => String(result?.["requestState"]);

test("is read on any isolate, again and again, by its principal alone", async () => {
  const database = await createDatabase();
  const two = isolates(database.env(sealing), register);
  const requestState = stateOf(await buy(two, {}));
  for (let times = 0; times < 3; times++)
    expect(await buy(two, { ...yes, requestState })).toMatchObject(bought);
  expect(await buy(two, { ...yes, requestState }, { key: keys.bob })).toMatchObject(refused);
  expect(await buy(two, { ...yes, requestState: `${requestState}A` })).toMatchObject(refused);
  expect(await database.query("SELECT FROM mcp_marks")).toEqual([]);
});

test("is good for one use, also when two come at once, where the author says so", async () => {
  const database = await createDatabase();
  const two = isolates(database.env(sealing), register);
  const args = { single: true };
  const requestState = stateOf(await buy(two, {}, { args }));
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => buy(two, { ...yes, requestState }, { args })),
  );
  expect(answers.filter((answer) => answer.error === undefined)).toMatchObject([bought]);
  expect(answers.filter((answer) => answer.error !== undefined)).toMatchObject(
    Array.from({ length: 7 }, () => refused),
  );
});

test.each([0, -1, 0.5, 315_360_001])(
  "a lifetime of %d seconds is refused where it is sealed",
  async (seconds) => {
    const one = isolates((await createDatabase()).env(sealing), register, 1);
    const text = "ttlSeconds must be a whole number from 1 to 315360000";
    expect(await buy(one, {}, { args: { seconds } })).toMatchObject({
      result: { isError: true, content: [{ text }] },
    });
  },
);

test("keys are rotated without a gap: the first seals, all open", async () => {
  const database = await createDatabase();
  const of = (value: string) => isolates(database.env({ MCP_REQUEST_STATE_KEYS: value }), register, 1);
  const old = stateOf(await buy(of(FIRST), {}));
  const both = of(`${SECOND} ${FIRST}`);
  expect(await buy(both, { ...yes, requestState: old })).toMatchObject(bought);
  const fresh = stateOf(await buy(both, {}));
  expect(await buy(of(SECOND), { ...yes, requestState: fresh })).toMatchObject(bought);
  expect(await buy(of(SECOND), { ...yes, requestState: old })).toMatchObject(refused);
});

test("while the database is down a state of one use is not refused for good: 503", async () => {
  const database = await createDatabase();
  const one = isolates(database.env({ ...sealing, MCP_SESSION_TIMEOUT_MS: "500" }), register, 1);
  const args = { single: true };
  const requestState = stateOf(await buy(one, {}, { args }));
  await setFaults({ fault: { kind: "refused-by-postgres", sqlstate: "57P03" } });
  expect(await buy(one, { ...yes, requestState }, { args })).toMatchObject({ status: 503 });
  await setFaults();
  expect(await buy(one, { ...yes, requestState }, { args })).toMatchObject(bought);
});

test("an older client gets it through a stored call, and never sees it", async () => {
  const database = await createDatabase();
  const two = isolates(
    database.env({ ...sealing, MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "100" }),
    register,
  );
  const { client, transport } = await connectTo(two, { capabilities: { elicitation: {} } });
  client.setRequestHandler("elicitation/create", () =>
    Promise.resolve({ action: "accept" as const, content: { ok: true } }),
  );
  await client.connect(transport);
  expect(await client.callTool({ name: "buy", arguments: { single: true } })).toMatchObject(bought.result);
  await client.close();
});

test("whatever is sealed comes back as it was, hides its value, and nothing else opens", async () => {
  let time = 1_800_000_000_000;
  const sealer = createSealer([FIRST], () => new Date(time));
  await fc.assert(
    fc.asyncProperty(
      fc.jsonValue(),
      fc.string(),
      fc.integer({ min: 1, max: 86_400 }),
      fc.base64String(),
      async (value, owner, seconds, other) => {
        const expiresAt = new Date(time + seconds * 1000);
        const sealed = await sealer.seal({ value, singleUse: undefined, expiresAt }, owner);
        expect(JSON.stringify((await sealer.open(sealed, owner))?.value)).toBe(JSON.stringify(value));
        expect(await sealer.open(sealed, `${owner}x`)).toBeUndefined();
        expect(await sealer.open(other, owner)).toBeUndefined();
        time += seconds * 1000;
        expect(await sealer.open(sealed, owner)).toBeUndefined();
        time -= seconds * 1000;
      },
    ),
  );
});
