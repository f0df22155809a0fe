// Requests whose answers outlive them: what is stored of them, when, and how they end.
import {
  acceptedContent,
  type CallToolResult,
  inputRequired,
  type InputRequiredResult,
  McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { type ExecutionContext, Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import type { RequestVariables } from "../../src/http/request-log.ts";
import { serveStreamed, type Streamed, takeAnswers, takeCancellation } from "../../src/mcp/streamed.ts";
import type { AnswerForm, SessionVariables } from "../../src/session/middleware.ts";
import { createCancellation } from "../../src/streams/cancellation.ts";
import { STORED_AFTER_MS } from "../../src/streams/recorder.ts";
import type { Taken } from "../../src/streams/store.ts";
import { keptEvents, session } from "./kept-events.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const VERSION = "2025-11-25";
const QUESTION = "00000000-0000-4000-8000-000000000000";
const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
const call = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "do", arguments: {} } };
const done = { jsonrpc: "2.0", id: 7, result: says("done") };
const cancelledCall = { jsonrpc: "2.0", id: 7, error: { code: -32800, message: "The call was cancelled" } };
const cancels = (requestId: unknown) => ({
  jsonrpc: "2.0",
  method: "notifications/cancelled",
  params: { requestId },
});
const answers = (more: object) => ({ jsonrpc: "2.0", id: QUESTION, ...more });
const accepts = (name: string) => ({ result: { action: "accept", content: { name } } });
const form = inputRequired.elicit({
  message: "Who?",
  requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
});

type Does = (
  context: ServerContext,
  signal: AbortSignal,
) => CallToolResult | InputRequiredResult | Promise<CallToolResult | InputRequiredResult>;

/** Lets go on whatever waits for nothing else. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await vi.advanceTimersByTimeAsync(0);
}

/** Something that a tool waits for. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

interface Sent {
  headers?: Record<string, string | undefined>;
  answerForm?: AnswerForm;
}

/** A session whose tool `do` does what the test says. */
function serving(does: Does = () => says("done"), taken?: Taken) {
  const kept = keptEvents(taken);
  const promises: Promise<unknown>[] = [];
  const made = { servers: 0 };
  const streams = {
    store: kept.store,
    now: () => new Date(0),
    ttlSeconds: 600,
    retryMs: 100,
    cancellation: createCancellation(kept.store),
  };
  const createServer: Streamed["createServer"] = async (signal, prepare) => {
    made.servers += 1;
    const server = new McpServer({ name: "test", version: "1" });
    prepare?.(server);
    const none = { inputSchema: z.object({}) };
    server.registerTool("do", none, (_, context) => does(context, signal));
    const scopeChallenge = () => ({ scopes: ["more"] as [string], errorDescription: "It needs more" });
    server.registerTool("guarded", { ...none, scopeChallenge }, () => says("never"));
    return server;
  };
  const context: ExecutionContext = {
    waitUntil: (promise) => void promises.push(promise),
    passThroughOnException: () => undefined,
    props: {},
  };
  return {
    ...kept,
    made,
    /** What a message is answered with; undefined when it is left to others. */
    send: async (
      serve: typeof serveStreamed,
      body: unknown,
      { headers = {}, answerForm = "either" }: Sent = {},
    ) => {
      const app = new Hono<{ Variables: SessionVariables & RequestVariables }>();
      let answer: Response | undefined;
      app.post("/mcp", async (c) => {
        c.set("mcpBody", body);
        c.set("answerForm", answerForm);
        c.set("requestId", "the-request");
        const authInfo = { token: "", clientId: "alice", scopes: [] };
        answer = await serve({ c, session, createServer, authInfo, streams });
        return c.body(null);
      });
      app.onError((error) => {
        throw error;
      });
      const all = {
        "Content-Type": "application/json",
        "Mcp-Session-Id": "the-id",
        "MCP-Protocol-Version": VERSION,
        ...headers,
      };
      const sent = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
      await app.fetch(new Request("https://worker.test/mcp", { method: "POST", headers: sent }), {}, context);
      return answer;
    },
    /** Whether nothing goes on any more, and no timer is left. */
    isOver: async (): Promise<boolean> => {
      let isSettled = false;
      void Promise.allSettled(promises).then(() => (isSettled = true));
      await turns();
      return isSettled && vi.getTimerCount() === 0;
    },
  };
}

