// A browser as far as the Worker sees one: it keeps the cookie, sends its origin with forms, and reads tokens from pages.
import { send } from "../support/worker.ts";

export const ORIGIN = "https://worker.test";

export interface Visitor {
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Sends a form with the token of the page at `from`, unless `fields` has another. */
  post(
    path: string,
    fields?: Record<string, string>,
    more?: { from?: string; headers?: Record<string, string> },
  ): Promise<Response>;
  /** Signs in with a key, through the form. */
  signIn(key: string, next?: string): Promise<Response>;
  cookie: string | undefined;
}

/** The token in the forms of a page. */
export const tokenIn = (body: string): string => /name="csrf" value="([^"]+)"/.exec(body)?.[1] ?? "";

export function visitor(env: Env, cookie?: string): Visitor {
  const headersOf = (more: Record<string, string>) => ({
    ...(own.cookie !== undefined && { Cookie: own.cookie }),
    ...more,
  });
  const own: Visitor = {
    cookie,
    async get(path, headers = {}) {
      return send(env, path, { headers: headersOf(headers), redirect: "manual" });
    },
    async post(path, fields = {}, { from = path, headers = {} } = {}) {
      const csrf = fields["csrf"] ?? tokenIn(await (await own.get(from)).text());
      const response = await send(env, path, {
        method: "POST",
        headers: headersOf({ Origin: ORIGIN, "Sec-Fetch-Site": "same-origin", ...headers }),
        body: new URLSearchParams({ ...fields, csrf }),
        redirect: "manual",
      });
      const set = response.headers.get("Set-Cookie");
      if (set !== null) own.cookie = set.includes("Max-Age=0") ? undefined : set.split(";")[0];
      return response;
    },
    signIn: (key, next = "") => own.post("/admin/sign-in", { key, next }),
  };
  return own;
}
