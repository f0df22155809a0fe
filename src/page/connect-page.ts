// How clients are told of this Worker, to copy. Pure.
import { html } from "hono/html";
import { type ClientGuide, clientGuides, type Configuration } from "./client-configs.ts";
import { badge, type Html, manual } from "./elements.ts";
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
  const configuration = (client: string, { where, text }: Configuration) =>
    html`<p class="hint">${where}</p>
      <div class="copy" data-name="${`the configuration of ${client}`}">
        <pre tabindex="0">${text(target)}</pre>
      </div>`;
  const section = ({ name, withKey, withSignIn, note }: ClientGuide) =>
    html`<section class="sheet" id="${idOf(name)}" aria-labelledby="${`${idOf(name)}-name`}">
      <div class="head">
        <h2 id="${`${idOf(name)}-name`}">${name}</h2>
        ${withKey.length > 0 ? badge("key") : ""}
        ${hasSignIn && withSignIn !== undefined ? badge("sign-in", "good") : ""}
        ${withKey.length === 0 ? badge("sign-in only", hasSignIn ? "good" : "warning") : ""}
      </div>
      ${note === undefined ? "" : html`<p>${note}</p>`}
      ${withKey.length === 0 && !hasSignIn ? html`<p>This Worker takes keys alone. ${manual("docs/oauth.md", "OAuth")}</p>` : ""}
      ${hasSignIn && withSignIn !== undefined ? configuration(name, { ...withSignIn, where: `${withSignIn.where}; the person signs in` }) : ""}
      ${withKey.map((one) => configuration(name, one))}
    </section>`;
  return page(
    frame,
    html`<section class="sheet">
        <p>
          Every client needs this address${hasSignIn ? ", and lets its person sign in. Or it sends" : ", and"}
          a key with the scope <code>mcp</code>.
        </p>
        <div class="copy" data-name="the address"><pre tabindex="0">${url}</pre></div>
        <p>
          Put the key where you read <code>YOUR_KEY</code>, or into the environment where you read
          <code>MCP_KEY</code>. This page knows no key. ${manual("docs/clients.md", "Connect a client")}
        </p>
      </section>
      <nav aria-label="Clients">
        <ul class="contents">
          ${clientGuides.map(({ name }) => html`<li><a href="#${idOf(name)}">${name}</a></li>`)}
        </ul>
      </nav>
      ${clientGuides.map(section)}`,
  );
}

const idOf = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

/** A name that every client takes. */
function shortName(serverName: string): string {
  const short = idOf(serverName).replaceAll(/^-|-$/g, "").slice(0, 32);
  return short === "" ? "my-server" : short;
}
