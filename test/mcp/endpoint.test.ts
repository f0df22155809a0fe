// The MCP endpoint behind its gate: in which form it answers, what it leaves to streams and tasks, and what it says in the log.
import { McpServer } from "@modelcontextprotocol/server";
import { type ExecutionContext, Hono } from "hono";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { DatabaseFault, undoneWrite } from "../../src/db/fault.ts";
import type { RequestVariables } from "../../src/http/request-log.ts";
import { mcpEndpoint, type McpEndpointOptions } from "../../src/mcp/endpoint.ts";
import { requestStatesOf } from "../../src/mcp/request-state.ts";
import type { RequestContext, ServerFactory, ServerHooks } from "../../src/mcp/server-factory.ts";
import type { SessionVariables } from "../../src/session/middleware.ts";
import { messageTextsOf } from "../../src/session/protocol.ts";
import { createCancellation } from "../../src/streams/cancellation.ts";
import { createSealer } from "../../src/streams/sealed.ts";
import { logged } from "../support/captured-logs.ts";
import { keptEvents, session } from "./kept-events.ts";
import { metaOf, says, taskRequestOf } from "./served.ts";

const JSON_TYPE = "application/json";
const STREAM = "text/event-stream";
const QUESTION = "00000000-0000-4000-8000-000000000000";
const now = () => new Date("2026-11-25T05:00:00Z");

type Variables = SessionVariables & RequestVariables;

/** The endpoint, what its server was made of, and what its session keeps. */
function endpoint(
  own: Partial<McpEndpointOptions> = {},
  prepared?: (hooks: ServerHooks) => Promise<unknown>,
) {
  const contexts: RequestContext[] = [];
  const hooks: ServerHooks[] = [];
  const levels: unknown[] = [];
  const promises: unknown[] = [];
  const createServer: ServerFactory = async (context, given = {}) => {
    contexts.push(context);
    hooks.push(given);
    await prepared?.(given);
    const server = new McpServer({ name: "test", version: "1" }, { capabilities: { logging: {} } });
    given.prepare?.(server);
    const none = { inputSchema: z.object({}) };
    server.registerTool("do", none, () => says("done"));
    server.registerTool(
      "task",
      none,
      context.task(() => says("done")),
    );
    server.registerTool("report", none, async (_, { mcpReq }) => {
      const params = { progressToken: "p", progress: 1 };
      await mcpReq.notify({ method: "notifications/progress", params });
      return says("reported");
    });
    const scopeChallenge = () => ({ scopes: ["more"] as [string], errorDescription: "It needs more" });
    server.registerTool("guarded", { ...none, scopeChallenge }, () => says("never"));
    return server;
  };
  const unused = {} as never;
  const handler = mcpEndpoint({
    createServer,
    principal: () => ({ name: "alice", label: "the-label", scopes: ["mcp"] }),
    eras: "both",
    streams: undefined,
    tasks: undefined,
    sessions: { setLogLevel: async (...level: unknown[]) => void levels.push(level) } as never,
    state: unused,
    tokens: undefined,
    handles: undefined,
    requestState: undefined,
    ...own,
  });
  const context: ExecutionContext = {
    waitUntil: (promise) => void promises.push(promise),
    passThroughOnException: () => undefined,
    props: {},
  };
  const send = async (variables: Partial<Variables>, headers: Record<string, string>, method = "POST") => {
    const app = new Hono<{ Variables: Variables }>();
    let answer = new Response();
    app.all("/mcp", async (c) => {
      const all = {
        requestId: "the-request",
        answerForm: "either" as const,
        session: undefined,
        ...variables,
      };
      for (const [name, value] of Object.entries(all)) c.set(name as "mcpBody", value);
      answer = await handler(c);
      return c.body(null);
    });
    app.onError((error) => {
      throw error;
    });
    await app.fetch(new Request("https://worker.test/mcp", { method, headers }), {}, context);
    return answer;
  };
  return { send, contexts, hooks, levels, promises };
}