/** What a stream has sent so far, and whether it has ended. */
async function read(response: Response | undefined) {
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = response?.body?.getReader();
  const seen = { text: "", isEnded: false };
  const decoder = new TextDecoder();
  const readAll = async () => {
    for (;;) {
      const next = await reader?.read();
      if (next?.value === undefined) break;
      seen.text += decoder.decode(next.value, { stream: true });
    }
    seen.isEnded = true;
  };
  const reading = readAll();
  await turns();
  return {
    isEnded: () => seen.isEnded,
    events: () => [...seen.text.matchAll(/^id: .+\.(\d+)$/gm)].map(([, event]) => Number(event)),
    messages: () => [...seen.text.matchAll(/^data: (.+)$/gm)].map(([, data = ""]) => JSON.parse(data)),
    leave: () => reader?.cancel(),
    reading,
  };
}

const progress = (value: number) => ({
  method: "notifications/progress" as const,
  params: { progressToken: "p", progress: value },
});

describe("a request", () => {
  test.each(["either", "stream"] as const)(
    "of a client that takes %s is answered with numbered events, and nothing is stored",
    async (answerForm) => {
      const { send, events, isOver } = serving();
      const stream = await read(await send(serveStreamed, call, { answerForm }));
      expect([stream.isEnded(), stream.events(), stream.messages()]).toEqual([true, [0, 1], [done]]);
      expect(await isOver()).toBe(true);
      expect(events()).toEqual([]);
    },
  );

  test.each<[string, unknown, Sent]>([
    ["without the id of a session", call, { headers: { "Mcp-Session-Id": undefined } }],
    ["without a revision", call, { headers: { "MCP-Protocol-Version": undefined } }],
    ["of an older revision", call, { headers: { "MCP-Protocol-Version": "2025-06-18" } }],
    ["of a client that takes JSON alone", call, { answerForm: "json" }],
    ["with a very long id", { ...call, id: "x".repeat(127) }, {}],
    ["with another one", [call, { ...call, id: 8 }], {}],
    ["without an id", { jsonrpc: "2.0", method: "notifications/initialized" }, {}],
    ["without a method", answers({ result: {} }), {}],
    ["without a message", undefined, {}],
  ])("%s is left to others", async (_, body, sent) => {
    const { send, made, isOver } = serving();
    expect(await send(serveStreamed, body, sent)).toBeUndefined();
    expect([made.servers, await isOver()]).toEqual([0, true]);
  });

  test("that is refused before its tool has begun leaves nothing", async () => {
    const { send, events, isOver } = serving();
    const guarded = { ...call, params: { name: "guarded", arguments: {} } };
    expect((await send(serveStreamed, guarded))?.status).toBe(403);
    expect(await isOver()).toBe(true);
    expect(events()).toEqual([]);
  });

  test("that is answered, but not taken, is stored", async () => {
    const { send, events, isOver, places } = serving();
    const response = await send(serveStreamed, call);
    await turns();
    await response?.body?.cancel();
    expect(await isOver()).toBe(true);
    expect(events()).toEqual([[1, done]]);
    expect(places()).toEqual([expect.stringMatching(`^${session.key} [\\w-]{22}$`)]);
  });

  test("goes on when its client has left, and its end is stored", async () => {
    const { opened, open } = gate();
    const { send, events, isOver } = serving(async () => opened.then(() => says("done")));
    const { leave } = await read(await send(serveStreamed, call));
    await leave();
    expect([await isOver(), events()]).toEqual([false, []]);
    open();
    expect([await isOver(), events()]).toEqual([true, [[1, done]]]);
  });

  test("whose tool closes the stream is stored, also when it is answered at once", async () => {
    const { send, events, isOver } = serving(({ http }) => {
      http?.closeSSE?.();
      return says("done");
    });
    const response = await send(serveStreamed, call);
    await turns();
    const stream = await read(response);
    expect([stream.isEnded(), stream.events(), stream.messages()]).toEqual([true, [0], []]);
    expect([await isOver(), events()]).toEqual([true, [[1, done]]]);
  });

  test("that takes a second is stored from then on, although its client is there", async () => {
    const { opened, open } = gate();
    const { send, events, isOver } = serving(async ({ mcpReq }) => {
      await mcpReq.notify(progress(1));
      await opened;
      return says("done");
    });
    const stream = await read(await send(serveStreamed, call));
    await vi.advanceTimersByTimeAsync(STORED_AFTER_MS - 1);
    expect(events()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(events()).toEqual([[1, { jsonrpc: "2.0", ...progress(1) }]]);
    open();
    expect(await isOver()).toBe(true);
    expect(stream.messages()).toEqual([{ jsonrpc: "2.0", ...progress(1) }, done]);
    expect(events()).toEqual([
      [1, { jsonrpc: "2.0", ...progress(1) }],
      [2, done],
    ]);
  });

  test("whose tool needs its client ends with the question, which is stored with the call", async () => {
    const { send, events, asked, isOver } = serving(() =>
      inputRequired({ inputRequests: { name: form }, requestState: "state" }),
    );
    const stream = await read(await send(serveStreamed, call));
    const question = { jsonrpc: "2.0", id: expect.any(String), method: "elicitation/create" };
    const [message] = stream.messages();
    expect(message).toMatchObject(question);
    expect([stream.isEnded(), stream.events(), stream.messages()]).toEqual([true, [0, 1], [message]]);
    expect([await isOver(), events()]).toEqual([true, [[1, message]]]);
    const { id, method, params } = call;
    expect(asked()).toEqual([
      {
        call: JSON.stringify({ id, method, params, requestState: "state" }),
        questions: [{ id: message.id, key: "name" }],
      },
    ]);
  });

  test("whose tool waits for its client is told how to be written", async () => {
    const { send } = serving(async ({ mcpReq }) => {
      await mcpReq.elicitInput({ message: "?", requestedSchema: { type: "object", properties: {} } });
      return says("never");
    });
    const [message] = (await read(await send(serveStreamed, call))).messages();
    expect(message.result).toEqual({
      isError: true,
      ...says(
        "A tool cannot wait for its client here, because the answer may reach another isolate: return inputRequired(…) instead",
      ),
    });
  });
});

/** A tool that waits, whatever happens, and says who has told it that it is cancelled. */
function waiting() {
  const { opened, open } = gate();
  const told: string[] = [];
  const does: Does = async ({ mcpReq }, signal) => {
    mcpReq.signal.addEventListener("abort", () => void told.push("the request's signal"));
    signal.addEventListener("abort", () => void told.push("the context's signal"));
    await opened;
    return says("too late");
  };
  return { does, open, told };
}
const BOTH = ["the context's signal", "the request's signal"];

describe("a cancellation", () => {
  test("ends the call that runs here: its tool is told, its stream ends, and nothing is stored", async () => {
    const { does, open, told } = waiting();
    const { send, events, cancelled, isOver } = serving(does);
    const stream = await read(await send(serveStreamed, call));
    expect([stream.isEnded(), await isOver()]).toEqual([false, false]);
    expect((await send(takeCancellation, cancels(7)))?.status).toBe(202);
    expect(await isOver()).toBe(true);
    expect(told.toSorted()).toEqual(BOTH);
    open();
    await turns();
    expect([stream.isEnded(), stream.messages(), events(), cancelled]).toEqual([true, [], [], []]);
  });

  test("of a call whose client has left is the end that is stored", async () => {
    const { does, open } = waiting();
    const { send, events, isOver } = serving(does);
    await (await read(await send(serveStreamed, call))).leave();
    await send(takeCancellation, cancels(7));
    expect([await isOver(), events()]).toEqual([true, [[1, cancelledCall]]]);
    open();
    await turns();
    expect(events()).toHaveLength(1);
  });

  test("of a call that runs elsewhere is kept for it", async () => {
    const { send, cancelled } = serving();
    for (const id of ["a", 9]) expect((await send(takeCancellation, cancels(id)))?.status).toBe(202);
    expect(cancelled).toEqual([
      [session.key, "a"],
      [session.key, 9],
    ]);
  });

  test("of nothing is accepted, and does nothing", async () => {
    const { send, cancelled } = serving();
    const { params: _, ...bare } = cancels(7);
    for (const body of [cancels({}), cancels(undefined), bare])
      expect((await send(takeCancellation, body))?.status).toBe(202);
    expect(cancelled).toEqual([]);
  });

  test.each([
    ["another message", call],
    ["a message beside it", [cancels(7), call]],
    ["no message", undefined],
  ])("is not %s", async (_, body) => {
    const { send, cancelled } = serving();
    expect(await send(takeCancellation, body)).toBeUndefined();
    expect(cancelled).toEqual([]);
  });
});

const suspended = (tool: object = {}): Taken => ({
  outcome: "complete",
  stream: "its-stream",
  call: JSON.stringify({ id: 7, method: "tools/call", params: { name: "do", arguments: {} }, ...tool }),
  lastEvent: 3,
  answers: { name: accepts("Ada") },
});

describe("an answer to a question", () => {
  test.each([
    ["a result", accepts("Ada")],
    ["an error", { error: { code: -1, message: "no" } }],
  ])("is taken as the client has said it: %s", async (_, said) => {
    const { send, answers: taken, made, isOver } = serving();
    expect((await send(takeAnswers, answers(said)))?.status).toBe(202);
    expect(taken).toEqual([[session.key, QUESTION, JSON.stringify(said)]]);
    expect([made.servers, await isOver()]).toEqual([0, true]);
  });

  test.each([
    ["a request", call],
    ["a notification", cancels(7)],
    ["two answers", [answers({ result: {} }), answers({ result: {} })]],
    ["no message", undefined],
  ])("is not %s", async (_, body) => {
    const { send, answers: taken } = serving();
    expect(await send(takeAnswers, body)).toBeUndefined();
    expect(taken).toEqual([]);
  });

  test("that was given before is accepted, and nothing goes on", async () => {
    const { send, made } = serving(undefined, { outcome: "answered" });
    expect((await send(takeAnswers, answers({ result: {} })))?.status).toBe(202);
    expect(made.servers).toBe(0);
  });

  test("that nobody waits for is refused, and one that cannot be an answer is not looked for", async () => {
    const { send, answers: taken } = serving(undefined, { outcome: "unknown" });
    const refusal = {
      code: "invalid_request",
      message: "No question of this session waits for this answer",
    };
    await expect(send(takeAnswers, answers({ result: {} }))).rejects.toMatchObject(refusal);
    expect(taken).toHaveLength(1);
    await expect(send(takeAnswers, answers({ id: 7, result: {} }))).rejects.toMatchObject(refusal);
    expect(taken).toHaveLength(1);
  });

  test("that is the last one has the call go on, and its end is the next event of its stream", async () => {
    const { send, events, places, isOver } = serving(({ mcpReq }) => {
      const given = acceptedContent(mcpReq.inputResponses, "name", z.object({ name: z.string() }));
      return says(`Hello ${given?.name}`);
    }, suspended());
    expect((await send(takeAnswers, answers({ result: {} })))?.status).toBe(202);
    expect(await isOver()).toBe(true);
    expect(events()).toEqual([[4, { jsonrpc: "2.0", id: 7, result: says("Hello Ada") }]]);
    expect(places()).toEqual([`${session.key} its-stream`]);
  });

  test("may lead to the next question", async () => {
    const { send, events, asked, isOver } = serving(
      () => inputRequired({ inputRequests: { name: form } }),
      suspended(),
    );
    await send(takeAnswers, answers({ result: {} }));
    expect(await isOver()).toBe(true);
    expect(events()).toEqual([[4, expect.objectContaining({ method: "elicitation/create" })]]);
    expect(asked()).toHaveLength(1);
  });

  test("is no use when the call is cancelled while it goes on", async () => {
    const { does, open, told } = waiting();
    const { send, events, cancelled, isOver } = serving(does, suspended());
    await send(takeAnswers, answers({ result: {} }));
    expect([await isOver(), events()]).toEqual([false, []]);
    await send(takeCancellation, cancels(7));
    await turns();
    expect(told).toContain("the context's signal");
    open();
    expect([await isOver(), events(), cancelled]).toEqual([true, [[4, cancelledCall]], []]);
  });
});
