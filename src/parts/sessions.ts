// The sessions of an environment, and the session gate for an app that has everything else.
import type { Context, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { IdleSleep } from "../cleanup/idle-sleep.ts";
import type { Database } from "../db/client.ts";
import { DatabaseFault } from "../db/fault.ts";
import { AppError, errorResponse } from "../http/errors.ts";
import { refusalOf } from "../http/refusal.ts";
import { httpSettings } from "../http/settings.ts";
import { legacyCheckOf, legacyVersions } from "../mcp/revisions.ts";
import type { Eras } from "../mcp/settings.ts";
import { createActivityStore } from "../session/activity-store.ts";
import { type CachedSessionStore, createCachedStore } from "../session/cached-store.ts";
import {
  sessionMiddleware,
  type SessionMiddlewareOptions,
  type SessionVariables,
} from "../session/middleware.ts";
import { jsonRpcError } from "../session/protocol.ts";
import { type SessionConfig, sessionSettings } from "../session/settings.ts";
import { createSessionStore } from "../session/store.ts";
import { readSettings } from "../settings.ts";
import { streamSettings } from "../streams/settings.ts";
import { cleanupIn } from "./cleanup.ts";
import { databaseOf } from "./database.ts";
import { fromEnv, perEnv } from "./per-env.ts";
import { requestIdOf } from "./request-id.ts";

const now = () => new Date();

export const sessionsOn = (
  database: Database,
  settings: SessionConfig,
  { recordActivity }: Pick<IdleSleep, "recordActivity">,
  clock: () => Date,
): CachedSessionStore =>
  // Activity is recorded next to the database, so that the cache outside cannot keep it from being seen.
  createCachedStore(createActivityStore(createSessionStore(database, settings), recordActivity), {
    intervalSeconds: settings.validationIntervalSeconds,
    canRecall: settings.degradedMode === "serve",
    now: clock,
  });

/** Whether a principal may open one more session now. */
export const openingLimitOf =
  ({ initializeRateLimit }: Pick<SessionConfig, "initializeRateLimit">) =>
  async (principal: string): Promise<boolean> =>
    initializeRateLimit === undefined || (await initializeRateLimit.limit({ key: principal })).success;

/** @throws ConfigurationError */
export const sessionsIn = perEnv((env) => {
  const settings = readSettings(sessionSettings, env);
  return { settings, store: sessionsOn(databaseOf(env), settings, cleanupIn(env).idleSleep, now) };
});

export interface McpSessionsOptions {
  /**
   * Who is asking: the user that your authentication has found. A session belongs to this text, and nobody else can use it. It
   * stands in log lines, so take an id and no e-mail address.
   */
  principal: SessionMiddlewareOptions["principal"];
}

/** The gate with the store of the environment. It throws its refusals. */
export const sessionGate = ({
  principal,
  areStreamsReplayed = false,
  erasIn = () => "both",
}: McpSessionsOptions & {
  /** Whether the handler behind it replays streams. */
  areStreamsReplayed?: boolean;
  /** Which revisions the handler behind it serves; left out: both. */
  erasIn?: (env: object) => Eras;
}): MiddlewareHandler =>
  fromEnv((env) => {
    const { settings, store } = sessionsIn(env);
    return sessionMiddleware({
      store,
      principal,
      isLegacy: legacyCheckOf(erasIn(env)),
      protocolVersions: legacyVersions,
      mayOpen: openingLimitOf(settings),
      clientDataMaxBytes: settings.clientDataMaxBytes,
      bodyMaxValues: readSettings(httpSettings, env).bodyMaxValues,
      replays: areStreamsReplayed && readSettings(streamSettings, env).streams !== undefined,
      ...(settings.degradedMode === "serve" && { recall: store.recall }),
    });
  });

/**
 * MCP sessions before a handler of your own: `app.all("/mcp", mcpSessions({ principal }), handler)`. It reads the variables and
 * bindings of `c.env`, and answers refusals itself, as JSON-RPC. The handler gets `c.get("session")` and the parsed body,
 * `c.get("mcpBody")`.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function mcpSessions(options: McpSessionsOptions): MiddlewareHandler<{ Variables: SessionVariables }> {
  const gate = sessionGate(options);
  return createMiddleware<{ Variables: SessionVariables }>(async function mcpSessionGate(c, next) {
    try {
      return await gate(c, next);
    } catch (error) {
      if (!(error instanceof AppError || error instanceof DatabaseFault)) throw error;
      return refusedAsJsonRpc(error, c);
    }
  });
}

/** The answer to a request of MCP that has failed. */
export function refusedAsJsonRpc(error: Error, c: Context): Response {
  const id = requestIdOf(c);
  const refusal = refusalOf(error, c);
  return errorResponse(refusal, id, jsonRpcError(refusal));
}
