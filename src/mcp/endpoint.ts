// The MCP endpoint behind the session gate. Every request gets a fresh server of the author's definition: for clients up to
// 2025-11-25 in their session, for clients of 2026-07-28 without one.
import { createMcpHandler } from "@modelcontextprotocol/server";
import type { Context } from "hono";
import type { Principal } from "../auth/principal.ts";
import { DatabaseFault } from "../db/fault.ts";
import { AppError } from "../http/errors.ts";
import type { RequestVariables } from "../http/request-log.ts";
import { logOf } from "../log.ts";
import type { SessionVariables } from "../session/middleware.ts";
import { messagesOf, SESSION_HEADER } from "../session/protocol.ts";
import { replay } from "../streams/replay.ts";
import { authInfoOf, shownCaller } from "./caller.ts";
import type { Caller } from "./context.ts";
import { type ContextOptions, contextOf, type Surroundings } from "./request-context.ts";
import type { ServerFactory } from "./server-factory.ts";
import { initializeProblem } from "./initialize.ts";
import { jsonAnswerOf } from "./json-answer.ts";
import { sessionsOnly } from "./revisions.ts";
import type { Eras } from "./settings.ts";
import { readRequestState } from "./request-state.ts";
import { storedCallOf } from "./stored-call.ts";
import {
  serveStreamed,
  type Streamed,
  type StreamOptions,
  takeAnswers,
  takeCancellation,
} from "./streamed.ts";
import { type TaskParts, taskCallsOf } from "./task-calls.ts";
import type { RunTask } from "./task-run.ts";
import { acceptingBoth, SessionTransport } from "./transport.ts";

const log = logOf("mcp", {
  info: {
    "Call refused": {
      meaning:
        "A tool, prompt or resource needs a scope that its caller does not have. `reason` is `insufficient_scope`.",
      fields: ["reason", "principal", "request_id"],
    },
  },
});

type McpContext = Context<{ Variables: SessionVariables & RequestVariables }>;

export interface McpEndpointOptions extends ContextOptions {
  createServer: ServerFactory;
  /** Whose name is the session middleware's principal. */
  principal: (c: Context) => Principal;
  /** Which revisions are served. Whether a request is of one with sessions, its gate has said. */
  eras: Eras;
  /** Undefined: no answer outlives its request. */
  streams: StreamOptions | undefined;
  /** Undefined: no call becomes a task. */
  tasks: (TaskParts & { run: RunTask }) | undefined;
}

// RFC 5424, as logging/setLevel takes them.
const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export function mcpEndpoint(options: McpEndpointOptions) {
  const { createServer, sessions, eras, principal, tokens, streams, requestState, tasks } = options;

  const stateReader = ({ name }: Caller, onFailure: (cause: unknown) => unknown = () => undefined) =>
    requestState &&
    (async (text: string) => {
      try {
        return await readRequestState(text, requestState, name);
      } catch (error) {
        onFailure(error);
        throw error;
      }
    });

  return async function mcp(c: McpContext): Promise<Response> {
    const asking = principal(c);
    const answer = c.get("isLegacy") ? answerInSession : answerWithoutSession;
    const response = await answer(c, shownCaller(asking));
    // What the SDK refuses so is a call without the scopes of its tool.
    if (response.status === 403) {
      const { label } = asking;
      log.info("Call refused", {
        reason: "insufficient_scope",
        principal: label,
        request_id: c.get("requestId"),
      });
    }
    return response;
  };

  /** For clients of MCP 2026-07-28. */
  async function answerWithoutSession(c: McpContext, caller: Caller): Promise<Response> {
    const parsedBody = c.get("mcpBody");
    const form = c.get("answerForm");
    if (eras === "sessions") return sessionsOnly(parsedBody);
    // It never ends, so it cannot be one JSON answer.
    if (form === "json" && messagesOf(parsedBody).some(({ method }) => method === "subscriptions/listen"))
      throw new AppError("not_acceptable", "Accept must allow text/event-stream");
    // The SDK answers by itself when the factory throws. It is thrown again, so that it is logged like any other mistake.
    let failure: { cause: unknown } | undefined;
    const fail = (cause: unknown) => {
      failure = { cause };
      throw cause;
    };
    const onFailure = (cause: unknown) => cause instanceof DatabaseFault && fail(cause);
    const here = surroundingsOf(c);
    const taskCalls =
      tasks &&
      taskCallsOf({
        ...tasks,
        owner: caller.name,
        call: storedCallOf(c.req.raw, messagesOf(parsedBody)[0], caller),
        here: { ...here, run: (key) => tasks.run(key, here) },
        onFailure,
      });
    const context = contextOf(options, { caller, session: undefined }, { ...here, taskCalls });
    const hooks = { prepare: taskCalls?.prepare, readState: stateReader(caller, onFailure) };
    const responseMode = form === "stream" ? "sse" : "auto";
    const handler = createMcpHandler(() => createServer(context, hooks).catch(fail), {
      legacy: "reject",
      responseMode,
    });
    const authInfo = authInfoOf(caller, c.req.url, tokens);
    const response = await handler.fetch(c.req.raw, { parsedBody, authInfo });
    if (failure !== undefined) throw failure.cause;
    return form === "json" ? jsonAnswerOf(response) : response;
  }

  /** For clients up to 2025-11-25. */
  async function answerInSession(c: McpContext, caller: Caller): Promise<Response> {
    const parsedBody = c.get("mcpBody");
    const form = c.get("answerForm");
    const session = c.get("session");
    const authInfo = authInfoOf(caller, c.req.url, tokens);
    const here = surroundingsOf(c);
    if (session === undefined) {
      const problem = initializeProblem(messagesOf(parsedBody)[0]?.params);
      if (problem !== undefined) throw new AppError("invalid_params", problem);
    } else {
      const level = requestedLogLevel(parsedBody);
      if (level !== undefined) await sessions.setLogLevel(session, level);
    }
    // Whose a degraded session is, and whether it has ended, was not asked.
    if (session?.isDegraded === false && streams !== undefined) {
      if (c.req.method === "GET") return replay(c, session, streams);
      const make: Streamed["createServer"] = (signal, prepare) =>
        createServer(contextOf(options, { caller, session }, { ...here, signal }), {
          prepare,
          readState: stateReader(caller),
        });
      const streamed = { c, session, createServer: make, authInfo, streams };
      const taken =
        (await takeAnswers(streamed)) ??
        (await takeCancellation(streamed)) ??
        (await serveStreamed(streamed));
      if (taken !== undefined) return taken;
    }
    // Without a session this is `initialize`: the session gate reads the answer before it goes out.
    const enableJsonResponse = form === "json" || (form === "either" && session === undefined);
    const transport = new SessionTransport({ enableJsonResponse });
    const server = await createServer(contextOf(options, { caller, session }, here));
    await server.connect(transport);
    if (session !== undefined) {
      const id = c.req.header(SESSION_HEADER);
      if (id !== undefined) transport.sessionId = id;
      await transport.restore(session);
    }
    return transport.handleRequest(acceptingBoth(c.req.raw), { parsedBody, authInfo });
  }
}

const surroundingsOf = (c: McpContext): Surroundings => ({
  waitUntil: (promise) => c.executionCtx.waitUntil(promise),
  signal: c.req.raw.signal,
});

function requestedLogLevel(body: unknown): string | undefined {
  const request = messagesOf(body).find(({ method }) => method === "logging/setLevel");
  const level: unknown = Object(request?.params).level;
  return logLevels.find((known) => known === level);
}
