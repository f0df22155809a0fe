// GET /openapi.json: every route of this Worker, from the description that each route carries.
import type { Context, Env, Hono } from "hono";
import { generateSpecs, type GenerateSpecOptions } from "hono-openapi";
import * as z from "zod";
import { documentedRoute, securitySchemes } from "./openapi.ts";

export const livenessRoute = documentedRoute({
  summary: "Liveness: the Worker runs and its configuration is right. Does not ask the database",
  answers: {
    200: { description: "The Worker is well", schema: z.strictObject({ status: z.literal("ok") }) },
  },
});

export const documentRoute = documentedRoute({
  summary: "Describes every route, for programs",
  answers: {
    200: { description: "OpenAPI 3.1", schema: z.looseObject({ openapi: z.string() }) },
  },
});

const documentation: GenerateSpecOptions["documentation"] = {
  info: {
    title: "mcp-sessions",
    version: "0.1.0",
    description: "The session layer for MCP servers on Cloudflare Workers with Neon Postgres",
  },
  components: { securitySchemes },
};

/** The document is made once, at the first request. */
export function documentEndpoint<E extends Env>(app: Hono<E>) {
  // The document, not its promise: on Workers the promise of a cancelled request is never settled.
  let document: object | undefined;
  return async function openApi(c: Context) {
    const made = document ?? (await generateSpecs(app, { documentation, excludeStaticFile: false }));
    document = made;
    return c.json(made);
  };
}
