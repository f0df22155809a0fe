// Operator routes of the sessions of all principals: list them, end them.
import type { Context } from "hono";
import * as z from "zod";
import { callerOf, labelOf, nameOfBearer } from "../auth/principal.ts";
import { AppError, storeRefusals } from "../http/errors.ts";
import { limit, principalName, readParams, readQuery } from "../http/input.ts";
import { logOf } from "../log.ts";
import { documentedRoute } from "../http/openapi.ts";
import { listedSession, LOOKED_AT, type SessionsStore } from "./sessions-store.ts";

const log = logOf("admin", {
  info: {
    "MCP sessions ended": {
      meaning: "An operator, `by`, has ended a session, or the sessions of a principal.",
      fields: ["by", "principal", "ended", "reason"],
    },
  },
});

const handle = z
  .guid({ error: "must be a handle, as GET /sessions gives them" })
  .describe("Names a session, as `GET /sessions` gives it");
const meantPrincipal = {
  principal: principalName.optional(),
  issuer: principalName
    .optional()
    .describe("With `subject`: who opened the session by a token. As `iss` has it"),
  subject: principalName.optional().describe("With `issuer`: as `sub` has it"),
};
const listQuery = z.strictObject({
  ...meantPrincipal,
  state: z
    .enum(["active", "expired"], { error: "must be active or expired" })
    .optional()
    .describe("Only sessions in this state"),
  session: z
    .string()
    .regex(/^[0-9a-f]{8}$/, { error: "must be the 8 characters of a session in the log" })
    .optional()
    .describe("Only the session with this name in the logs. More than one only by a rare chance"),
  after: handle.optional().describe("The `next` of the page before"),
  limit,
});
const endQuery = z.strictObject(meantPrincipal);

/** The name of the principal that a query means. @throws AppError `invalid_request` */
function principalIn({
  principal,
  issuer,
  subject,
}: {
  principal?: string | undefined;
  issuer?: string | undefined;
  subject?: string | undefined;
}): string | undefined {
  if (issuer === undefined && subject === undefined) return principal;
  if (principal !== undefined)
    throw new AppError("invalid_request", "The parameter principal must not stand beside issuer and subject");
  if (issuer === undefined || subject === undefined)
    throw new AppError("invalid_request", "The parameters issuer and subject must be given together");
  return nameOfBearer(issuer, subject);
}

const params = z.object({ handle });

export const listSessionsRoute = documentedRoute({
  summary: "The sessions in the table, a page at a time",
  description: `A page looks at ${LOOKED_AT} rows of the table at most. With \`state\` it may have few sessions, or none, and a \`next\` all the same.`,
  scope: "admin",
  query: listQuery,
  answers: {
    200: {
      description: "A page, in the order of handles",
      schema: z.object({
        sessions: z.array(listedSession),
        next: z.guid().nullable(),
      }),
    },
  },
  refusals: ["invalid_request", ...storeRefusals],
});

export const endSessionRoute = documentedRoute({
  summary: "Ends a session of any principal",
  scope: "admin",
  params,
  answers: { 204: { description: "It is ended" } },
  refusals: ["invalid_request", "session_not_found", ...storeRefusals],
});

export const endSessionsRoute = documentedRoute({
  summary: "Ends the sessions of a principal",
  scope: "admin",
  query: endQuery,
  answers: {
    200: {
      description: "How many were ended; ask again while there are more",
      schema: z.object({ ended: z.int().min(0), has_more: z.boolean() }),
    },
  },
  refusals: ["invalid_request", ...storeRefusals],
});

/** The three handlers. Each @throws AppError and DatabaseFault. */
export function sessionsEndpoint({ store }: { store: SessionsStore }) {
  return {
    list: async (c: Context) => {
      const { state, session, after, limit: size, ...meant } = readQuery(c, listQuery);
      return c.json(await store.list({ principal: principalIn(meant), state, session, after, limit: size }));
    },

    end: async (c: Context) => {
      const isEnded = await store.end(readParams(c, params).handle);
      if (!isEnded) throw new AppError("session_not_found");
      log.info("MCP sessions ended", { by: callerOf(c).label, ended: 1, reason: "operator" });
      return c.body(null, 204);
    },

    endAll: async (c: Context) => {
      const principal = principalIn(readQuery(c, endQuery));
      if (principal === undefined)
        throw new AppError("invalid_request", "The parameter principal is required, or issuer and subject");
      const { ended, hasMore } = await store.endAll(principal);
      log.info("MCP sessions ended", {
        by: callerOf(c).label,
        principal: await labelOf(principal),
        ended,
        reason: "operator",
      });
      return c.json({ ended, has_more: hasMore });
    },
  };
}