type Endpoint = ReturnType<typeof endpoint>;
type Form = SessionVariables["answerForm"];

/** A request of a client of 2026-07-28. */
function modern({ send }: Endpoint, method: string, more: object = {}, answerForm: Form = "either") {
  const params: Record<string, unknown> = { ...more, _meta: metaOf() };
  const name = params["name"];
  return send(
    { isLegacy: false, answerForm, mcpBody: { jsonrpc: "2.0", id: 7, method, params } },
    {
      "Content-Type": JSON_TYPE,
      "MCP-Protocol-Version": "2026-07-28",
      "Mcp-Method": method,
      ...(typeof name === "string" && { "Mcp-Name": name }),
    },
  );
}

interface InSession {
  answerForm?: Form;
  of?: SessionVariables["session"];
  headers?: Record<string, string>;
  method?: string;
}

/** A message of a session. */
const inSession = (
  { send }: Endpoint,
  message: object,
  { answerForm = "either", of = session, headers = {}, method = "POST" }: InSession = {},
) =>
  send(
    {
      isLegacy: true,
      answerForm,
      session: of,
      mcpBody: method === "POST" ? { jsonrpc: "2.0", ...message } : undefined,
    },
    {
      "Content-Type": JSON_TYPE,
      "Mcp-Session-Id": "the-id",
      "MCP-Protocol-Version": "2025-11-25",
      ...headers,
    },
    method,
  );

const callOf = (name: string) => ({ name, arguments: {} });
const list = { id: 7, method: "tools/list", params: {} };
const calling = (name: string) => ({ id: 7, method: "tools/call", params: callOf(name) });
const initialize = {
  id: 7,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "a client", version: "1" } },
};
const typeOf = ({ headers }: Response) => headers.get("Content-Type");

function streaming() {
  const kept = keptEvents();
  const cancellation = createCancellation(kept.store);
  return { ...kept, streams: { store: kept.store, now, ttlSeconds: 600, retryMs: 100, cancellation } };
}

describe("the form of an answer", () => {
  test.each([
    ["either", JSON_TYPE, STREAM],
    ["json", JSON_TYPE, JSON_TYPE],
    ["stream", STREAM, STREAM],
  ] as const)(
    "without a session, to a client that takes %s: %s, and %s when its tool reports",
    async (form, plain, reporting) => {
      const quiet = await modern(endpoint(), "tools/call", callOf("do"), form);
      expect([quiet.status, typeOf(quiet)]).toEqual([200, plain]);
      expect((await messageTextsOf(quiet)).map((text) => JSON.parse(text))).toMatchObject([
        { id: 7, result: says("done") },
      ]);
      const loud = await modern(endpoint(), "tools/call", callOf("report"), form);
      expect(typeOf(loud)).toBe(reporting);
      expect(await messageTextsOf(loud)).toHaveLength(reporting === STREAM ? 2 : 1);
    },
  );

  test.each([
    ["either", JSON_TYPE, STREAM],
    ["json", JSON_TYPE, JSON_TYPE],
    ["stream", STREAM, STREAM],
  ] as const)(
    "with one, to a client that takes %s: %s to `initialize`, and %s later",
    async (answerForm, first, later) => {
      const opening = await endpoint().send(
        { isLegacy: true, answerForm, mcpBody: { jsonrpc: "2.0", ...initialize } },
        { "Content-Type": JSON_TYPE },
      );
      expect([opening.status, typeOf(opening)]).toEqual([200, first]);
      expect((await messageTextsOf(opening)).map((text) => JSON.parse(text))).toMatchObject([
        { id: 7, result: { protocolVersion: "2025-11-25" } },
      ]);
      const response = await inSession(endpoint(), list, { answerForm });
      expect([response.status, typeOf(response)]).toEqual([200, later]);
      expect(response.headers.get("Mcp-Session-Id")).toBe("the-id");
      await response.text();
    },
  );

  const listening = { notifications: {} };
  const refusal = { code: "not_acceptable", message: "Accept must allow text/event-stream" };

  test("of a subscription is a stream, and a client that takes JSON alone gets none", async () => {
    await expect(modern(endpoint(), "subscriptions/listen", listening, "json")).rejects.toMatchObject(
      refusal,
    );
    for (const form of ["either", "stream"] as const) {
      const response = await modern(endpoint(), "subscriptions/listen", listening, form);
      expect([response.status, typeOf(response)]).toEqual([200, STREAM]);
      await response.body?.cancel();
    }
    const batch = ["tools/list", "subscriptions/listen"].map((method) => ({
      jsonrpc: "2.0",
      id: method,
      method,
    }));
    const sent = endpoint().send({ isLegacy: false, answerForm: "json", mcpBody: batch }, {});
    await expect(sent).rejects.toMatchObject(refusal);
  });
});

