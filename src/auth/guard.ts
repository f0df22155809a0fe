// Lets only principals through that have the scope of a route: by a key, by a token, or by Cloudflare Access.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { AppError } from "../http/errors.ts";
import type { RequestVariables } from "../http/request-log.ts";
import { logOf } from "../log.ts";
import type { Scope } from "./api-keys.ts";
import {
  type Challenge,
  keyChallenge,
  resourceOf,
  scopesToAskFor,
  tokenChallenge,
  withBasic,
} from "./challenge.ts";
import { readCredentials } from "./credentials.ts";
import type { Authenticate } from "./keys.ts";
import type { Principal } from "./principal.ts";
import type { TokenConfig } from "./token-settings.ts";
import { vouchedPrincipal } from "./vouched.ts";
import { tokenRefusals, type Verdict, type VerifyToken } from "./verdict.ts";

const log = logOf("auth", {
  info: {
    "Token refused": {
      meaning:
        "A token was presented that is good for nothing here, or lacks the scope of the route. `reason` says why. [More](../oauth.md#it-says-401)",
      fields: ["reason", "principal", "request_id"],
    },
    "Key of a token not known yet": {
      meaning:
        "A token names a key that its issuer did not have when its keys were fetched, less than 30 seconds ago. Its request got 503. New keys cause this for a moment, and made-up tokens at any time.",
      fields: ["request_id"],
    },
  },
  error: {
    "Authorization server unreachable": {
      meaning:
        "What a token is worth is not known, so its request got 503. `source`: the `metadata` of the issuer, its `keys`, its `introspection`, or the `binding`.",
      fields: ["source", "request_id"],
    },
  },
});

/** How callers show who they are. */
export interface Authentication {
  authenticate: Authenticate;
  /** Undefined: no token is taken. */
  tokens: { config: TokenConfig; verify: VerifyToken } | undefined;
  /** Undefined: Cloudflare Access is not asked for. */
  verifyAccess: VerifyToken | undefined;
}

type GuardedContext = Context<{ Variables: RequestVariables }>;

// As long as an issuer that has failed is left alone: key-set.ts.
const RETRY_AFTER_SECONDS = "5";

/**
 * 401 without a valid key or token, 403 with one that lacks the scope (RFC 6750 §3.1). 503 when nobody can say what a token
 * is worth: on 401 a client would sign its person out.
 */
export function requireScope(authentication: Authentication, scope: Scope) {
  const { whoIsAsking, forbidden } = guardOf(authentication, scope);
  return createMiddleware<{ Variables: RequestVariables }>(async function scopeGuard(c, next) {
    const principal = await whoIsAsking(c);
    c.set("principal", principal);
    if (!principal.scopes.includes(scope)) throw forbidden(c, principal);
    await next();
  });
}

export type ScopeGuard = ReturnType<typeof guardOf>;

/** What a route that needs a scope asks of a request, and how it refuses. */
export function guardOf({ authenticate, tokens, verifyAccess }: Authentication, scope: Scope) {
  return { whoIsAsking, forbidden };

  async function whoIsAsking(c: GuardedContext): Promise<Principal> {
    const vouched = vouchedPrincipal(c.req.raw);
    if (vouched !== undefined) return vouched;
    const credentials = readCredentials(c.req.raw, { areTokensTaken: tokens !== undefined });
    if (credentials === undefined) return fromAccess(c);
    if ("problem" in credentials) {
      if (tokens !== undefined)
        log.info("Token refused", { reason: "malformed", request_id: c.get("requestId") });
      throw unauthenticated(c, credentials.problem);
    }
    const holder = await authenticate(credentials.key);
    if (holder !== undefined) return holder;
    if (tokens === undefined || !credentials.isBearer) throw unauthenticated(c, "A valid key is required");
    return admitted(c, await tokens.verify(credentials.key, resourceOf(c.req.url)));
  }

  /** Access vouches for a person who presents nothing else. */
  async function fromAccess(c: GuardedContext): Promise<Principal> {
    const assertion = c.req.header("Cf-Access-Jwt-Assertion");
    if (verifyAccess === undefined || assertion === undefined) throw unauthenticated(c);
    // A browser sends the cookie of Access with a form of any page. http/cors.ts judges the pages of /mcp.
    const { origin } = new URL(c.req.url);
    const isReading = c.req.method === "GET" || c.req.method === "HEAD";
    if (scope !== "mcp" && !isReading && (c.req.header("Origin") ?? origin) !== origin)
      throw new AppError("origin_not_allowed");
    return admitted(c, await verifyAccess(assertion, resourceOf(c.req.url)));
  }

  function admitted(c: GuardedContext, verdict: Verdict): Principal {
    if (verdict.kind === "accepted") return verdict.principal;
    const request_id = c.get("requestId");
    if (verdict.kind === "unavailable") {
      if (verdict.source === "new_keys") log.info("Key of a token not known yet", { request_id });
      else log.error("Authorization server unreachable", { source: verdict.source, request_id });
      throw new AppError("authorization_unavailable", undefined, { "Retry-After": RETRY_AFTER_SECONDS });
    }
    log.info("Token refused", { reason: verdict.reason, request_id });
    throw unauthenticated(c, tokenRefusals[verdict.reason]);
  }

  function forbidden(c: GuardedContext, { label, token }: Principal): AppError {
    const error = "insufficient_scope";
    const ofToken = "The token does not have the scope that this route needs";
    const description = token === undefined ? undefined : ofToken;
    if (token !== undefined)
      log.info("Token refused", { reason: error, principal: label, request_id: c.get("requestId") });
    const scopes = tokens === undefined ? [scope] : scopesToAskFor(scope, tokens.config);
    return refusal("forbidden", description, challengeOf(c, { error, description, scopes }));
  }

  /** @param description what is wrong with what was presented; undefined when nothing was. */
  function unauthenticated(c: GuardedContext, description?: string): AppError {
    const error = description === undefined ? {} : { error: "invalid_token" as const, description };
    if (tokens === undefined)
      return refusal("unauthenticated", description, withBasic(challengeOf(c, error)));
    const challenge = challengeOf(c, { ...error, scopes: scopesToAskFor(scope, tokens.config) });
    return refusal(
      "unauthenticated",
      description ?? "A valid key or token is required",
      // A page that a person uses must not make the browser ask for a password.
      scope === "mcp" ? challenge : withBasic(challenge),
    );
  }

  function challengeOf(c: GuardedContext, challenge: Challenge): string {
    return tokens === undefined ? keyChallenge(challenge) : tokenChallenge(challenge, c.req.url);
  }
}

const refusal = (code: "unauthenticated" | "forbidden", message: string | undefined, challenge: string) =>
  new AppError(code, message, { "WWW-Authenticate": challenge });
