// Requests of sessions whose answers outlive them, with MCP_STREAMS: a client that is cut off takes the rest later, and a tool
// asks its client. For revisions from 2025-11-25 on; an earlier client does not know that a stream can go on.
import type { AuthInfo, McpServer } from "@modelcontextprotocol/server";
import type { Context } from "hono";
import { AppError } from "../http/errors.ts";
import type { RequestVariables } from "../http/request-log.ts";
import type { SessionVariables } from "../session/middleware.ts";
import { isId } from "../session/messages.ts";
import { messagesOf, SESSION_HEADER, VERSION_HEADER } from "../session/protocol.ts";
import { nameOfSession, type Session } from "../session/session.ts";
import type { Cancellation } from "../streams/cancellation.ts";
import type { ReplayOptions } from "../streams/replay.ts";
import { newStream, type RequestId } from "../streams/event-id.ts";
import { isQuestionId } from "../streams/questions.ts";
import { eventStoreOf, STORED_AFTER_MS, StreamRecorder } from "../streams/recorder.ts";
import { watched } from "../streams/watched.ts";
import { ask, goOn, suspendedCall } from "./reentry.ts";
import { suspendCalls } from "./suspension.ts";
import { acceptingBoth, SessionTransport } from "./transport.ts";

const FIRST_REVISION = "2025-11-25";

type McpContext = Context<{ Variables: SessionVariables & RequestVariables }>;

export interface Streamed {
  c: McpContext;
  session: Session;
  /** Makes a server. @param signal its tools'. @param prepare gets the server before anything is registered. */
  createServer: (signal: AbortSignal, prepare?: (server: McpServer) => void) => Promise<McpServer>;
  authInfo: AuthInfo;
  streams: StreamOptions;
}

export interface StreamOptions extends ReplayOptions {
  cancellation: Cancellation;
}

/** The answer to a request, recorded; undefined when it is not one whose answer can outlive it. */
export async function serveStreamed(streamed: Streamed): Promise<Response | undefined> {
  const { c, session, createServer, authInfo, streams } = streamed;
  const [message, ...others] = messagesOf(c.get("mcpBody"));
  const sessionId = c.req.header(SESSION_HEADER);
  // What the SDK looks at, to know whether the client can come back.
  const revision = c.req.header(VERSION_HEADER);
  if (sessionId === undefined || message === undefined || others.length > 0) return undefined;
  if (!isRequest(message) || revision === undefined || revision < FIRST_REVISION) return undefined;
  if (c.get("answerForm") === "json") return undefined;
  const stream = await newStream(message.id, sessionId, streams.now());
  if (stream === undefined) return undefined;

  const recorder = new StreamRecorder({
    store: streams.store,
    stream,
    session: { key: session.key, name: nameOfSession(session.key) },
    requestId: c.get("requestId"),
  });
  const questions = new Map<unknown, number>();
  const transport = new SessionTransport({
    canSuspend: true,
    eventStore: eventStoreOf(recorder, stream, (sent) => questions.get(sent)),
    retryInterval: streams.retryMs,
    onClosed: () => recorder.startStoring(),
  });
  // A client that leaves comes back: only a cancellation ends the work.
  const working = new AbortController();
  const server = await createServer(working.signal, (made) =>
    suspendCalls(made, async ({ id, method, params, result }) => {
      const asked = await ask({ id, method, params }, result, session, recorder);
      for (const { request, event } of asked) questions.set(request, event);
      await transport.suspend(
        id,
        asked.map(({ request }) => request),
      );
      recorder.end();
    }),
  );
  await server.connect(transport);
  transport.sessionId = sessionId;
  await transport.restore(session);

  const timer = setTimeout(() => recorder.startStoring(), STORED_AFTER_MS);
  const stopWatching = streams.cancellation.watch({ sessionKey: session.key, requestId: message.id }, () => {
    // The SDK then sends no response.
    transport.onmessage?.({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: message.id },
    });
    working.abort();
    recorder.cancel();
    transport.closeSSEStream(message.id);
  });
  const tidy = () => {
    clearTimeout(timer);
    stopWatching();
  };
  // The work goes on when the client leaves, and what it ends in is stored.
  c.executionCtx.waitUntil(recorder.settled().finally(tidy));
  const request = acceptingBoth(c.req.raw, working.signal);
  const response = await transport.handleRequest(request, { parsedBody: c.get("mcpBody"), authInfo });
  // Refused before a tool has begun, such as for its scopes.
  if (response.headers.get("Content-Type")?.startsWith("text/event-stream") !== true) {
    recorder.end();
    return response;
  }
  return watched(response, c.req.raw.signal, (isTaken) => {
    if (!isTaken || !recorder.hasResponse) recorder.startStoring();
    if (recorder.hasResponse) recorder.end();
  });
}

/** Cancels a call of the session. Undefined when the body is no cancellation, or has other messages beside it. */
export async function takeCancellation({ c, session, streams }: Streamed): Promise<Response | undefined> {
  const [message, ...others] = messagesOf(c.get("mcpBody"));
  // The revisions that have batches have no calls that outlive their request.
  if (message?.method !== "notifications/cancelled" || others.length > 0) return undefined;
  const requestId: unknown = Object(message.params).requestId;
  if (isId(requestId)) await streams.cancellation.cancel({ sessionKey: session.key, requestId });
  return c.body(null, 202);
}

/** Takes the answers of a client to the questions of a tool. Undefined when the body is none. @throws AppError */
export async function takeAnswers({
  c,
  session,
  createServer,
  authInfo,
  streams,
}: Streamed): Promise<Response | undefined> {
  const [message, ...others] = messagesOf(c.get("mcpBody"));
  if (message === undefined || others.length > 0 || !("result" in message || "error" in message))
    return undefined;
  const { id, result, error } = message as Record<string, unknown>;
  const said = JSON.stringify(error === undefined ? { result } : { error });
  const taken = isQuestionId(id)
    ? await streams.store.answer(session.key, id, said)
    : { outcome: "unknown" as const };
  if (taken.outcome === "unknown")
    throw new AppError("invalid_request", "No question of this session waits for this answer");
  if (taken.outcome === "complete") {
    const call = suspendedCall.parse(JSON.parse(taken.call));
    const recorder = new StreamRecorder({
      store: streams.store,
      stream: { stream: taken.stream, requestId: call.id },
      session: { key: session.key, name: nameOfSession(session.key) },
      requestId: c.get("requestId"),
      lastEvent: taken.lastEvent,
    });
    recorder.startStoring();
    const working = new AbortController();
    const stopWatching = streams.cancellation.watch({ sessionKey: session.key, requestId: call.id }, () => {
      recorder.cancel();
      working.abort();
    });
    const create = () => createServer(working.signal);
    const { signal } = working;
    const goingOn = async () => {
      const reentry = { create, url: c.req.url, signal, authInfo, session, recorder };
      await goOn(call, taken.answers, reentry).finally(stopWatching);
      recorder.end();
      await recorder.settled();
    };
    c.executionCtx.waitUntil(goingOn());
  }
  return c.body(null, 202);
}

const isRequest = (message: object): message is { id: RequestId } => "id" in message && "method" in message;
