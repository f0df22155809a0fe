// The frame of every page.
import { html } from "hono/html";
import { expect, test } from "vitest";
import { assets, type Frame, maySee, noticeOf, page, publicPage } from "../../src/page/layout.ts";
import { frame, htmlOf } from "./part.ts";

const shown = async (changes: Partial<Frame>) => htmlOf(page({ ...frame, ...changes }, html`<p>body</p>`));
const navigation = (text: string) => [...text.matchAll(/<li><a href="([^"]+)"/g)].map(([, path]) => path);
const current = (text: string) => /<a href="([^"]+)" aria-current="page">/.exec(text)?.[1];

test("the navigation leads to what the viewer may see, and to what is kept", async () => {
  const everybody = ["/admin", "/admin/history"];
  const admins = [...everybody, "/admin/sessions", "/admin/runs", "/admin/connect"];
  const all = [
    ...everybody,
    "/admin/sessions",
    "/admin/handles",
    "/admin/tasks",
    "/admin/runs",
    "/admin/connect",
  ];
  expect(navigation(await shown({}))).toEqual(admins);
  expect(navigation(await shown({ keeps: { handles: false } }))).toEqual(admins);
  expect(navigation(await shown({ keeps: { handles: true, tasks: true } }))).toEqual(all);
  const viewer = { label: "monitor", scopes: ["health"] as const, isSignedIn: true };
  expect(navigation(await shown({ viewer, keeps: { handles: true, tasks: true } }))).toEqual(everybody);
});

test.each([
  ["/admin", "/admin"],
  ["/admin/runs", "/admin/runs"],
  ["/admin/runs/7", "/admin/runs"],
  ["/admin/runsome", undefined],
  ["/admin/elsewhere", undefined],
])("%s is below %s", async (path, here) => {
  expect(current(await shown({ path }))).toBe(here);
});

test("who may only look is told so, and only who has signed in here can sign out", async () => {
  expect(await shown({})).not.toContain("may look only");
  expect(await shown({})).toContain(
    'action="/admin/sign-out"><input type="hidden" name="csrf" value="the-token" />',
  );
  const viewer = { label: "<monitor>", scopes: ["health"] as const, isSignedIn: false };
  const text = await shown({ viewer });
  expect(text).toContain("<bdi>&lt;monitor&gt;</bdi>");
  expect(text).toContain("may look only");
  expect(text).not.toContain("sign-out");
});

test("who has admin may see what needs health", () => {
  expect(maySee({ scopes: ["admin"] }, "health")).toBe(true);
  expect(maySee({ scopes: ["health"] }, "health")).toBe(true);
  expect(maySee({ scopes: ["health"] }, "admin")).toBe(false);
  expect(maySee({ scopes: ["mcp"] }, "health")).toBe(false);
});

test("a notice stands above the page; what went wrong interrupts a screen reader", async () => {
  expect(await shown({})).not.toContain("notice");
  expect(await shown({ notice: { kind: "good", text: "<done>" } })).toMatch(
    /<h1>Runs<\/h1>\n<div class="notice good" role="status"><p>&lt;done&gt;<\/p><\/div>\n<p>body<\/p>/,
  );
  expect(await htmlOf(noticeOf({ kind: "bad", text: "no" }))).toContain('class="notice bad" role="alert"');
});

test("a page has its title, its script with the nonce, and loads itself again only where it is told to", async () => {
  const text = await shown({ refresh: { seconds: 5, href: "/admin/runs/7" } });
  expect(text).toContain("<title>Runs · mcp-sessions</title>");
  expect(text).toContain(`<script nonce="the-nonce" src="${assets.script.address()}" defer>`);
  expect(text).toContain('<noscript><meta http-equiv="refresh" content="5;url=/admin/runs/7"></noscript>');
  expect(await shown({})).not.toContain("http-equiv");
});

test("a page for anybody has no navigation", async () => {
  const text = await htmlOf(publicPage({ title: "Sign in", nonce: "n" }, html`<p>body</p>`));
  expect(text).toContain("<h1>Sign in</h1>\n<p>body</p>");
  expect(navigation(text)).toEqual([]);
});

test("what pages load has the version of its text in its address", () => {
  expect(assets.style.address()).toBe(`/admin/style.css?v=${assets.style.version()}`);
  expect(assets.style.version()).toMatch(/^[0-9a-f]{1,8}$/);
  expect(assets.style.version()).not.toBe(assets.script.version());
});

test("the version of a text is its FNV-1a in 32 bits, over all its characters", () => {
  for (const { text, version } of Object.values(assets)) {
    let hash = 2_166_136_261n;
    for (let i = 0; i < text.length; i += 1)
      hash = ((hash ^ BigInt(text.charCodeAt(i))) * 16_777_619n) & 0xffff_ffffn;
    expect(version()).toBe(hash.toString(16));
    // It is found once.
    expect(version()).toBe(hash.toString(16));
  }
});

test("what pages load has its path and its type", () => {
  const { style, script } = assets;
  expect([style.path, style.type]).toEqual(["/admin/style.css", "text/css"]);
  expect([script.path, script.type]).toEqual(["/admin/page.js", "text/javascript"]);
  expect(script.address()).toBe(`/admin/page.js?v=${script.version()}`);
});

test("the navigation has these names, in this order", async () => {
  const text = await shown({ keeps: { handles: true, tasks: true } });
  const names = [...text.matchAll(/<li><a [^>]*>([^<]*)<\/a><\/li>/g)].map(([, name]) => name);
  expect(names).toEqual(["Overview", "History", "Sessions", "Handles", "Tasks", "Runs", "Connect"]);
});
