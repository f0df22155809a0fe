// The page at /: what this is, and where to look. It asks nobody. Pure.
import { html } from "hono/html";
import { facts, type Html } from "./elements.ts";
import { publicPage } from "./layout.ts";

interface Home {
  serverName: string;
  /** Of /mcp. */
  url: string;
  /** Whether people may sign in with OAuth, and not with keys alone. */
  hasSignIn: boolean;
}

export const homePage = (nonce: string, { serverName, url, hasSignIn }: Home): Html =>
  publicPage(
    { title: serverName, nonce },
    html`<section class="sheet">
        <p>
          This is a server of the Model Context Protocol. Programs talk to it; give your client this address:
        </p>
        <div class="copy" data-name="the address"><pre tabindex="0">${url}</pre></div>
        <p>
          ${hasSignIn ? "It needs a key, or lets you sign in." : "It needs a key."}
          <code>mcp-sessions</code> keeps what a client does in a session until the session ends.
        </p>
      </section>
      <section class="sheet">
        <h2>Where to look</h2>
        ${facts([
          ["For operators", html`<a href="/admin">/admin</a>`],
          ["Does it run?", html`<a href="/healthz">/healthz</a>`],
          ["For programs", html`<a href="/openapi.json">/openapi.json</a>`],
        ])}
      </section>`,
  );
