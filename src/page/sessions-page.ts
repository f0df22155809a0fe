// The list of sessions. Pure.
import { html } from "hono/html";
import type { ListedSession } from "../admin/listed-session.ts";
import { count, type Html, link, soft, time } from "./elements.ts";
import { address, choice, filter, list, moreFields, textField } from "./list.ts";
import {
  clientOf,
  END_ALL_PATH,
  nameOf,
  pathOfPrincipal,
  principalOf,
  sessionPath,
  SESSIONS_PATH,
  stateOf,
} from "./session-words.ts";

/** What the form asks for, as it was typed. */
export interface SessionsQuery {
  principal?: string | undefined;
  issuer?: string | undefined;
  subject?: string | undefined;
  state?: string | undefined;
  session?: string | undefined;
  client?: string | undefined;
}

export interface SessionsData {
  query: SessionsQuery;
  /** Undefined when what was typed cannot be asked for. */
  found: { sessions: readonly ListedSession[]; next: string | null } | undefined;
  /** How many rows a page looks at, at most. */
  lookedAt: number;
}

// As the columns and the routes have them: PostgreSQL cuts nothing that a form lets through.
const PRINCIPAL_CHARACTERS = 512;
const CLIENT_CHARACTERS = 128;
const NAME_CHARACTERS = 8;

export const sessionsPage = ({ query, found, lookedAt }: SessionsData): Html =>
  html`${filter(
    SESSIONS_PATH,
    [
      textField({ name: "principal", label: "Principal", value: query.principal }, PRINCIPAL_CHARACTERS),
      choice({ name: "state", label: "State", value: query.state }, ["active", "expired"]),
      textField({ name: "client", label: "Client", value: query.client }, CLIENT_CHARACTERS),
      textField(
        { name: "session", label: "Name in the log", value: query.session },
        NAME_CHARACTERS,
        "short",
      ),
    ],
    moreFields("By issuer and subject of a token", (query.issuer ?? query.subject) !== undefined, [
      textField({ name: "issuer", label: "Issuer", value: query.issuer }, PRINCIPAL_CHARACTERS),
      textField({ name: "subject", label: "Subject", value: query.subject }, PRINCIPAL_CHARACTERS),
    ]),
  )}${found && pageOf(query, found, lookedAt)}`;

function pageOf(
  query: SessionsQuery,
  { sessions, next }: NonNullable<SessionsData["found"]>,
  lookedAt: number,
): Html {
  const endAll = pathOfPrincipal(query.principal, END_ALL_PATH);
  return html`${list({
    caption: "Sessions, in an order that never changes",
    head: ["Session", "Principal", "Client", "State", "Last used", "Expires or expired", "End"],
    rows: sessions.map((session) => {
      const { principal, state, last_active: lastActive, expires_at: expiresAt } = session;
      return [
        link(sessionPath(session), nameOf(session)),
        link(pathOfPrincipal(principal), principalOf(session)),
        clientOf(session),
        stateOf(session),
        time(lastActive),
        expiresAt === null ? soft("never") : time(expiresAt),
        state === "active" ? link(`${sessionPath(session)}/end`, "End…") : "",
      ];
    }),
    next: next === null ? undefined : address(SESSIONS_PATH, { ...query, after: next }),
    empty:
      next === null
        ? "No session is like this."
        : `None of the ${count(lookedAt)} that were looked at is like this. There may be some on the next page.`,
  })}${endAll && html`<p class="row">${link(endAll, "End all sessions of this principal…")}</p>`}`;
}
