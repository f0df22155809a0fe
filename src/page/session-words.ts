// How a session is written on the pages. Pure.
import { html } from "hono/html";
import type { ListedSession } from "../admin/listed-session.ts";
import { principalName } from "../auth/principal-name.ts";
import { badge, type Html, soft, untrusted } from "./elements.ts";
import { address } from "./list.ts";

export const SESSIONS_PATH = "/admin/sessions";

export const sessionPath = ({ handle }: Pick<ListedSession, "handle">): string =>
  `${SESSIONS_PATH}/${handle}`;

/** The name in the logs. A session of another program has none: then what its handle begins with. */
export const nameOf = ({ session, handle }: ListedSession): Html =>
  html`${session === null ? soft("handle ") : ""}<code>${session ?? handle.slice(0, 8)}</code>`;

/** Whose it is: the name of a key, or the subject of a token and its issuer. */
export function principalOf({
  principal,
  issuer,
  subject,
}: Pick<ListedSession, "principal" | "issuer" | "subject">): Html {
  if (principal === null) return soft("another program");
  if (issuer === undefined || subject === undefined) return untrusted(principal);
  return html`${untrusted(subject)} ${soft("of")} ${untrusted(issuer)}`;
}

/** Where all sessions of a principal are, or are ended; undefined when the name is none that can be asked for. */
export const pathOfPrincipal = (
  principal: string | null | undefined,
  path = SESSIONS_PATH,
): string | undefined =>
  principalName.safeParse(principal).success ? address(path, { principal: principal ?? "" }) : undefined;

export const END_ALL_PATH = `${SESSIONS_PATH}/end`;

// A version is a few characters, and so is a reason.
const SHORT = 24;

export function clientOf({ client_name: name, client_version: version }: ListedSession): Html {
  if (name === null && version === null) return soft("not known");
  return html`${name === null ? "" : untrusted(name)} ${version === null ? "" : untrusted(version, SHORT)}`;
}

/** Active, expired, or ended and why. */
export function stateOf({ state, ended_at: endedAt, end_reason: reason }: ListedSession): Html {
  if (endedAt === null && reason === null) return badge(state, state === "active" ? "good" : "plain");
  return html`${badge("ended")} ${reason === null ? "" : untrusted(reason, SHORT)}`;
}
