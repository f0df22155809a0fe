// A sign-in leads to a page of ours, and nowhere else.
import { expect, test } from "vitest";
import { nextPath, signInPath } from "../../src/page/next-path.ts";

test.each([
  "/admin",
  "/admin/",
  "/admin/sessions",
  "/admin/sessions/0a1b.c~d-e%20f",
  "/admin/sessions?principal=a%20b&state=active+x:y",
  "/admin/sessions/?",
  "/admin?window=week",
  "/admin/?",
  "/admin/x/admin/sign-in",
])("%s is one", (path) => {
  expect(nextPath(path)).toBe(path.replace(/\?$/, ""));
});

test.each([
  undefined,
  "",
  "/",
  "/admins",
  "x/admin",
  "//other.example",
  "//other.example/admin",
  "https://other.example/admin",
  "/admin//other.example",
  "/admin\\other.example",
  "/admin/../healthz",
  "/admin/%2e%2e/healthz",
  "/admin/sessions#top",
  "/admin/sessions?a=<b>",
  "/admin/a b",
  "/admin\n",
  "/admin/sign-in",
  "/admin/sign-in?next=/admin/runs",
  "/admin/x/../sign-in",
  "/admin/sign-in/runs",
  "//other.example/admin/runs",
  "https://other.example/admin/runs",
  "/admin/runs?tier=regular#top",
  "/admin/runs?tier=regular&<b>",
  "/admin/runs?\n",
  `/admin/${"x".repeat(1000)}`,
])("%s is none", (path) => {
  expect(nextPath(path)).toBe("/admin");
});

test("a thousand characters are followed, and no more", () => {
  const path = `/admin/${"x".repeat(993)}`;
  expect(path).toHaveLength(1000);
  expect(nextPath(path)).toBe(path);
  expect(nextPath(`${path}x`)).toBe("/admin");
});

test("the sign-in keeps where a person comes from, unless it is the first page", () => {
  expect(signInPath("/admin/runs?tier=regular")).toBe("/admin/sign-in?next=%2Fadmin%2Fruns%3Ftier%3Dregular");
  expect(signInPath("/admin")).toBe("/admin/sign-in");
  expect(signInPath("//other.example")).toBe("/admin/sign-in");
});
