// The session gate, for any MCP handler on Hono. It opens a session when `initialize` has succeeded, finds the session of
// every other request, and ends it on DELETE. Requests of the 2026-07-28 revision have no session: they pass without a query.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { DatabaseFault, isOutage } from "../db/fault.ts";
import { acceptanceOf } from "../http/accept.ts";
import { AppError } from "../http/errors.ts";
import { readBytes } from "../http/body.ts";
import { BODY_VALUES, type BodyBounds, parseBody } from "../http/json-bounds.ts";
import { logOf } from "../log.ts";
import type { RequestVariables } from "../http/request-log.ts";
import { checkClientData, CLIENT_DATA_BYTES } from "./client-data.ts";
import { DEGRADED_HEADER, unknownSession } from "./degraded.ts";
import {
  batchProblem,
  bodyProblem,
  type InitializeParams,
  type Problem,
  readInitialize,
} from "./messages.ts";
import {
  messageTextsOf,
  messagesOf,
  RATE_LIMIT_PERIOD_SECONDS,
  SESSION_HEADER,
  VERSION_HEADER,
} from "./protocol.ts";
import { LAST_EVENT_HEADER } from "../streams/event-id.ts";
import { createSessionId, isSessionId, keyOfSession, nameOfSession, type Session } from "./session.ts";
import type { SessionStore } from "./store.ts";

export interface SessionVariables {
  /** The session of the request; undefined for `initialize` and for requests of the 2026-07-28 revision. */
  session: Session | undefined;
  /** The body of a POST, parsed. */
  mcpBody: unknown;
  /** Whether the request is of a revision up to 2025-11-25. */
  isLegacy: boolean;
  /** The form of the answer to a POST that its client takes, or prefers. */
  answerForm: AnswerForm;
}

/** `either`: the handler may choose. */
export type AnswerForm = "json" | "stream" | "either";

type SessionEnv = { Variables: SessionVariables & RequestVariables };

export interface SessionMiddlewareOptions {
  store: SessionStore;
  /** Who is asking: the name of a key, or (issuer, subject) of a token. A session belongs to its principal. */
  principal: (c: Context) => string;
  /** Whether a request belongs to a revision with sessions. Gets the parsed body. */
  isLegacy: (request: Request, body: unknown) => Promise<boolean>;
  /** The revisions with sessions that the handler speaks. */
  protocolVersions: readonly string[];
  /** What the isolate's cache has of a session, to serve it while the store cannot be asked; left out, it is refused. */
  recall?: (key: string, principal: string) => Session | "ended" | undefined;
  /** Whether a principal may open one more session now; left out, it always may. */
  mayOpen?: (principal: string) => Promise<boolean>;
  /** Whether the handler replays streams, for `GET` with Last-Event-ID; left out, it does not. */
  replays?: boolean;
  /** How many bytes a client may say of itself in `initialize`; left out, CLIENT_DATA_BYTES. */
  clientDataMaxBytes?: number;
  /** How many values a body may have, names of members among them; left out, BODY_VALUES. */
  bodyMaxValues?: number;
}

const log = logOf("session", {
  info: {
    "MCP session opened": {
      meaning: "`initialize` has opened a session.",
      fields: ["session", "principal", "protocol_version"],
    },
    "MCP session ended": {
      meaning: "A client has ended its session with `DELETE /mcp`.",
      fields: ["session", "principal", "reason"],
    },
  },
  warning: {
    "MCP sessions evicted": {
      meaning: "A principal has reached its limit: its least recently used sessions were ended.",
      fields: ["principal", "evicted"],
    },
    "MCP session served degraded": {
      meaning: "The database cannot be asked, and MCP_DEGRADED_MODE is `serve`.",
      fields: ["session", "principal", "kind"],
    },
  },
});

/**
 * Refuses with an AppError. `jsonRpcError` makes its body.
 * @throws DatabaseFault when the store cannot be asked. Answer it with 503, never 404: a client starts over on 404.
 */
