// A whole Worker: sessions in Postgres in front of an MCP handler of your own. Its cron events clean up.
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { Hono } from "hono";
import { requestId } from "hono/request-id";
import * as z from "zod";
import { requireScope } from "../src/auth/guard.ts";
import { principalOf } from "../src/auth/principal.ts";
import { handleCron } from "../src/cron.ts";
import { DatabaseFault } from "../src/db/fault.ts";
import { createDeps } from "../src/deps.ts";
import { readConfig } from "../src/env.ts";
import { AppError, errorResponse, refusalOfFault } from "../src/http/errors.ts";
import { requestLog, type RequestVariables } from "../src/http/request-log.ts";
import { configureLog } from "../src/log.ts";
import { jsonAnswerOf } from "../src/mcp/json-answer.ts";
import { isLegacyRequest, legacyVersions } from "../src/mcp/revisions.ts";
import { acceptingBoth } from "../src/mcp/transport.ts";
import { sessionMiddleware, type SessionVariables } from "../src/session/middleware.ts";
import { jsonRpcError } from "../src/session/protocol.ts";
import { nameOfSession, type Session } from "../src/session/session.ts";

/** Your handler. Here it is the SDK's; any function from a request to a response will do. */
function handlerFor(session: Session | undefined) {
  return createMcpHandler(() => {
    const server = new McpServer({ name: "own", version: "1.0.0" });
    server.registerTool("who_am_i", { description: "Names the session", inputSchema: z.object({}) }, () => ({
      content: [{ type: "text", text: session === undefined ? "no session" : nameOfSession(session.key) }],
    }));
    return server;
  });
}

function open(env: Env) {
  const config = readConfig(env);
  configureLog(config.log);
  const deps = createDeps(config);

  const app = new Hono<{ Variables: RequestVariables & SessionVariables }>();
  app.use(requestId({ headerName: "" }), requestLog);
  app.all(
    "/mcp",
    requireScope(deps.authentication, "mcp"),
    sessionMiddleware({
      store: deps.sessions,
      // A session belongs to this text. With an authentication of your own: the user that it has found.
      principal: principalOf,
      isLegacy: isLegacyRequest,
      protocolVersions: legacyVersions,
      mayOpen: deps.mayOpenSession,
    }),
    async (c) => {
      // The SDK's handler wants both types in Accept. The gate has read what the client takes: a client of JSON alone gets JSON.
      const handler = handlerFor(c.get("session"));
      const answer = await handler.fetch(acceptingBoth(c.req.raw), { parsedBody: c.get("mcpBody") });
      return c.get("answerForm") === "json" ? jsonAnswerOf(answer) : answer;
    },
  );
  app.onError((error, c) => {
    const refusal = refusalOf(error);
    return errorResponse(refusal, c.get("requestId"), jsonRpcError(refusal));
  });
  return { app, config, deps };
}

function refusalOf(error: Error): AppError {
  if (error instanceof AppError) return error;
  // 503 and not 404: a client that gets 404 starts over.
  if (error instanceof DatabaseFault) return refusalOfFault(error);
  return new AppError("internal");
}

let opened: ReturnType<typeof open> | undefined;

export default {
  fetch(request, env, context) {
    opened ??= open(env);
    return opened.app.fetch(request, env, context);
  },
  async scheduled(event, env) {
    const { config, deps } = (opened ??= open(env));
    await handleCron(event, config.cleanup, deps.cleanups, deps.idleSleep);
  },
} satisfies ExportedHandler<Env>;
