// A sign-in for people without an identity provider: an OAuth 2.1 authorization server whose passwords are the keys of
// API_KEYS. A second Worker, which the main one asks over a service binding what a token is worth.
import { WorkerEntrypoint } from "cloudflare:workers";
import { createApp } from "./app.ts";
import { createLimit } from "./attempts.ts";
import { createKeyring } from "./keyring.ts";
import { log } from "./log.ts";
import { recordsOf } from "./records.ts";
import { createAuthorizationServer, validateToken } from "./server.ts";
import { type Env, readSettings, SettingsError } from "./settings.ts";

// The limits of wrangler.toml, for an isolate without their bindings.
const ATTEMPTS = 10;
const REQUESTS = 60;

// Cloudflare passes one `env` for the life of an isolate.
const opened = new WeakMap<Env, ReturnType<typeof open>>();

/** @throws SettingsError */
function open(env: Env) {
  const settings = readSettings(env);
  const keyring = createKeyring(settings.keys);
  const server = createAuthorizationServer(settings, keyring);
  const allowAttempt = createLimit(env.ATTEMPT_RATE_LIMIT, ATTEMPTS);
  const allowRequest = createLimit(env.REQUEST_RATE_LIMIT, REQUESTS);
  const app = createApp({ settings, server, keyring, allowAttempt, allowRequest });
  return { keyring, server, app, own: { ...env, OAUTH_KV: recordsOf(env.OAUTH_KV) } };
}

function partsOf(env: Env): ReturnType<typeof open> {
  const parts = opened.get(env) ?? open(env);
  opened.set(env, parts);
  return parts;
}

export default class SignIn extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    try {
      const { app, own } = partsOf(this.env);
      return await app.fetch(request, own, this.ctx);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      log("failed", { error: error.name, variables: error.message });
      return new Response("The variables of this Worker are wrong. Its log says which.\n", { status: 500 });
    }
  }

  /** For the binding AUTHORIZATION_SERVER of the main Worker. No HTTP request gets here. */
  async validateToken(resource: string, token: string) {
    const { server, keyring, own } = partsOf(this.env);
    return validateToken(server, keyring, { resource, token, env: own });
  }
}
