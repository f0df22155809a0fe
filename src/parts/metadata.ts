// Where clients get a token, for an app that takes tokens: the metadata of RFC 9728.
import { Hono, type MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import { metadataCors, metadataEndpoint, metadataPaths } from "../auth/metadata-endpoint.ts";
import { tokenSettings } from "../auth/settings.ts";
import type { TokenConfig } from "../auth/token-settings.ts";
import { readSettings } from "../settings.ts";
import { fromEnv, pass } from "./per-env.ts";
import { cacheControl, type RoutesEnv } from "./routes.ts";

/** Without OAUTH_ISSUERS the routes are not there. */
const whereTokensAreTaken = (make: (tokens: TokenConfig) => MiddlewareHandler): MiddlewareHandler =>
  fromEnv((env) => {
    const { tokens } = readSettings(tokenSettings, env);
    return tokens === undefined ? pass : make(tokens);
  });

/**
 * `/.well-known/oauth-protected-resource/mcp`, and the same without `/mcp`: `app.route("/", metadataRoutes("My server"))`. They
 * speak of the endpoint `/mcp` of the same origin.
 * @param name what people see of the server when they sign in.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function metadataRoutes(name: string): Hono<RoutesEnv> {
  const app = new Hono<RoutesEnv>({ strict: false });
  // By their paths: what stands at / before all would run for every route of the app.
  for (const path of metadataPaths) {
    app.use(
      path,
      whereTokensAreTaken(() => metadataCors),
    );
    app.get(
      path,
      whereTokensAreTaken(() => cacheControl),
      whereTokensAreTaken((tokens) => {
        const respond = metadataEndpoint(tokens, name);
        return createMiddleware(async (c) => respond(c));
      }),
    );
  }
  return app;
}
