// The MCP endpoint behind the session gate. Every request gets a fresh server of the author's definition: for clients up to
// 2025-11-25 in their session, for clients of 2026-07-28 without one.
import { createMcpHandler } from "@modelcontextprotocol/server";
import type { Context } from "hono";
import type { Principal } from "../auth/principal.ts";
import type { TokenConfig } from "../auth/token-settings.ts";
import { DatabaseFault } from "../db/fault.ts";
import { createOwnHandles, type HandlesOptions } from "../handles/own-handles.ts";
import { AppError } from "../http/errors.ts";
import type { RequestVariables } from "../http/request-log.ts";
import { logOf } from "../log.ts";
import type { SessionVariables } from "../session/middleware.ts";
import { createOwnSessions } from "../session/own-sessions.ts";
import { messagesOf, SESSION_HEADER } from "../session/protocol.ts";
import type { Session } from "../session/session.ts";
import { createSessionState } from "../session/state.ts";
import type { StateStore } from "../session/state-store.ts";
import type { SessionStore } from "../session/store.ts";
import { replay } from "../streams/replay.ts";
import { authInfoOf, shownCaller, createRequireScopes } from "./caller.ts";
import type { Caller } from "./context.ts";
import type { RequestContext, ServerFactory } from "./server-factory.ts";
import { initializeProblem } from "./initialize.ts";
import { jsonAnswerOf } from "./json-answer.ts";
import { sessionsOnly } from "./revisions.ts";
import type { Eras } from "./settings.ts";
import { readRequestState, type RequestStateOptions, requestStatesOf } from "./request-state.ts";
import {
  serveStreamed,
  type Streamed,
  type StreamOptions,
  takeAnswers,
  takeCancellation,
} from "./streamed.ts";
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

export interface McpEndpointOptions {
  createServer: ServerFactory;
  sessions: SessionStore;
  state: StateStore;
  /** Whose name is the session middleware's principal. */
  principal: (c: Context) => Principal;
  /** Undefined: no token is taken. */
  tokens: TokenConfig | undefined;
  /** Which revisions are served. Whether a request is of one with sessions, its gate has said. */
  eras: Eras;
  /** Undefined: tools have no handles. */
  handles: HandlesOptions | undefined;
  /** Undefined: no answer outlives its request. */
  streams: StreamOptions | undefined;
  /** Undefined: nothing is sealed. */
  requestState: RequestStateOptions | undefined;
}

// RFC 5424, as logging/setLevel takes them.
const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export function mcpEndpoint(options: McpEndpointOptions) {
  const { createServer, sessions, state, eras, handles, principal, tokens, streams, requestState } = options;
  const contextOf = (c: McpContext, caller: Caller, session: Session | undefined): RequestContext => {
    const owner = caller.name;
    return {
      session,
      principal: owner,
      caller,
      requireScopes: createRequireScopes(caller, tokens),
      sessions: createOwnSessions(sessions, owner, session),
      state: session === undefined ? undefined : createSessionState(state, session),
      handles: handles && createOwnHandles(handles, owner),
      requestState: requestState && requestStatesOf(requestState, owner),
      waitUntil: (promise) => c.executionCtx.waitUntil(promise),
      signal: c.req.raw.signal,
    };
  };

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

  async function answer(c: McpContext, caller: Caller): Promise<Response> {
    const parsedBody = c.get("mcpBody");
    const form = c.get("answerForm");
    const authInfo = authInfoOf(caller, c.req.url, tokens);
    if (!c.get("isLegacy")) {
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
      const readState = stateReader(caller, (cause) => cause instanceof DatabaseFault && fail(cause));
      const create = () => createServer(contextOf(c, caller, undefined), { readState }).catch(fail);
      const responseMode = form === "stream" ? "sse" : "auto";
      const handler = createMcpHandler(create, { legacy: "reject", responseMode });
      const response = await handler.fetch(c.req.raw, { parsedBody, authInfo });
      if (failure !== undefined) throw failure.cause;
      return form === "json" ? jsonAnswerOf(response) : response;
    }
    const session = c.get("session");
    if (session === undefined) {
      const problem = initializeProblem(messagesOf(parsedBody)[0]?.params);
      if (problem !== undefined) throw new AppError("invalid_params", problem);
    }
    if (session !== undefined) {
      const level = requestedLogLevel(parsedBody);
      if (level !== undefined) await sessions.setLogLevel(session, level);
    }
    // Whose a degraded session is, and whether it has ended, was not asked.
    if (session?.isDegraded === false && streams !== undefined) {
      if (c.req.method === "GET") return replay(c, session, streams);
      const make: Streamed["createServer"] = (signal, prepare) =>
        createServer(
          { ...contextOf(c, caller, session), signal },
          { prepare, readState: stateReader(caller) },
        );
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
    const server = await createServer(contextOf(c, caller, session));
    await server.connect(transport);
    if (session !== undefined) {
      const id = c.req.header(SESSION_HEADER);
      if (id !== undefined) transport.sessionId = id;
      await transport.restore(session);
    }
    return transport.handleRequest(acceptingBoth(c.req.raw), { parsedBody, authInfo });
  }
}

function requestedLogLevel(body: unknown): string | undefined {
  const request = messagesOf(body).find(({ method }) => method === "logging/setLevel");
  const level: unknown = Object(request?.params).level;
  return logLevels.find((known) => known === level);
}