describe("a call without the scopes of its tool", () => {
  const line = expect.objectContaining({
    level: "INFO",
    reason: "insufficient_scope",
    principal: "the-label",
    request_id: "the-request",
  });

  test.each([
    ["with a session", (to: Endpoint, name: string) => inSession(to, calling(name))],
    ["without one", (to: Endpoint, name: string) => modern(to, "tools/call", callOf(name))],
  ])("is refused and logged, %s, and no other is", async (_, call) => {
    const done = await call(endpoint(), "do");
    expect(done.status).toBe(200);
    await done.text();
    expect(logged("Call refused")).toEqual([]);
    expect((await call(endpoint(), "guarded")).status).toBe(403);
    expect(logged("Call refused")).toEqual([line]);
  });
});

describe("a request without a session", () => {
  test("is told which revisions there are where all have sessions, and no server is made", async () => {
    const to = endpoint({ eras: "sessions" });
    const response = await modern(to, "tools/list");
    expect([response.status, await response.json()]).toMatchObject([400, { id: 7, error: { code: -32022 } }]);
    expect(to.contexts).toEqual([]);
  });

  test("has no parts but those that are switched on", async () => {
    const to = endpoint();
    await modern(to, "tools/list");
    expect(to.hooks).toEqual([{ prepare: undefined, readState: undefined }]);
    expect(to.contexts).toMatchObject([{ principal: "alice", session: undefined, state: undefined }]);
  });

  test("may become a task, which runs in its event", async () => {
    const ran: unknown[] = [];
    const { request, started } = taskRequestOf({ create: async () => now() });
    const run = async (key: string, { waitUntil }: { waitUntil: (promise: Promise<unknown>) => void }) => {
      ran.push(key);
      waitUntil(later);
      return "done" as const;
    };
    const later = Promise.resolve();
    const to = endpoint({ tasks: { ...request, run } });
    const { result } = await (await modern(to, "tools/call", callOf("task"))).json<{ result: object }>();
    expect(result).toMatchObject({ resultType: "task", status: "working" });
    const [[, here] = []] = started as [object, typeof request.here][];
    expect(await here?.run("its-key")).toBe("done");
    expect([ran, to.promises, to.contexts[0]?.taskRun]).toEqual([["its-key"], [later], undefined]);
    expect(to.hooks).toEqual([{ prepare: expect.any(Function), readState: undefined }]);
  });

  test("fails as its server does", async () => {
    const mistake = new RangeError("a mistake");
    const to = endpoint({}, () => Promise.reject(mistake));
    await expect(modern(to, "tools/list")).rejects.toBe(mistake);
  });

  const marked = (make: () => Promise<boolean>) => ({
    sealer: createSealer(["k".repeat(40)], now),
    marks: { make },
    now,
  });

  test("reads what its principal was given to carry, and nobody else's", async () => {
    const requestState = marked(async () => true);
    const to = endpoint({ requestState });
    await modern(to, "tools/list");
    await inSession(to, list);
    const seal = (name: string) => requestStatesOf(requestState, name).seal({ price: 42 });
    const [first, second] = to.hooks;
    expect(await first?.readState?.(await seal("alice"))).toEqual({ price: 42 });
    await expect(first?.readState?.(await seal("bob"))).rejects.toThrow("The state is not valid");
    expect(second).toEqual({});
  });

  test("is refused when the database fails while that is read", async () => {
    const fault = new DatabaseFault("making a mark", undoneWrite);
    const requestState = marked(() => Promise.reject(fault));
    const sealed = await requestStatesOf(requestState, "alice").seal(1, { singleUse: true });
    const reading = async ({ readState }: ServerHooks) => readState?.(sealed).catch(() => undefined);
    await expect(modern(endpoint({ requestState }, reading), "tools/list")).rejects.toBe(fault);
    const other = async ({ readState }: ServerHooks) => readState?.("x").catch(() => undefined);
    expect((await modern(endpoint({ requestState }, other), "tools/list")).status).toBe(200);
  });
});

