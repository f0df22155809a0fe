// What a request cannot cost less than: Hono, the driver, and one statement.
import { neon } from "@neondatabase/serverless";
import { Hono } from "hono";

interface Bindings {
  DATABASE_URL: string;
  /** JSON: the text of the statement, and its parameters. */
  STATEMENT: string;
}

const app = new Hono<{ Bindings: Bindings }>();

app.post("/mcp", async (c) => {
  const { text, params }: { text: string; params: unknown[] } = JSON.parse(c.env.STATEMENT);
  return c.json(await neon(c.env.DATABASE_URL).query(text, params));
});

export default app;
