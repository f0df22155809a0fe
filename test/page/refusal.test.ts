// What a person reads of a refusal, and what their browser is told.
import { expect, test } from "vitest";
import type { FaultKind } from "../../src/db/fault.ts";
import { AppError, type ErrorCode } from "../../src/http/errors.ts";
import { isPagePath, refusalPage } from "../../src/page/refusal.ts";
import { handlers, headingIn, type Known } from "./handler.ts";

const nobody = { viewer: undefined, csrf: undefined };

const refused = (error: AppError, more: Known = {}, headers: Record<string, string> = {}) =>
  handlers((app) => app.get("*", (c) => refusalPage(c, error)), more).get("/admin/runs", headers);

test.each([
  ["/admin", true],
  ["/admin/", true],
  ["/admin/runs/7", true],
  ["/administration", false],
  ["/", false],
  ["", false],
  ["/mcp", false],
  ["/x/admin", false],
  ["/x/admin/runs", false],
])("%s is of the pages: %s", (path, isOne) => {
  expect(isPagePath(path)).toBe(isOne);
});

test.each<[ErrorCode, number, string]>([
  ["not_found", 404, "There is no such page"],
  ["forbidden", 403, "You may not do that"],
  ["unauthenticated", 401, "Sign in first"],
  ["sessions_unavailable", 503, "The database cannot be asked"],
  ["sessions_unusable", 503, "The database cannot be used"],
  ["internal", 500, "This page has failed"],
  ["invalid_request", 400, "The request was refused"],
  ["session_not_found", 404, "The request was refused"],
])("%s has the status %d and the title %s", async (code, status, title) => {
  const page = await refused(new AppError(code, "A sentence"));
  expect(page.status).toBe(status);
  expect(headingIn(page.body)).toBe(title);
  expect(page.body).toContain(`<title>${title} · mcp-sessions</title>`);
  expect(page.headers.get("Content-Type")).toBe("text/html; charset=UTF-8");
});

test("a refusal says what is wrong, and the id of its lines in the log", async () => {
  const { body } = await refused(new AppError("forbidden", "The <form> is too old"));
  expect(body).toContain("<p>The &lt;form&gt; is too old.</p>");
  expect(body).toContain('<p class="hint">Request id in the log: <code>the-request</code></p>');
  expect(body).not.toContain("undefined");
});

test("a page that is not there says more than its code", async () => {
  const { body } = await refused(new AppError("not_found"));
  expect(body).toContain("<p>The address is wrong, or what it led to is gone.</p>");
  expect(body).not.toContain("There is no such route");
});

test("a refusal leads to the overview, and who has not signed in to the sign-in", async () => {
  const linkOf = async (code: ErrorCode) =>
    /<a class="button" href="\/admin">(.*?)<\/a>/.exec((await refused(new AppError(code))).body)?.[1];
  expect(await linkOf("not_found")).toBe("Overview");
  expect(await linkOf("forbidden")).toBe("Overview");
  expect(await linkOf("unauthenticated")).toBe("Sign in");
});

test("a viewer keeps the navigation, and anybody else sees none", async () => {
  const error = new AppError("forbidden");
  const seen = await refused(error);
  expect(seen.body).toContain('<a href="/admin/runs" aria-current="page">Runs</a>');
  expect(seen.body).toContain('<script nonce="the-nonce"');
  const unseen = await refused(error, nobody);
  expect(unseen.body).not.toContain("<nav");
  expect(unseen.body).toContain('<main id="main" class="alone">');
  expect(unseen.body).toContain('<script nonce="the-nonce"');
});

const CHALLENGE = 'Basic realm="mcp-sessions"';

test("a browser is asked for a password only when it has sent one", async () => {
  const error = new AppError("unauthenticated", undefined, { "WWW-Authenticate": CHALLENGE });
  expect((await refused(error, nobody)).headers.get("WWW-Authenticate")).toBeNull();
  const again = await refused(error, nobody, { Authorization: "Basic eDp5" });
  expect(again.headers.get("WWW-Authenticate")).toBe(CHALLENGE);
  const other = await refused(new AppError("forbidden"), nobody, { Authorization: "Basic eDp5" });
  expect(other.headers.get("WWW-Authenticate")).toBeNull();
});

test("all other headers are those that a program would get", async () => {
  const error = new AppError("method_not_allowed", undefined, { Allow: "GET, HEAD", "Retry-After": "5" });
  const { status, headers } = await refused(error);
  expect([status, headers.get("Allow"), headers.get("Retry-After")]).toEqual([405, "GET, HEAD", "5"]);
});

test("a fault of the database comes with what to do", async () => {
  const withFault = (kind: FaultKind, sqlstate: string | null) =>
    refused(new AppError("sessions_unusable", undefined, {}, { kind, sqlstate }));
  const { body } = await withFault("schema_missing", "42P01");
  for (const text of ["A table, a column or a routine is not there.", "Run npm run db:migrate.", "42P01"])
    expect(body).toContain(text);
  expect((await withFault("timeout", null)).body).toContain("The database took too long");
  expect((await refused(new AppError("sessions_unusable"))).body).not.toContain("db:migrate");
});
