// Operator routes of the sessions of all principals: list them, end them.
import type { Context } from "hono";
import * as z from "zod";
import { callerOf, labelOf } from "../auth/principal.ts";
import { AppError, storeRefusals } from "../http/errors.ts";
import { limit, noQuery, readParams, readQuery } from "../http/input.ts";
import { documentedRoute } from "../http/openapi.ts";
import { logEnd } from "./end-log.ts";
import {
  clientPart,
  handle,
  meantPrincipal,
  nameInLogs,
  principalIn,
  stateOfSession,
} from "./session-filter.ts";
import { listedSession } from "./listed-session.ts";
import { LOOKED_AT, type SessionsStore } from "./sessions-store.ts";

const listQuery = z.strictObject({
  ...meantPrincipal,
  state: stateOfSession.optional(),
  session: nameInLogs.optional(),
  client: clientPart.optional(),
  after: handle.optional().describe("The `next` of the page before"),
  limit,
});
const endQuery = z.strictObject(meantPrincipal);
const params = z.object({ handle });

export const listSessionsRoute = documentedRoute({
  summary: "The sessions in the table, a page at a time",
  description: `A page looks at ${LOOKED_AT} rows of the table at most. With \`state\` or \`client\` it may have few sessions, or none, and a \`next\` all the same.`,
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
      const { principal, issuer, subject, ...filter } = readQuery(c, listQuery);
      const meant = principalIn({ principal, issuer, subject });
      return c.json(await store.list({ ...filter, principal: meant }));
    },

    end: async (c: Context) => {
      readQuery(c, noQuery);
      // First: nothing is ended of which the log cannot say by whom.
      const { label: by } = callerOf(c);
      const ended = await store.end(readParams(c, params).handle);
      if (ended === undefined) throw new AppError("session_not_found");
      logEnd({ by, ended: 1 });
      return c.body(null, 204);
    },

    endAll: async (c: Context) => {
      const { label: by } = callerOf(c);
      const principal = principalIn(readQuery(c, endQuery));
      if (principal === undefined)
        throw new AppError("invalid_request", "The parameter principal is required, or issuer and subject");
      const { ended, hasMore } = await store.endAll(principal);
      logEnd({ by, principal: await labelOf(principal), ended });
      return c.json({ ended, has_more: hasMore });
    },
  };
}
