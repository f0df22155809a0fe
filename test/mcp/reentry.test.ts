// Suspended calls that go on: what is kept of them, what is recorded, and how each of them ends.
import {
  acceptedContent,
  type CallToolResult,
  inputRequired,
  type InputRequiredResult,
  McpServer,
  SERVER_INFO_META_KEY,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { asBefore, ask, goOn, type SuspendedCall, suspendedCall } from "../../src/mcp/reentry.ts";
import type { Session } from "../../src/session/session.ts";
import { CannotAsk } from "../../src/streams/questions.ts";
import { StreamRecorder } from "../../src/streams/recorder.ts";
import { keptEvents, type KeptEvents, session } from "./kept-events.ts";

const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
const form = inputRequired.elicit({
  message: "Who?",
  requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
});
const call: SuspendedCall = { id: "seven", method: "tools/call", params: { name: "do", arguments: {} } };
const accepts = { result: { action: "accept", content: { name: "Ada" } } };
const result = (text: string) => ({ jsonrpc: "2.0", id: "seven", result: says(text) });
const failure = (message: string) => ({ jsonrpc: "2.0", id: "seven", error: { code: -32603, message } });

function recorderOf({ store }: KeptEvents): StreamRecorder {
  return new StreamRecorder({
    store,
    stream: { stream: "its-stream", requestId: "seven" },
    session: { key: session.key, name: "its-name" },
    requestId: "the-request",
    lastEvent: 3,
  });
}

type Does = (
  context: ServerContext,
  server: McpServer,
) => CallToolResult | InputRequiredResult | Promise<CallToolResult | InputRequiredResult>;

/** A call whose tool does what the test says. */
function going(does: Does = () => says("done"), more: Partial<Session> = {}, tool: object = {}) {
  const kept = keptEvents();
  const recorder = recorderOf(kept);
  recorder.startStoring();
  const create = async () => {
    const server = new McpServer({ name: "test", version: "1" }, { capabilities: { logging: {} } });
    const none = { inputSchema: z.object({}), ...tool };
    server.registerTool("do", none, (_, context) => does(context, server));
    return server;
  };
  const reentry = {
    create,
    url: "https://worker.test/mcp",
    signal: new AbortController().signal,
    authInfo: { token: "", clientId: "alice", scopes: [] },
    session: { ...session, ...more },
    recorder,
  };
  const go = async (of: SuspendedCall = call, answers: Record<string, unknown> = { name: accepts }) => {
    try {
      await goOn(of, answers, reentry);
    } finally {
      recorder.end();
      await recorder.settled();
    }
    return kept.events();
  };
  return { ...kept, recorder, go };
}

describe("a call", () => {
  test.each([7, "seven"])("is kept with its id, %j, and all of its parameters", (id) => {
    const params = { name: "do", arguments: { a: 1 }, _meta: { progressToken: "p", other: {} } };
    const kept = { id, method: "tools/call", params, requestState: "state" };
    expect(suspendedCall.parse(kept)).toEqual(kept);
    const { requestState: _, ...bare } = kept;
    expect(suspendedCall.parse(bare)).toEqual(bare);
  });

  test("is not kept without an id, or with a `_meta` that is no object", () => {
    expect(suspendedCall.safeParse({ ...call, id: null }).success).toBe(false);
    expect(suspendedCall.safeParse({ ...call, params: { _meta: 5 } }).success).toBe(false);
  });
});

describe("a call that goes on", () => {
  test("gets the answers, and its result is the next event", async () => {
    const { go } = going(({ mcpReq }) => {
      const given = acceptedContent(mcpReq.inputResponses, "name", z.object({ name: z.string() }));
      return says(`Hello ${given?.name}`);
    });
    expect(await go()).toEqual([[4, result("Hello Ada")]]);
  });

  test("knows its client", async () => {
    const { go } = going((_, { server }) =>
      says(JSON.stringify([server.getClientVersion(), server.getClientCapabilities()])),
    );
    expect(await go()).toEqual([[4, result(JSON.stringify([session.clientInfo, session.capabilities]))]]);
  });

  test("reports on its way, with the client's token", async () => {
    const report = {
      method: "notifications/progress" as const,
      params: { progressToken: "p", progress: 1 },
    };
    const { go } = going(async ({ mcpReq }) => {
      const { _meta: meta } = mcpReq;
      await mcpReq.notify(report);
      return says(String(meta?.progressToken));
    });
    const params = { ...call.params, _meta: { progressToken: "p" } };
    expect(await go({ ...call, params })).toEqual([
      [4, { jsonrpc: "2.0", ...report }],
      [5, result("p")],
    ]);
  });

  test.each([
    ["error", ["loud"]],
    ["warning", ["quiet", "loud"]],
    [null, []],
  ])("logs from the level on that its session has: %s", async (logLevel, data) => {
    const { go } = going(
      async ({ mcpReq }) => {
        await mcpReq.log("warning", "quiet");
        await mcpReq.log("error", "loud");
        return says("done");
      },
      { logLevel },
    );
    const messages = (await go()).map(([, message]) => message);
    expect(messages.at(-1)).toEqual(result("done"));
    expect(messages.slice(0, -1)).toEqual(
      data.map((text) =>
        expect.objectContaining({
          method: "notifications/message",
          params: expect.objectContaining({ data: text }),
        }),
      ),
    );
  });

  test("that is refused for its scopes ends in an error that its client can read", async () => {
    const scopeChallenge = () => ({ scopes: ["more"], errorDescription: "needs more" });
    const { go } = going(undefined, {}, { scopeChallenge });
    expect(await go()).toEqual([[4, failure("The call was refused")]]);
  });

  test("gets back what it has given its client to carry, and nothing when it has given nothing", async () => {
    const carried = () => going(({ mcpReq }) => says(String(mcpReq.requestState())));
    expect(await carried().go({ ...call, requestState: "state" })).toEqual([[4, result("state")]]);
    expect(await carried().go()).toEqual([[4, result("undefined")]]);
  });

  test("ends with the error that the server answers with, under its own id", async () => {
    const params = { name: "unknown", arguments: {} };
    expect(await going().go({ ...call, params })).toEqual([
      [4, { jsonrpc: "2.0", id: "seven", error: { code: -32602, message: "Tool unknown not found" } }],
    ]);
  });

  test("ends with an error when its client has answered with one, and its tool does not run", async () => {
    let times = 0;
    const { go } = going(() => says(`${(times += 1)}`));
    const said = { name: accepts, other: { error: { code: -1, message: "no, thanks" } } };
    expect(await go(call, said)).toEqual([[4, failure("The client has not answered: no, thanks")]]);
    expect(times).toBe(0);
  });

  test.each([
    ["nothing", {}],
    ["a result that is no object", { result: 5 }],
    ["an error without a message", { error: { code: -1 } }],
    ["a text", "x"],
  ])("ends with an error when an answer is %s, which is thrown, too", async (_, said) => {
    const { go, events } = going();
    await expect(go(call, { name: said })).rejects.toThrow(z.core.$ZodError);
    expect(events()).toEqual([[4, failure("The call has not ended")]]);
  });

  test("may ask again: then the question is the last of it for now", async () => {
    const { go, asked, recorder } = going(() =>
      inputRequired({ inputRequests: { again: form }, requestState: "next" }),
    );
    const events = await go({ ...call, requestState: "state" });
    expect(events).toEqual([[4, expect.objectContaining({ method: "elicitation/create" })]]);
    expect([recorder.isAsking, recorder.hasResponse]).toEqual([true, false]);
    expect(asked().map((asking) => JSON.parse(asking.call))).toEqual([{ ...call, requestState: "next" }]);
  });

  test("ends with an error when its client cannot be asked again", async () => {
    const { go, recorder } = going(() => inputRequired({ requestState: "next" }));
    expect(await go()).toEqual([[4, failure("A tool that needs input must say which")]]);
    expect(recorder.isAsking).toBe(false);
  });
});

describe("questions", () => {
  const requests = { first: form, second: form };
  const asking = (kept: KeptEvents, more: object) =>
    ask(call, { inputRequests: requests, ...more }, session, recorderOf(kept));

  test("are events one after the other, and are stored with the call", async () => {
    const kept = keptEvents();
    const questions = await asking(kept, { requestState: "state" });
    expect(questions.map(({ event }) => event)).toEqual([4, 5]);
    expect(kept.events()).toEqual(questions.map(({ request, event }) => [event, request]));
    const [first, second] = questions.map(({ request }) => request.id);
    expect(kept.asked()).toEqual([
      {
        call: JSON.stringify({ ...call, requestState: "state" }),
        questions: [
          { id: first, key: "first" },
          { id: second, key: "second" },
        ],
      },
    ]);
  });

  test.each([undefined, 5, null])("have no state but a text: %j", async (requestState) => {
    const kept = keptEvents();
    await asking(kept, { requestState });
    expect(kept.asked().map((stored) => JSON.parse(stored.call))).toEqual([call]);
  });

  test("that are not kept are not asked", async () => {
    const refused = new CannotAsk("The question cannot be kept, so the client cannot be asked now");
    await expect(asking(keptEvents(undefined, false), {})).rejects.toThrow(refused);
  });
});

test.each([
  [{ content: [], resultType: "complete" }, { content: [] }],
  [{ content: [], _meta: { [SERVER_INFO_META_KEY]: { name: "x" } } }, { content: [] }],
  [
    { content: [], resultType: "complete", _meta: { [SERVER_INFO_META_KEY]: {}, mine: 1 } },
    { content: [], _meta: { mine: 1 } },
  ],
  [
    { content: [], isError: true },
    { content: [], isError: true },
  ],
])("a result is sent without what older clients do not know: %j", (modern, before) => {
  expect(asBefore(modern)).toEqual(before);
});
