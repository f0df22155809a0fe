// The pages of the sessions of all principals: the list, one of them, and how they are ended. One statement each.
import * as z from "zod";
import { logEnd } from "../admin/end-log.ts";
import {
  clientPart,
  handle,
  meantPrincipal,
  nameInLogs,
  principalIn,
  stateOfSession,
} from "../admin/session-filter.ts";
import { LOOKED_AT, type SessionsStore } from "../admin/sessions-store.ts";
import { callerOf, labelOf } from "../auth/principal.ts";
import { principalName } from "../auth/principal-name.ts";
import { AppError } from "../http/errors.ts";
import { readParams } from "../http/input.ts";
import type { ReadForm } from "./form.ts";
import { frameOf, type PageContext } from "./guard.ts";
import { asked, show, showList } from "./list-endpoint.ts";
import { endAllQuestion, endedAll, endQuestion, sessionPage } from "./session-page.ts";
import { sessionPath } from "./session-words.ts";
import { sessionsPage } from "./sessions-page.ts";

// What fits on a screen or two.
const PAGE_SIZE = 50;

const csrfOf = (c: PageContext) => frameOf(c, "").csrf;

/** Every handler @throws AppError and DatabaseFault. */
export function sessionsPages({ store, readForm }: { store: SessionsStore; readForm: ReadForm }) {
  const listQuery = z.object({
    ...meantPrincipal,
    state: stateOfSession.optional(),
    client: clientPart.optional(),
    session: nameInLogs.optional(),
    after: handle.optional(),
  });
  const params = z.object({ handle });
  const owner = z.object({ principal: principalName });
  const nothing = z.object({});

  async function sessionIn(c: PageContext) {
    const session = await store.find(readParams(c, params).handle);
    if (session === undefined)
      throw new AppError("session_not_found", "There is no session with this handle");
    return session;
  }

  return {
    list: (c: PageContext) =>
      showList(c, {
        title: "Sessions",
        query: listQuery,
        find: ({ principal, issuer, subject, ...rest }) =>
          store.list({ ...rest, principal: principalIn({ principal, issuer, subject }), limit: PAGE_SIZE }),
        body: (query, found) => sessionsPage({ query, found, lookedAt: LOOKED_AT }),
      }),

    one: async (c: PageContext) => {
      const session = await sessionIn(c);
      return show(c, `Session ${session.session ?? session.handle.slice(0, 8)}`, sessionPage(session));
    },

    askToEnd: async (c: PageContext) =>
      show(c, "End this session?", endQuestion(await sessionIn(c), csrfOf(c))),

    end: async (c: PageContext) => {
      await readForm(c, nothing);
      const meant = readParams(c, params);
      const ended = await store.end(meant.handle);
      if (ended === undefined)
        throw new AppError("session_not_found", "It was not ended: no active session has this handle");
      const { principal, session } = ended;
      logEnd({
        by: callerOf(c).label,
        ...(principal !== null && { principal: await labelOf(principal) }),
        session: session ?? undefined,
        ended: 1,
      });
      return c.redirect(sessionPath(meant), 303);
    },

    askToEndAll: async (c: PageContext) => {
      const { principal } = asked(c, owner);
      const endable = await store.countEndable(principal);
      return show(
        c,
        "End all sessions of a principal?",
        endAllQuestion({ principal, endable, csrf: csrfOf(c) }),
      );
    },

    endAll: async (c: PageContext) => {
      const { principal } = await readForm(c, owner);
      const { ended, hasMore } = await store.endAll(principal);
      logEnd({ by: callerOf(c).label, principal: await labelOf(principal), ended });
      return show(c, "Sessions are ended", endedAll({ principal, ended, hasMore, csrf: csrfOf(c) }));
    },
  };
}
