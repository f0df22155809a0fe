// The frame of every page: head, navigation, notice, foot. Pure. The page is whole without its script.
import { html, raw } from "hono/html";
import type { Scope } from "../auth/api-keys.ts";
import { hidden, type Html, soft, untrusted } from "./elements.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";

/** What has just been done, or why it was not. */
export interface Notice {
  kind: "good" | "bad";
  text: string;
}

/** Who looks at the page. */
export interface Viewer {
  /** What log lines call them. */
  label: string;
  scopes: readonly Scope[];
  /** Whether they have signed in here, and can sign out here. */
  isSignedIn: boolean;
}

export interface Frame {
  title: string;
  /** The path of the page, for the navigation. */
  path: string;
  nonce: string;
  viewer: Viewer;
  csrf: string;
  notice?: Notice | undefined;
  /** Which of these there are pages of. */
  keeps?: Partial<Record<"handles" | "tasks", boolean>> | undefined;
  /** Loads the page again by itself where scripts are off. With them, `data-again` does it better. */
  refresh?: { seconds: number; href: string } | undefined;
}

/** Of a page that is shown to anybody. */
export type PublicFrame = Pick<Frame, "title" | "nonce" | "refresh">;

/** What all pages load. */
export const assets = {
  style: asset("/admin/style.css", "text/css", style),
  script: asset("/admin/page.js", "text/javascript", script),
};

function asset(path: string, type: string, text: string) {
  let known: string | undefined;
  const version = () => (known ??= fingerprint(text));
  return { path, type, text, version, address: () => `${path}?v=${version()}` };
}

/** FNV-1a, in 32 bits: it tells versions of a text apart, and is no secret. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16);
}

const HOME = "/admin";

/** The pages of the navigation, each with the scope that it needs, and what must be kept for it. */
const pages: readonly { path: string; label: string; scope: Scope; of?: "handles" | "tasks" }[] = [
  { path: HOME, label: "Overview", scope: "health" },
  { path: "/admin/history", label: "History", scope: "health" },
  { path: "/admin/sessions", label: "Sessions", scope: "admin" },
  { path: "/admin/handles", label: "Handles", scope: "admin", of: "handles" },
  { path: "/admin/tasks", label: "Tasks", scope: "admin", of: "tasks" },
  { path: "/admin/runs", label: "Runs", scope: "admin" },
  { path: "/admin/connect", label: "Connect", scope: "admin" },
];

/** Whether a viewer may see what needs a scope. Who has `admin` sees all pages. */
export const maySee = ({ scopes }: Pick<Viewer, "scopes">, scope: Scope): boolean =>
  scopes.includes(scope) || scopes.includes("admin");

/** A page for a viewer. */
export function page(frame: Frame, body: Html): Html {
  const { viewer, csrf, notice, title, path, keeps = {} } = frame;
  const isHere = (of: string) => path === of || (of !== HOME && path.startsWith(`${of}/`));
  const links = pages.filter(
    ({ scope, of }) => maySee(viewer, scope) && (of === undefined || keeps[of] === true),
  );
  return document(
    frame,
    html`<a class="skip" href="#main">Skip to the page</a>
<header class="top"><div class="bar">
<a class="brand" href="${HOME}">${BRAND}</a>
<nav aria-label="Pages of the operator"><ul>${links.map(
      (link) => html`<li><a href="${link.path}"${isHere(link.path) ? CURRENT : ""}>${link.label}</a></li>`,
    )}</ul></nav>
<div class="viewer">${untrusted(viewer.label)}${viewer.scopes.includes("admin") ? "" : soft("may look only")}${
      viewer.isSignedIn
        ? html`<form method="post" action="/admin/sign-out">${hidden(csrf)}<button class="quiet">Sign out</button></form>`
        : ""
    }</div>
</div></header>
<main id="main" tabindex="-1"><h1>${title}</h1>
${notice === undefined ? "" : noticeOf(notice)}
${body}</main>`,
  );
}

/** A page for anybody. It asks nothing and knows nothing. */
export const publicPage = (frame: PublicFrame, body: Html): Html =>
  document(
    frame,
    html`<main id="main" class="alone"><p class="brand">${BRAND}</p><h1>${frame.title}</h1>
${body}</main>`,
  );

/** Says at the top what has been done, or why not. Screen readers say it first. */
export const noticeOf = ({ kind, text }: Notice): Html =>
  html`<div class="notice ${kind}" role="${kind === "bad" ? "alert" : "status"}"><p>${text}</p></div>`;

const CURRENT = raw(' aria-current="page"');
// Three sessions, of which one has just begun.
const BRAND = raw(
  '<svg class="mark" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M2.5 3.5h11M2.5 8h7M2.5 12.5h2"/></svg>mcp-sessions',
);

// The icon is an empty picture, so that a browser asks for none.
const document = ({ title, nonce, refresh }: PublicFrame, body: Html): Html =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · mcp-sessions</title>
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${assets.style.address()}">
<script nonce="${nonce}" src="${assets.script.address()}" defer></script>
${refresh && html`<noscript><meta http-equiv="refresh" content="${refresh.seconds};url=${refresh.href}"></noscript>`}
</head>
<body>
${body}
</body>
</html>`;
