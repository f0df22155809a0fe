// Handlers of pages by themselves: what comes before them has found this viewer.
import { Hono } from "hono";
import type { Principal } from "../../src/auth/principal.ts";
import { AppError, statusOf } from "../../src/http/errors.ts";
import { readFields } from "../../src/http/input.ts";
import type { ReadForm } from "../../src/page/form.ts";
import type { PageVariables } from "../../src/page/guard.ts";

export type PageApp = Hono<{ Variables: PageVariables }>;

export const operator: Principal = { name: "ops", label: "ops", scopes: ["admin"] };

const known = {
  requestId: "the-request",
  nonce: "the-nonce",
  csrf: "the-token",
  principal: operator,
  viewer: { label: "ops", scopes: ["admin"], isSignedIn: true },
} satisfies PageVariables;

/** What is known beside the usual, or instead of it. */
export type Known = { [Name in keyof PageVariables]?: PageVariables[Name] | undefined };

/** Takes every form but one that says `refused`. */
export const readForm: ReadForm = async (c, schema) => {
  const fields = await c.req.parseBody();
  if ("refused" in fields) throw new AppError("forbidden", "The form is refused");
  return readFields(fields, schema);
};

/** Answers as the routes do. A refusal is its code and its message. */
export function handlers(addRoutes: (app: PageApp) => void, more: Known = {}) {
  const app: PageApp = new Hono();
  const goesOn: Promise<unknown>[] = [];
  const context = {
    waitUntil: (work: Promise<unknown>) => void goesOn.push(work),
    passThroughOnException: () => {},
    props: {},
  };
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries({ ...known, ...more }))
      c.set(name as keyof PageVariables, value);
    await next();
  });
  addRoutes(app);
  app.onError((error, c) => {
    if (!(error instanceof AppError)) throw error;
    const { code, message } = error;
    return c.text(`${code}: ${message}`, statusOf(code) as 400);
  });

  async function send(path: string, init: RequestInit) {
    const response = await app.request(path, init, {}, context);
    const { status, headers } = response;
    return { status, location: headers.get("Location"), headers, body: await response.text() };
  }
  return {
    goesOn,
    get: (path: string, headers: Record<string, string> = {}) => send(path, { headers }),
    post: (path: string, fields: Record<string, string> = {}) =>
      send(path, { method: "POST", body: new URLSearchParams(fields) }),
  };
}

/** The heading of a page. */
export const headingIn = (body: string) => /<h1>(.*?)<\/h1>/.exec(body)?.[1];
