// What a request cannot cost less than: a Hono route that makes one statement with the driver and answers with its rows. The
// routes of the Worker are beside them, so that both run in one isolate.
import { neon, neonConfig } from "@neondatabase/serverless";
import { Hono } from "hono";
import worker from "./main.ts";

interface BareEnv extends Env {
  NEON_ENDPOINT_OVERRIDE: string;
  /** JSON: the statements of the routes of the Worker, by name. */
  BARE_QUERIES: string;
}

const bare = new Hono<{ Bindings: BareEnv }>();

bare.all("/bare/:name", async (c) => {
  const queries: Record<string, { text: string; params: unknown[] }> = JSON.parse(c.env.BARE_QUERIES);
  const { text, params } = queries[c.req.param("name")] ?? { text: "", params: [] };
  neonConfig.fetchEndpoint = c.env.NEON_ENDPOINT_OVERRIDE;
  return c.json(await neon(c.env.DATABASE_URL).query(text, params));
});

export default {
  fetch: (request, env, context) =>
    new URL(request.url).pathname.startsWith("/bare/")
      ? bare.fetch(request, env, context)
      : worker.fetch(request, env, context),
} satisfies ExportedHandler<BareEnv>;
