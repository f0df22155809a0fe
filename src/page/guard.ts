// Who may see a page: who has signed in with a key, whom Cloudflare Access lets in, or who sends a key or a token.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { ScopeGuard } from "../auth/guard.ts";
import type { Scope } from "../auth/api-keys.ts";
import type { Principal } from "../auth/principal.ts";
import { vouchedPrincipal } from "../auth/vouched.ts";
import { AppError } from "../http/errors.ts";
import type { RequestVariables } from "../http/request-log.ts";
import type { Csrf } from "./csrf.ts";
import { type Frame, maySee, type Notice, type Viewer } from "./layout.ts";
import { signInPath } from "./next-path.ts";
import type { SignIns } from "./sign-ins.ts";

export type PageVariables = RequestVariables & {
  /** Of the only script that may run on the page. */
  nonce: string;
  /** What there are pages of. */
  keeps?: Frame["keeps"];
  viewer?: Viewer;
  /** The token of the viewer's forms. */
  csrf?: string;
  /** Whose forms are taken. */
  formsOf?: string;
};
export type PageContext = Context<{ Variables: PageVariables }>;

export interface PageGuardOptions {
  /** How programs show who they are, and Cloudflare Access whom it lets in. */
  guardOf: (scope: Scope) => ScopeGuard;
  signIns: SignIns;
  csrf: Csrf;
}

/** A guard for each scope. Who has `admin` may see what needs `health`, too. */
export function createPageGuard({ guardOf, signIns, csrf }: PageGuardOptions) {
  return function viewerGuard(scope: Scope) {
    const { whoIsAsking, forbidden } = guardOf(scope);
    return createMiddleware<{ Variables: PageVariables }>(async function pageGuard(c, next) {
      const request: Context = c;
      const signIn = presentsOther(c) ? undefined : await signIns.find(c);
      if (signIn === undefined && !presentsOther(c)) return askToSignIn(c);
      const principal: Principal = signIn?.principal ?? (await whoIsAsking(request));
      const subject = signIn === undefined ? `principal ${principal.name}` : `sign-in ${signIn.id}`;
      c.set("principal", principal);
      c.set("formsOf", subject);
      c.set("csrf", await csrf.tokenFor(subject));
      c.set("viewer", { label: principal.label, scopes: principal.scopes, isSignedIn: signIn !== undefined });
      if (!maySee(principal, scope)) throw forbidden(request, principal);
      return next();
    });
  };
}

/** Whether a request shows by something else than our cookie who it is of. */
const presentsOther = ({ req }: PageContext): boolean =>
  ["Authorization", "X-API-Key", "Cf-Access-Jwt-Assertion"].some((name) => req.header(name) !== undefined) ||
  vouchedPrincipal(req.raw) !== undefined;

function askToSignIn(c: PageContext): Response {
  const { pathname, search } = new URL(c.req.url);
  // What a form would have done is not done later: its page is.
  if (c.req.method === "GET" || c.req.method === "HEAD")
    return c.redirect(signInPath(pathname + search), 303);
  throw new AppError(
    "unauthenticated",
    "Nothing was done: you are not signed in any more. Sign in, and try again",
  );
}

/** The frame of a page behind the guard. @throws Error on a route without the guard. */
export function frameOf(c: PageContext, title: string, notice?: Notice): Frame {
  const viewer = c.get("viewer");
  const csrf = c.get("csrf");
  if (viewer === undefined || csrf === undefined) throw new Error("The page has no guard");
  const path = c.req.path.replace(/(?<=.)\/$/, "");
  return { title, path, nonce: c.get("nonce"), viewer, csrf, notice, keeps: c.get("keeps") };
}
