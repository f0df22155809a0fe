// The pages. Whatever comes from a client is text in them, isolated in its direction and of bounded length.
import { html } from "hono/html";
import type { Scope } from "mcp-sessions/auth";
import { style } from "./style.ts";

export interface Asking {
  /** What the client calls itself. */
  clientName: string;
  /** The domain of the client; undefined when it has registered itself, as anybody can. */
  clientDomain: string | undefined;
  redirectUri: string;
  isLocal: boolean;
  scopes: readonly Scope[];
  resource: string;
  /** Of the form: it works once. */
  handle: string;
  /** What was wrong with the answer before. */
  problem?: string | undefined;
}

// In the order in which they are shown.
const meanings: Record<Scope, string> = {
  mcp: "Use the tools of this server, and what your own sessions keep",
  health: "See how the server and its sessions are doing",
  metrics: "Read the metrics of the server",
  admin: "See and end the sessions of everybody, and delete expired ones",
};

export function consentPage(asking: Asking, nonce: string) {
  const { clientDomain, scopes, resource, handle, problem } = asking;
  const client = html`<bdi>${shown(asking.clientName)}</bdi>`;
  const target = new URL(asking.redirectUri).host || asking.redirectUri;
  const title = `${problem === undefined ? "" : "Error: "}Sign in to ${new URL(resource).host}`;
  return page(
    { title, nonce },
    html`
      ${
        problem !== undefined &&
        html`<div class="problem" role="alert" tabindex="-1" autofocus>
          <h2>You are not signed in</h2>
          <a href="#key">${problem}</a>
        </div>`
      }
      <h1>Allow ${client} to use <bdi>${new URL(resource).host}</bdi>?</h1>
      <dl>
        <dt>Who asks</dt>
        <dd>
          ${
            clientDomain === undefined
              ? html`${client}. Nobody has checked this name: any program can use it.`
              : html`${client}, of <strong><bdi>${clientDomain}</bdi></strong>`
          }
        </dd>
        <dt>Where you are sent back to</dt>
        <dd>
          <strong><bdi>${target}</bdi></strong>
          ${
            asking.isLocal &&
            html`<p class="warning">
              This is a program on your own computer. Continue only if you have just started to connect it.
            </p>`
          }
        </dd>
        <dt>What it may do</dt>
        <dd>
          <ul>
            ${Object.entries(meanings)
              .filter(([scope]) => scopes.some((asked) => asked === scope))
              .map(([scope, meaning]) => html`<li>${meaning} <code>${scope}</code></li>`)}
          </ul>
          It gets no more than your key allows, and never the key itself.
        </dd>
      </dl>
      <form method="post" autocomplete="off">
        <input type="hidden" name="handle" value="${handle}" />
        <label for="key">Your key</label>
        <p id="hint">One with the scope <code>mcp</code>, from the person who runs this server.</p>
        ${problem !== undefined && html`<p id="problem" class="wrong">${problem}</p>`}
        <input
          id="key"
          name="key"
          type="password"
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          maxlength="256"
          aria-describedby="${problem === undefined ? "hint" : "problem hint"}"
          ${problem !== undefined && html`aria-invalid="true"`}
        />
        <div class="buttons">
          <button name="decision" value="allow">Allow</button>
          <button name="decision" value="deny" class="other">Deny</button>
        </div>
      </form>
    `,
  );
}

/**
 * Sends the browser on, without a script. Not a redirect: Chromium holds those to `form-action`, and so those that the
 * client answers with in its turn.
 */
export function returnPage(target: string, nonce: string) {
  const host = new URL(target).host || "the program that asked";
  return page(
    { title: "Going back", nonce, refresh: target },
    html`<h1>Going back</h1>
      <p>
        <a href="${target}">Continue to <bdi>${host}</bdi></a> if nothing happens.
      </p>`,
  );
}

export interface Message {
  title: string;
  text: string;
  /** The address of the page to start again from. */
  again?: string | undefined;
}

export function messagePage({ title, text, again }: Message, nonce: string) {
  return page(
    { title, nonce },
    html`<h1>${title}</h1>
      <p>${text}</p>
      ${again !== undefined && html`<p><a href="${again}">Start again</a></p>`}`,
  );
}

// A name may be as long as its client likes, and a page must be readable.
const MAX_NAME_LENGTH = 80;

/** A name without control characters and marks of direction, cut where it is long. */
function shown(name: string): string {
  const text = name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim();
  const characters = Array.from(text);
  return characters.length <= MAX_NAME_LENGTH ? text : `${characters.slice(0, MAX_NAME_LENGTH).join("")}…`;
}

type Html = ReturnType<typeof html>;

function page({ title, nonce, refresh }: { title: string; nonce: string; refresh?: string }, body: Html) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        ${refresh !== undefined && html`<meta http-equiv="refresh" content="0; url=${refresh}" />`}
        <title>${title}</title>
        <style nonce="${nonce}">
          ${style}
        </style>
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html>`;
}
