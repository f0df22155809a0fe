// One session, and the questions before sessions are ended. Pure.
import { html } from "hono/html";
import type { SessionDetail } from "../admin/listed-session.ts";
import { END_LIMIT } from "../session/conditions.ts";
import {
  button,
  type Cell,
  count,
  facts,
  hidden,
  type Html,
  link,
  soft,
  time,
  untrusted,
} from "./elements.ts";
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

const text = (value: string | null): Cell => (value === null ? soft("none") : untrusted(value));

const sheet = (pairs: Parameters<typeof facts>[0]): Html =>
  html`<div class="sheet narrow">${facts(pairs)}</div>`;

export function sessionPage(session: SessionDetail): Html {
  const { state, principal, expires_at: expiresAt, ended_at: endedAt } = session;
  const isActive = state === "active";
  const ofPrincipal = pathOfPrincipal(principal);
  return html`${sheet([
    ["Name in the log", nameOf(session)],
    ["State", stateOf(session)],
    ["Principal", principalOf(session)],
    ["Client", clientOf(session)],
    ["MCP revision", text(session.protocol_version)],
    ["Opened", time(session.created_at)],
    ["Last used", time(session.last_active)],
    [isActive ? "Expires" : "Expired", expiresAt === null && isActive ? soft("never") : time(expiresAt)],
    ...(endedAt === null ? [] : [["Ended", time(endedAt)] as const]),
    ["Level of its log", text(session.log_level)],
    ["What its client can do", capabilitiesOf(session)],
    ["Its document", documentOf(session)],
    ["Handle", html`<code>${session.handle}</code>`],
  ])}
<p class="row">${isActive && html`<a class="button" href="${sessionPath(session)}/end">End this session…</a>`}
${ofPrincipal && link(ofPrincipal, "All sessions of this principal")}
${ofPrincipal && link(pathOfPrincipal(principal, END_ALL_PATH), "End all sessions of this principal…")}</p>`;
}

const capabilitiesOf = ({ capabilities }: SessionDetail): Html =>
  capabilities.length === 0
    ? soft("nothing")
    : html`${capabilities.map((name, i) => html`${i === 0 ? "" : ", "}${untrusted(name)}`)}`;

/** How much it is. What it says is the client's, and so are the names of its keys. */
function documentOf({ state_bytes: bytes, state_keys: keys, state_version: version }: SessionDetail): Cell {
  if (bytes === null) return soft("empty");
  const written = version === null ? "" : `, written ${count(version)} times`;
  return `${count(keys)} ${keys === 1 ? "key" : "keys"}, ${count(bytes)} bytes${written}`;
}

const AFTERWARDS =
  "The next request of an ended session gets 404, and its client then opens a new one. What was kept in it is lost, and nothing brings it back. To keep somebody out, take their key from API_KEYS first.";

/** @param csrf of the form. */
export const endQuestion = (session: SessionDetail, csrf: string): Html =>
  session.state === "active"
    ? html`${sheet([
        ["Session", nameOf(session)],
        ["Principal", principalOf(session)],
        ["Client", clientOf(session)],
        ["Last used", time(session.last_active)],
      ])}<p>${AFTERWARDS}</p>
${form(`${sessionPath(session)}/end`, csrf, "End this session", sessionPath(session))}`
    : html`<p>It is not active any more: ${stateOf(session)}. ${link(sessionPath(session), "The session")}</p>`;

export interface EndAllData {
  principal: string;
  /** How many can be ended; END_LIMIT + 1 stands for more than END_LIMIT. */
  endable: number;
  csrf: string;
}

export function endAllQuestion({ principal, endable, csrf }: EndAllData): Html {
  const name = untrusted(principal);
  if (endable === 0) return html`<p>${name} has no active session. ${back(principal)}</p>`;
  const amount =
    endable > END_LIMIT
      ? html`<strong>${count(END_LIMIT)}</strong> of more than that many active sessions`
      : html`<strong>${count(endable)}</strong> active ${endable === 1 ? "session" : "sessions"}`;
  return html`<p>This ends ${amount} of ${name}. ${AFTERWARDS}</p>${endAllForm(principal, csrf, "End them all")}`;
}

export interface EndedAllData {
  principal: string;
  ended: number;
  hasMore: boolean;
  csrf: string;
}

export const endedAll = ({ principal, ended, hasMore, csrf }: EndedAllData): Html =>
  html`<p>Ended: <strong>${count(ended)}</strong> of ${untrusted(principal)}. ${hasMore ? "More remain." : back(principal)}</p>
${hasMore && endAllForm(principal, csrf, "End more")}`;

const back = (principal: string): Html => link(pathOfPrincipal(principal), "Its sessions");

const endAllForm = (principal: string, csrf: string, label: string): Html =>
  form(
    END_ALL_PATH,
    csrf,
    label,
    pathOfPrincipal(principal) ?? SESSIONS_PATH,
    html`<input type="hidden" name="principal" value="${principal}" />`,
  );

const form = (action: string, csrf: string, label: string, cancel: string, field: Html | "" = ""): Html =>
  html`<form method="post" action="${action}" class="row">${hidden(csrf)}${field}${button(label, "danger")} ${link(cancel, "Leave it")}</form>`;
