// What another Worker can do with the handles and tasks of all principals, as an operator: list them, end them.
import * as z from "zod";
import { logEndOf } from "../admin/end-log.ts";
import { handlesFilter, keyParams, tasksFilter } from "../admin/kept-filter.ts";
import type { HandlesStore, TasksStore } from "../admin/kept-store.ts";
import type { ListedHandle, ListedTask } from "../admin/listed-kept.ts";
import { principalIn } from "../admin/session-filter.ts";
import { labelOf } from "../auth/principal.ts";
import { AppError } from "../http/errors.ts";
import type { Caller } from "./caller.ts";

const limit = z.int().min(1).max(1000).default(100);

/** What each verb takes. */
export const keptInputs = {
  listHandles: z.strictObject({ ...handlesFilter, limit }),
  endHandle: keyParams.strict(),
  listTasks: z.strictObject({ ...tasksFilter, limit }),
  cancelTask: keyParams.strict(),
};

/** What each verb answers. */
export interface KeptValues {
  listHandles: { handles: ListedHandle[]; next: string | null };
  endHandle: null;
  listTasks: { tasks: ListedTask[]; next: string | null };
  cancelTask: null;
}

export interface KeptVerbsOptions {
  /** Undefined: there are no handles. */
  allHandles: HandlesStore | undefined;
  /** Undefined: there are no tasks. */
  allTasks: TasksStore | undefined;
}

type Verbs = {
  [V in keyof KeptValues]: (
    caller: Caller,
    input: z.output<(typeof keptInputs)[V]>,
  ) => Promise<KeptValues[V]>;
};

/** Each @throws AppError and DatabaseFault. */
export function createKeptVerbs({ allHandles, allTasks }: KeptVerbsOptions): Verbs {
  return {
    async listHandles(_caller, asked) {
      const { rows, next } = await needed(allHandles).list({ ...asked, principal: principalIn(asked) });
      return { handles: rows, next };
    },
    endHandle: ({ caller }, { key }) => end(allHandles, "handle", caller, key),
    async listTasks(_caller, asked) {
      const { rows, next } = await needed(allTasks).list({ ...asked, principal: principalIn(asked) });
      return { tasks: rows, next };
    },
    cancelTask: ({ caller }, { key }) => end(allTasks, "task", caller, key),
  };
}

async function end(
  store: HandlesStore | TasksStore | undefined,
  what: "handle" | "task",
  by: string,
  key: string,
): Promise<null> {
  const ended = await needed(store).end(key);
  if (ended === undefined) throw new AppError(`${what}_not_found`);
  logEndOf(what, { by, principal: await labelOf(ended.principal), key });
  return null;
}

function needed<T>(store: T | undefined): T {
  if (store === undefined) throw new AppError("not_found", "They are not switched on in this Worker");
  return store;
}
