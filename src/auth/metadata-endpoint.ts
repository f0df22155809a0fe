// Where clients get a token for /mcp: the protected resource metadata of RFC 9728. No secret, and no database.
import type { Context } from "hono";
import { cors } from "hono/cors";
import * as z from "zod";
import { documentedRoute } from "../http/openapi.ts";
import type { RequestVariables } from "../http/request-log.ts";
import { METADATA_PATH, RESOURCE_PATH, resourceOf, scopesToAskFor } from "./challenge.ts";
import type { TokenConfig } from "./token-settings.ts";

// An issuer that is added or taken away is known to all clients after an hour.
const MAX_AGE_SECONDS = 3600;

export const metadataRoute = documentedRoute({
  summary: "Where clients get a token for /mcp (RFC 9728). Only with OAUTH_ISSUERS",
  description: "Every web page may read it. It may be stored for an hour.",
  answers: {
    200: {
      description: "The metadata of the resource",
      schema: z.strictObject({
        resource: z.url().describe("What a token must be for: the address of /mcp"),
        authorization_servers: z.array(z.url()).min(1).describe("Who gives tokens: OAUTH_ISSUERS"),
        scopes_supported: z.array(z.string()).optional().describe("What a client must ask for"),
        bearer_methods_supported: z.array(z.literal("header")).describe("How a token is presented"),
        resource_name: z.string().describe("What people see of the server"),
      }),
    },
  },
});

/** RFC 9728 §3.1 for the resource /mcp; and clients that look at the root alone. */
export const metadataPaths = [`${METADATA_PATH}${RESOURCE_PATH}`, METADATA_PATH];
export const metadataMethods = ["GET", "HEAD"];

/** Any page may read it: it has to, before it can ask anything else. */
export const metadataCors = cors({
  origin: "*",
  allowMethods: metadataMethods,
  exposeHeaders: ["Allow", "X-Request-Id"],
  maxAge: 86_400,
});

export function metadataEndpoint(config: TokenConfig, name: string) {
  return function resourceMetadata(c: Context<{ Variables: RequestVariables }>) {
    const scopes = scopesToAskFor("mcp", config);
    c.set("cacheControl", `public, max-age=${MAX_AGE_SECONDS}`);
    return c.json({
      resource: resourceOf(c.req.url),
      authorization_servers: config.issuers,
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      bearer_methods_supported: ["header"],
      resource_name: name,
    });
  };
}