describe("a request of a session", () => {
  test("has an answer with numbered events where answers outlive requests, and else has not", async () => {
    const { streams } = streaming();
    const isNumbered = async (response: Promise<Response>) => /^id: /m.test(await (await response).text());
    expect(await isNumbered(inSession(endpoint({ streams }), list))).toBe(true);
    expect(await isNumbered(inSession(endpoint(), list))).toBe(false);
    // Whose it is, was not asked.
    const of = { ...session, isDegraded: true };
    expect(await isNumbered(inSession(endpoint({ streams }), list, { of }))).toBe(false);
  });

  test("may be an answer or a cancellation, and then needs no server", async () => {
    const { streams, answers, cancelled } = streaming();
    const to = endpoint({ streams });
    expect((await inSession(to, { id: QUESTION, result: {} })).status).toBe(202);
    const cancels = { method: "notifications/cancelled", params: { requestId: 7 } };
    expect((await inSession(to, cancels)).status).toBe(202);
    expect([answers.length, cancelled.length, to.contexts]).toEqual([1, 1, []]);
  });

  test("with GET gets the rest of an answer, if it was ever given a part of it", async () => {
    const { streams } = streaming();
    const to = endpoint({ streams });
    const headers = { "Last-Event-ID": "made-up", Accept: STREAM };
    await expect(inSession(to, {}, { method: "GET", headers })).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect(to.contexts).toEqual([]);
  });

  test("has the session, and what it leaves for later is kept running", async () => {
    const to = endpoint();
    await (await inSession(to, list)).text();
    const [context] = to.contexts;
    expect(context).toMatchObject({ session, principal: "alice", taskRun: undefined });
    const later = Promise.resolve();
    context?.waitUntil(later);
    expect(to.promises).toEqual([later]);
  });

  test("keeps the log level that it sets, if there is such a level, and no other request does", async () => {
    const sets = (level: unknown) => ({ id: 7, method: "logging/setLevel", params: { level } });
    const levelsOf = async (message: object) => {
      const to = endpoint();
      await (await inSession(to, message)).text();
      return to.levels;
    };
    for (const level of ["debug", "error", "emergency"])
      expect(await levelsOf(sets(level))).toEqual([[session, level]]);
    for (const message of [sets("loud"), sets(undefined), sets(["error"])])
      expect(await levelsOf(message)).toEqual([]);
    expect(await levelsOf({ ...list, params: { level: "error" } })).toEqual([]);
  });

  test("that opens one says what is wrong with it", async () => {
    const { send, contexts } = endpoint();
    const params = { ...initialize.params, clientInfo: { name: "a client" } };
    const mcpBody = { jsonrpc: "2.0", ...initialize, params };
    await expect(send({ isLegacy: true, mcpBody }, { "Content-Type": JSON_TYPE })).rejects.toMatchObject({
      code: "invalid_params",
      message:
        "The member params.clientInfo.version of initialize is not as the Model Context Protocol has it",
    });
    expect(contexts).toEqual([]);
  });
});
