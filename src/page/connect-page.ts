// How clients are told of this Worker, to copy. Pure.
import { html } from "hono/html";
import { type ClientGuide, clientGuides, textOf } from "./client-configs.ts";
import { badge, type Html, manual, section, toCopy } from "./elements.ts";
import { type Frame, page } from "./layout.ts";

interface Connect {
  /** Of /mcp on the host that was asked. */
  url: string;
  serverName: string;
  /** Whether people may sign in with OAuth, and not with keys alone. */
  hasSignIn: boolean;
}

export function connectPage(frame: Frame, { url, serverName, hasSignIn }: Connect): Html {
  const target = { url, name: shortName(serverName) };
  const guide = ({ name, withKey, note }: ClientGuide) =>
    html`<div id="${idOf(name)}">${section(
      name,
      html`${note && html`<p>${note}</p>`}${withKey.map(([where, text]) => html`<p class="hint">${where}</p>${toCopy(`the configuration of ${name}`, textOf(text(target)))}`)}`,
      withKey.length === 0 && !hasSignIn ? badge("needs OAuth, which is off", "warning") : "",
    )}</div>`;
  return page(
    frame,
    html`<section class="sheet">
<p>Every client needs this address${hasSignIn ? ", and lets its person sign in. Or it sends" : ", and"} a key with the scope <code>mcp</code>.</p>
${toCopy("the address", url)}
<p>Put the key where you read <code>YOUR_KEY</code>, or into the environment where you read <code>MCP_KEY</code>. This page knows no key.${
      hasSignIn ? " To sign in instead, leave the header out." : ""
    }</p>
<p>${manual("docs/clients.md", "Connect a client")}</p>
</section>
<nav aria-label="Clients"><ul class="contents">${clientGuides.map(
      ({ name }) => html`<li><a href="#${idOf(name)}">${name}</a></li>`,
    )}</ul></nav>
${clientGuides.map(guide)}`,
  );
}

const idOf = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

/** A name that every client takes. */
const shortName = (serverName: string) =>
  /[a-z0-9][a-z0-9-]{0,31}/.exec(idOf(serverName))?.[0] ?? "my-server";
