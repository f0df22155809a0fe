// Operator routes of the handles and tasks of all principals: list them, end them.
import type { Context } from "hono";
import * as z from "zod";
import { callerOf, labelOf } from "../auth/principal.ts";
import { AppError, type ErrorCode, storeRefusals } from "../http/errors.ts";
import { limit, noQuery, readParams, readQuery } from "../http/input.ts";
import { documentedRoute } from "../http/openapi.ts";
import { logEndOf } from "./end-log.ts";
import { handlesFilter, keyParams, tasksFilter } from "./kept-filter.ts";
import type { HandlesStore, KeptFilter, KeptStore, TasksStore } from "./kept-store.ts";
import { listedHandle, listedTask } from "./listed-kept.ts";
import { principalIn } from "./session-filter.ts";
import { LOOKED_AT } from "./sessions-store.ts";

const handlesQuery = z.strictObject({ ...handlesFilter, limit });
const tasksQuery = z.strictObject({ ...tasksFilter, limit });

export const listHandlesRoute = listRoute("handles", handlesQuery, listedHandle);
export const listTasksRoute = listRoute("tasks", tasksQuery, listedTask);

export const endHandleRoute = endRoute("Ends a handle of any principal", "handle_not_found", "It is ended");
export const endTaskRoute = endRoute(
  "Cancels a task of any principal",
  "task_not_found",
  "It is cancelled. Its runner hears of it within seconds",
);

function listRoute(what: "handles" | "tasks", query: z.ZodObject, row: z.ZodType) {
  return documentedRoute({
    summary: `The ${what} in the table, a page at a time`,
    description: `A page looks at ${LOOKED_AT} rows of the table at most. With a filter it may have few ${what}, or none, and a \`next\` all the same.`,
    scope: "admin",
    query,
    answers: {
      200: {
        description: "A page, in the order of keys",
        schema: z.object({ [what]: z.array(row), next: z.string().nullable() }),
      },
    },
    refusals: ["invalid_request", ...storeRefusals],
  });
}

function endRoute(summary: string, notFound: ErrorCode, description: string) {
  return documentedRoute({
    summary,
    scope: "admin",
    params: keyParams,
    answers: { 204: { description } },
    refusals: ["invalid_request", notFound, ...storeRefusals],
  });
}

/** The two handlers. Each @throws AppError and DatabaseFault. */
export const handlesEndpoint = ({ store }: { store: HandlesStore }) =>
  keptEndpoint("handle", (c) => readQuery(c, handlesQuery), store);

/** The two handlers. Each @throws AppError and DatabaseFault. */
export const tasksEndpoint = ({ store }: { store: TasksStore }) =>
  keptEndpoint("task", (c) => readQuery(c, tasksQuery), store);

function keptEndpoint<Filter extends KeptFilter & Parameters<typeof principalIn>[0]>(
  what: "handle" | "task",
  read: (c: Context) => Filter,
  store: KeptStore<unknown, Filter>,
) {
  return {
    list: async (c: Context) => {
      const asked = read(c);
      const { rows, next } = await store.list({ ...asked, principal: principalIn(asked) });
      return c.json({ [`${what}s`]: rows, next });
    },

    end: async (c: Context) => {
      readQuery(c, noQuery);
      const { label: by } = callerOf(c);
      const { key } = readParams(c, keyParams);
      const ended = await store.end(key);
      if (ended === undefined) throw new AppError(`${what}_not_found`);
      logEndOf(what, { by, principal: await labelOf(ended.principal), key });
      return c.body(null, 204);
    },
  };
}
