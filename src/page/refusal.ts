// The page of a refusal: what is wrong, what to do, and the id that finds its lines in the log.
import type { Context } from "hono";
import { html } from "hono/html";
import { type AppError, statusOf } from "../http/errors.ts";
import { adviceItem, faultAdvice } from "./advice.ts";
import type { Html } from "./elements.ts";
import { frameOf, type PageContext } from "./guard.ts";
import { page, publicPage } from "./layout.ts";

/** Whether a path is of the pages, so that a person reads its refusal. */
export const isPagePath = (path: string): boolean => path === "/admin" || path.startsWith("/admin/");

const titles: Partial<Record<AppError["code"], string>> = {
  not_found: "There is no such page",
  forbidden: "You may not do that",
  unauthenticated: "Sign in first",
  sessions_unavailable: "The database cannot be asked",
  sessions_unusable: "The database cannot be used",
  internal: "This page has failed",
};

/** With the status and the headers that a program would get. */
export async function refusalPage(context: Context, error: AppError): Promise<Response> {
  const c: PageContext = context;
  // A browser asks for a password at the challenge of a page, unless it has sent one.
  const { "WWW-Authenticate": challenge, ...headers } = error.headers;
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  if (challenge !== undefined && c.req.header("Authorization") !== undefined)
    c.header("WWW-Authenticate", challenge);
  const title = titles[error.code] ?? "The request was refused";
  const body = refusalBody(error, c.get("requestId"));
  const response = await c.html(
    c.get("viewer") === undefined
      ? publicPage({ title, nonce: c.get("nonce") }, body)
      : page(frameOf(c, title), body),
  );
  return new Response(response.body, { status: statusOf(error.code), headers: response.headers });
}

const refusalBody = ({ code, message, fault }: AppError, requestId: string): Html =>
  html`<section class="sheet">
<p>${code === "not_found" ? "The address is wrong, or what it led to is gone" : message}.</p>
${fault && adviceItem(faultAdvice[fault.kind], fault.kind, fault.sqlstate)}
<p><a class="button" href="/admin">${code === "unauthenticated" ? "Sign in" : "Overview"}</a></p>
<p class="hint">Request id in the log: <code>${requestId}</code></p>
</section>`;
