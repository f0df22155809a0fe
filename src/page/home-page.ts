// The page at /: what this is, and where to look. It asks nobody. Pure.
import { html } from "hono/html";
import { facts, type Html, section, toCopy } from "./elements.ts";
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
<p>This is a server of the Model Context Protocol. Give your client this address:</p>
${toCopy("the address", url)}
<p>It needs a key${hasSignIn ? ", or lets you sign in" : ""}. What the client does is kept in a session until the session ends.</p>
</section>
${section(
  "Where to look",
  facts([
    ["For operators", html`<a href="/admin">/admin</a>`],
    ["Does it run?", html`<a href="/healthz">/healthz</a>`],
    ["For programs", html`<a href="/openapi.json">/openapi.json</a>`],
  ]),
)}`,
  );
