// What the pages have in common: their headers, the way back to the client, and what is said when it does not go on.
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { NONCE, secureHeaders, type SecureHeadersVariables } from "hono/secure-headers";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { log } from "./log.ts";
import { type Message, messagePage, returnPage } from "./page.ts";
import type { Env } from "./settings.ts";

export type Page = { Bindings: Env; Variables: SecureHeadersVariables };
export type PageContext = Context<Page>;

/** The period of the rate limits in wrangler.toml. */
export const WAIT_SECONDS = 60;

/** No script, no frame around the page, and no form but to the page itself. */
export const pageHeaders = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    styleSrc: [NONCE],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
  xFrameOptions: "DENY",
  // Not no-referrer, with which a browser sends `Origin: null` with the form.
  referrerPolicy: "same-origin",
  // A client in the browser that has opened this page as a pop-up waits for what comes of it.
  crossOriginOpenerPolicy: false,
});

/** Of the styles of a page, which no cache keeps. */
export function nonceOf(c: PageContext): string {
  c.header("Cache-Control", "no-store");
  return c.get("secureHeadersNonce") ?? "";
}

/** The address that Cloudflare has seen. */
export function addressOf(c: PageContext): string {
  return c.req.header("CF-Connecting-IP") ?? "unknown";
}

/** @param target an address of the library, which knows what the client has registered */
export function goBack(c: PageContext, target: string, cookies: Headers): Response | Promise<Response> {
  setCookies(c, cookies);
  return c.html(returnPage(target, nonceOf(c)));
}

const problems = {
  no_key: "Type your key.",
  unknown_key: "This is not a key of this server, or it does not have the scope mcp.",
};
const PROBLEM_COOKIE = { name: "sign-in-problem", seconds: 60 } as const;

/** Back to the page, which then says what was wrong. A browser remembers no form of which the answer is elsewhere. */
export function askAgain(c: PageContext, problem: keyof typeof problems, cookies: Headers): Response {
  setCookies(c, cookies);
  setCookie(c, PROBLEM_COOKIE.name, problem, {
    prefix: "host",
    httpOnly: true,
    sameSite: "Lax",
    maxAge: PROBLEM_COOKIE.seconds,
  });
  c.header("Cache-Control", "no-store");
  return c.redirect(`/authorize${new URL(c.req.url).search}`, 303);
}

/** What was wrong before, said once. */
export function takeProblem(c: PageContext): string | undefined {
  const cookie = getCookie(c, PROBLEM_COOKIE.name, "host");
  if (cookie === undefined) return undefined;
  deleteCookie(c, PROBLEM_COOKIE.name, { prefix: "host" });
  return Object.entries(problems).find(([problem]) => problem === cookie)?.[1];
}

export function setCookies(c: PageContext, ...from: (Headers | undefined)[]): void {
  for (const cookie of from.flatMap((headers) => headers?.getSetCookie() ?? []))
    c.header("Set-Cookie", cookie, { append: true });
}

export function tooMany(c: PageContext): Response | Promise<Response> {
  log("too many", {});
  c.header("Retry-After", String(WAIT_SECONDS));
  return message(c, 429, { title: "Too many attempts", text: "Wait for a minute.", again: againOf(c) });
}

export function refusal(
  c: PageContext,
  status: ContentfulStatusCode,
  text: string,
): Response | Promise<Response> {
  // A page that has not opened will not open when it is asked for again.
  const again = c.req.method === "POST" ? againOf(c) : undefined;
  return message(c, status, {
    title: "You are not signed in",
    text: `${text}. Start again from your client.`,
    again,
  });
}

function message(c: PageContext, status: ContentfulStatusCode, content: Message) {
  return c.html(messagePage(content, nonceOf(c)), status);
}

/** The form goes to the address of its page, so the question that the page is about stands in it. */
function againOf(c: PageContext): string | undefined {
  const { search } = new URL(c.req.url);
  return search === "" ? undefined : search;
}
