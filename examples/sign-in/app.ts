// The routes: the page on which a person signs in, and, for everything else, the authorization server.
import {
  type AuthRequest,
  AuthorizationError,
  authorizationErrorRedirect,
  CimdFetchError,
  type OAuthAuthorizationServer,
} from "@cloudflare/workers-oauth-provider";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { csrf } from "hono/csrf";
import { HTTPException } from "hono/http-exception";
import { type Scope, scopes } from "mcp-sessions/auth";
import {
  addressOf,
  askAgain,
  goBack,
  nonceOf,
  type Page,
  type PageContext,
  pageHeaders,
  refusal,
  setCookies,
  takeProblem,
  tooMany,
  WAIT_SECONDS,
} from "./answers.ts";
import type { Allow } from "./attempts.ts";
import type { Keyring } from "./keyring.ts";
import { log } from "./log.ts";
import { consentPage, messagePage } from "./page.ts";
import type { Env, Settings } from "./settings.ts";

export interface Parts {
  settings: Settings;
  server: OAuthAuthorizationServer<Env>;
  keyring: Keyring;
  /** A key may be tried. */
  allowAttempt: Allow;
  /** Something may be stored: a page that waits for an answer, or a client that registers itself. */
  allowRequest: Allow;
}

// A form has a handle of 43 characters and a key of at most 256.
const MAX_FORM_BYTES = 8_192;

export function createApp({ settings, server, keyring, allowAttempt, allowRequest }: Parts): Hono<Page> {
  const app = new Hono<Page>();

  app.get("/healthz", (c) => c.text("ok"));
  app.use("/", pageHeaders);
  app.use(
    "/authorize",
    pageHeaders,
    csrf({ origin: settings.issuer }),
    bodyLimit({ maxSize: MAX_FORM_BYTES }),
  );

  app.get("/", (c) => {
    const text = `Add ${settings.resources[0]} to your client. It sends you here to sign in.`;
    return c.html(messagePage({ title: "Sign in", text }, nonceOf(c)));
  });

  app.get("/authorize", async (c) => {
    if (!(await allowRequest(addressOf(c)))) return tooMany(c);
    const request = await server.getOAuthApi(c.env).parseAuthRequest(c.req.raw);
    // Every client, also one with a secret.
    if (request.codeChallenge === undefined || request.codeChallengeMethod !== "S256")
      return c.redirect(authorizationErrorRedirect(request, "invalid_request", "PKCE with S256 is required"));
    return ask(c, request);
  });

  app.post("/authorize", async (c) => {
    // What is no form, such as a multipart body that is cut off, was not sent from the page.
    const form = await c.req.parseBody().catch(() => {
      throw new HTTPException(400);
    });
    const [handle, key, decision] = [form["handle"], form["key"], form["decision"]].map((value) =>
      typeof value === "string" ? value.trim() : "",
    );
    const oauth = server.getOAuthApi(c.env);
    if (decision !== "allow") {
      const { redirectTo, headers } = await oauth.denyConsent(c.req.raw, handle ?? "");
      log("denied", {});
      return goBack(c, redirectTo, headers);
    }
    if (!(await allowAttempt(addressOf(c)))) return tooMany(c);
    // First of all the form is used up: each try of a key needs a page of its own, in the browser that got it.
    const { request, headers } = await oauth.approveConsent(c.req.raw, handle ?? "");
    const holder = await keyring.holderOf(key ?? "");
    if (holder === undefined) {
      if (key !== "") log("wrong key", {});
      return askAgain(c, key === "" ? "no_key" : "unknown_key", headers);
    }
    const scope = askedOf(request).filter((asked) => holder.scopes.includes(asked));
    if (scope.length === 0) {
      const reason = "The key has none of the scopes that are asked for";
      return goBack(c, authorizationErrorRedirect(request, "access_denied", reason), headers);
    }
    const { redirectTo } = await oauth.completeAuthorization({
      request,
      userId: holder.name,
      metadata: {},
      scope,
      props: { key: holder.key },
      // People can share a key's name, and all of claude.ai is one client: one must not end what another has.
      revokeExistingGrants: false,
    });
    log("allowed", { principal: holder.name });
    return goBack(c, redirectTo, headers);
  });

  app.post("/oauth/register", async (c, next) => {
    if (await allowRequest(addressOf(c))) return next();
    return c.json({ error: "temporarily_unavailable" }, 429, { "Retry-After": String(WAIT_SECONDS) });
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It is what Cloudflare has passed; Hono has its own type.
  app.all("*", (c) => server.fetch(c.req.raw, c.env, c.executionCtx as ExecutionContext));

  app.onError((error, c: PageContext) => {
    if (error instanceof AuthorizationError) {
      if (error.redirectTo !== undefined && c.req.method === "GET") return c.redirect(error.redirectTo);
      return refusal(c, 400, error.description);
    }
    if (error instanceof CimdFetchError)
      return refusal(c, 400, "What your client says of itself cannot be read");
    if (error instanceof HTTPException)
      return refusal(c, error.status, "The form was not sent from this page");
    log("failed", { error: error.name });
    return refusal(c, 500, "Something is wrong here");
  });

  /** Shows who asks, and what was wrong with the answer before. */
  async function ask(c: PageContext, request: AuthRequest) {
    const oauth = server.getOAuthApi(c.env);
    const client = await oauth.describeConsent(request);
    const { handle, headers } = await oauth.beginConsent(request);
    setCookies(c, headers);
    const content = {
      clientName: client.clientName,
      clientDomain: client.clientDomain,
      redirectUri: client.redirectUri,
      isLocal: client.redirectIsLoopback,
      scopes: askedOf(request),
      resource: request.resource ?? settings.resources[0],
      handle,
      problem: takeProblem(c),
    };
    return c.html(consentPage(content, nonceOf(c)));
  }

  return app;
}

/** The scopes of ours that are asked for: `mcp` where none is. */
function askedOf(request: AuthRequest): Scope[] {
  const asked = scopes.filter((scope) => request.scope.includes(scope));
  return asked.length === 0 ? ["mcp"] : asked;
}
