// What becomes of an error that a request ends with: the refusal that its client gets, and the line that its operator gets.
import type { Context } from "hono";
import type { PrincipalVariables } from "../auth/principal.ts";
import { DatabaseFault } from "../db/fault.ts";
import { errorName, logOf } from "../log.ts";
import { AppError, refusalOfFault } from "./errors.ts";
import type { RequestVariables } from "./request-log.ts";

const log = logOf("http", {
  error: {
    "MCP session store failed": {
      meaning: "A request needed the database and got 503. `kind` and `sqlstate` say why.",
      fields: ["kind", "sqlstate", "request_id"],
    },
    "The request failed": {
      meaning: "A mistake in the Worker, answered with 500. `error` is the name of the error.",
      fields: ["error", "request_id"],
    },
  },
});

type FailedContext = Context<{ Variables: RequestVariables & Partial<PrincipalVariables> }>;

/** What the client is told of an error. The rest is logged. */
export function refusalOf(error: Error, c: FailedContext): AppError {
  if (error instanceof AppError) return error;
  const id = c.get("requestId");
  if (error instanceof DatabaseFault) {
    log.error("MCP session store failed", { kind: error.kind, sqlstate: error.sqlstate, request_id: id });
    return refusalOfFault(error, c.get("principal")?.scopes.includes("admin"));
  }
  log.error("The request failed", { error: errorName(error), request_id: id });
  return new AppError("internal");
}
