// The pages of the handles and tasks of all principals: the list, one of them, and how it is ended. One statement each.
import * as z from "zod";
import { logEndOf } from "../admin/end-log.ts";
import { keyParams } from "../admin/kept-filter.ts";
import type { KeptFilter, KeptStore } from "../admin/kept-store.ts";
import { principalIn } from "../admin/session-filter.ts";
import { LOOKED_AT } from "../admin/sessions-store.ts";
import { callerOf, labelOf } from "../auth/principal.ts";
import { AppError } from "../http/errors.ts";
import { readParams } from "../http/input.ts";
import type { ReadForm } from "./form.ts";
import { frameOf, type PageContext } from "./guard.ts";
import {
  keptList,
  keptPage,
  keptQuestion,
  type KeptQuery,
  type KeptRow,
  type KeptWords,
  pathOfKept,
} from "./kept-page.ts";
import { show, showList } from "./list-endpoint.ts";

// As many as of sessions.
const PAGE_SIZE = 50;

export interface KeptPagesOptions<Row extends KeptRow, Query extends KeptQuery> {
  what: "handle" | "task";
  words: KeptWords<Row>;
  query: z.ZodType<Query>;
  store: KeptStore<Row, Query & KeptFilter>;
  readForm: ReadForm;
}

/** Every handler @throws AppError and DatabaseFault. */
export function keptPages<Row extends KeptRow, Query extends KeptQuery>({
  what,
  words,
  query: schema,
  store,
  readForm,
}: KeptPagesOptions<Row, Query>) {
  const nothing = z.object({});

  async function rowIn(c: PageContext) {
    const row = await store.find(readParams(c, keyParams).key);
    if (row === undefined) throw new AppError(`${what}_not_found`, `There is no ${what} with this key`);
    return row;
  }

  return {
    list: (c: PageContext) =>
      showList(c, {
        title: words.title,
        query: schema,
        find: (query) => store.list({ ...query, principal: principalIn({ ...query }), limit: PAGE_SIZE }),
        body: (query, found) => keptList(words, query, found, LOOKED_AT),
      }),

    one: async (c: PageContext) => {
      const row = await rowIn(c);
      return show(c, `${words.title.slice(0, -1)} ${row.key.slice(0, 8)}`, keptPage(words, row));
    },

    askToEnd: async (c: PageContext) => {
      const row = await rowIn(c);
      return show(c, `${words.verb} this ${what}?`, keptQuestion(words, row, frameOf(c, "").csrf));
    },

    end: async (c: PageContext) => {
      await readForm(c, nothing);
      const { key } = readParams(c, keyParams);
      const ended = await store.end(key);
      if (ended === undefined)
        throw new AppError(`${what}_not_found`, `It was not ${words.done}: it had ended before`);
      logEndOf(what, { by: callerOf(c).label, principal: await labelOf(ended.principal), key });
      return c.redirect(pathOfKept(words, { key }), 303);
    },
  };
}