export function sessionMiddleware(options: SessionMiddlewareOptions) {
  const { store, principal, isLegacy, protocolVersions, recall, mayOpen } = options;
  const {
    replays = false,
    clientDataMaxBytes = CLIENT_DATA_BYTES,
    bodyMaxValues: maxValues = BODY_VALUES,
  } = options;
  return createMiddleware<SessionEnv>(async function sessionGate(c, next) {
    const { method } = c.req;
    const isReplay = method === "GET" && replays && c.req.header(LAST_EVENT_HEADER) !== undefined;
    if (method !== "POST" && method !== "DELETE" && !isReplay) {
      throw new AppError("method_not_allowed", undefined, { Allow: "POST, DELETE" });
    }
    const body = method === "POST" ? await readBody(c, { maxValues, clientDataMaxBytes }) : undefined;
    c.set("mcpBody", body);
    if (method === "POST") c.set("answerForm", answerFormOf(c.req.header("Accept")));
    c.set("isLegacy", isReplay || (await isLegacy(c.req.raw, body)));
    if (!c.get("isLegacy")) return next();

    const initialize = readInitialize(body);
    if (initialize !== undefined) {
      // Also with the id of a session, which stays as it is: its client starts over.
      if ("problem" in initialize) throw refusalOf(initialize.problem);
      const { params } = initialize;
      checkClientData(params, clientDataMaxBytes);
      if (mayOpen !== undefined && !(await mayOpen(principal(c)))) {
        throw new AppError("too_many_sessions", undefined, {
          "Retry-After": String(RATE_LIMIT_PERIOD_SECONDS),
        });
      }
      await next();
      return openWhenInitialized(c, params);
    }
    const version = c.req.header(VERSION_HEADER);
    // First of all: of a revision without sessions, a batch is what is wrong.
    refuseBatch(body, version);
    if (version !== undefined && !protocolVersions.includes(version))
      throw new AppError("unsupported_protocol_version");
    const id = c.req.header(SESSION_HEADER);
    if (id === undefined) throw new AppError("session_id_required");
    if (!isSessionId(id)) throw new AppError("session_not_found");
    const key = await keyOfSession(id);
    c.set("sessionName", nameOfSession(key));
    const owner = principal(c);
    if (method === "DELETE") {
      const isEnded = await store.end(key, owner);
      if (!isEnded) throw new AppError("session_not_found");
      log.info("MCP session ended", { session: nameOfSession(key), principal: labelOf(c), reason: "client" });
      return c.body(null, 204);
    }
    // What belongs to a stream is only for the session that the database knows.
    const isOfStream =
      replays && (isReplay || messagesOf(body).some((sent) => "result" in sent || "error" in sent));
    const session = await store.resume(key, owner).catch((error: unknown) => {
      if (isOfStream) throw error;
      return degrade(error, c, key, owner);
    });
    if (session === undefined) throw new AppError("session_not_found");
    refuseBatch(body, session.protocolVersion);
    c.set("session", session);
    return next();
  });

  /** What log lines call who is asking. A guard of another program may know no label. */
  function labelOf(c: Context<SessionEnv>): string {
    return c.get("principal")?.label ?? principal(c);
  }

  /** The session without its row; undefined when it is known to have ended. @throws the error, unless it may be served */
  function degrade(error: unknown, c: Context<SessionEnv>, key: string, owner: string): Session | undefined {
    if (recall === undefined || !(error instanceof DatabaseFault) || !isOutage(error.kind)) throw error;
    const remembered = recall(key, owner);
    if (remembered === "ended") return undefined;
    c.header(DEGRADED_HEADER, "true");
    log.warning("MCP session served degraded", {
      session: nameOfSession(key),
      principal: labelOf(c),
      kind: error.kind,
    });
    if (remembered !== undefined) return { ...remembered, isDegraded: true };
    return unknownSession(key, owner, c.req.header(VERSION_HEADER), new Date());
  }

  async function openWhenInitialized(c: Context<SessionEnv>, params: InitializeParams): Promise<void> {
    // A failed `initialize` opens no session.
    const negotiated = c.error === undefined && c.res.ok ? await negotiatedVersion(c.res) : undefined;
    if (negotiated === undefined) return;
    const id = createSessionId();
    const key = await keyOfSession(id);
    const owner = principal(c);
    const evicted = await store.open({ ...params, key, principal: owner, protocolVersion: negotiated });
    if (evicted > 0) log.warning("MCP sessions evicted", { principal: labelOf(c), evicted });
    log.info("MCP session opened", {
      session: nameOfSession(key),
      principal: labelOf(c),
      protocol_version: negotiated,
    });
    c.set("sessionName", nameOfSession(key));
    c.header(SESSION_HEADER, id);
  }
}

const refusalOf = ({ code, message }: Problem) => new AppError(code, message);

/** @throws AppError for a batch in a revision that has none. */
function refuseBatch(body: unknown, revision: string | undefined): void {
  const problem = revision === undefined ? undefined : batchProblem(body, revision);
  if (problem !== undefined) throw refusalOf(problem);
}

// What nearly every client sends, as MCP 2025-11-25 (transports) has it.
const USUAL_ACCEPT = "application/json, text/event-stream";

/**
 * A client that does not name streams need not be able to read one.
 * @throws AppError `not_acceptable` for a client that takes neither form.
 */
function answerFormOf(accept: string | undefined): AnswerForm {
  if (accept === USUAL_ACCEPT) return "either";
  const json = acceptanceOf(accept, "application/json");
  const stream = acceptanceOf(accept, "text/event-stream");
  if (json.quality === 0 && stream.quality === 0) throw new AppError("not_acceptable");
  if (json.quality !== stream.quality) return json.quality > stream.quality ? "json" : "stream";
  return stream.isNamed ? "either" : "json";
}

/** @throws AppError for a body that is no JSON-RPC, is beyond a bound, or has no JSON content type. */
async function readBody(c: Context, bounds: BodyBounds): Promise<unknown> {
  if (!/^application\/json[ \t]*(;|$)/i.test(c.req.header("Content-Type") ?? "")) {
    throw new AppError("unsupported_media_type");
  }
  const { body, text } = parseBody(await readBytes(c), bounds);
  const problem = bodyProblem(body, text);
  if (problem !== undefined) throw refusalOf(problem);
  return body;
}

/** The version in the result of `initialize`, from a JSON response or a stream; undefined when it has none. */
async function negotiatedVersion(response: Response): Promise<string | undefined> {
  const texts = await messageTextsOf(response.clone());
  try {
    const version: unknown = texts
      .map((text) => JSON.parse(text)?.result?.protocolVersion)
      .find((found) => found !== undefined);
    return typeof version === "string" ? version : undefined;
  } catch {
    return undefined; // Not JSON-RPC: the handler's answer is passed on, and no session is opened.
  }
}
