// Every route of the pages: for whom it is, and what each answer tells a browser.
import { Cron } from "croner";
import { describe, expect, test } from "vitest";
import type { Scope } from "../../src/auth/api-keys.ts";
import { AppError } from "../../src/http/errors.ts";
import { script } from "../../src/page/script.ts";
import { style } from "../../src/page/style.ts";
import { isPagePath, refusalPage } from "../../src/page/refusal.ts";
import { pageRoutes } from "../../src/page/routes.ts";
import { headingIn } from "./handler.ts";

const ORIGIN = "https://worker.test";
const KEY = "ab".repeat(32);
const HANDLE = "0f0e0d0c-0b0a-4908-8706-050403020100";
const NOW = new Date("2026-11-26T12:00:00Z");

interface Given {
  /** Of who has signed in. */
  scopes?: Scope[];
  keeps?: { handles?: boolean; tasks?: boolean };
}

/** The routes over stores that have nothing, and what these were asked for. */
function pages({ scopes = ["admin"], keeps = { handles: true, tasks: true } }: Given = {}) {
  const calls: string[] = [];
  const answered =
    <T>(what: string, answer: T) =>
    () => {
      calls.push(what);
      return Promise.resolve(answer);
    };
  const keptOf = (what: string) => ({
    list: answered(`list ${what}`, { rows: [], next: null }),
    find: answered(`find ${what}`, undefined),
    end: answered(`end ${what}`, undefined),
  });
  const principal = { name: "ann", label: "ann", scopes };
  const app = pageRoutes({
    page: {
      signIns: {
        holderOf: answered("holder of a key", undefined),
        begin: () => Promise.resolve(),
        find: () => Promise.resolve({ principal, id: "1" }),
        end: () => void calls.push("sign out"),
      },
      csrf: { tokenFor: () => Promise.resolve("the-token"), isTokenOf: () => Promise.resolve(true) },
      hearsWrongKey: () => Promise.resolve(true),
      lists: {
        history: {
          history: answered("history", {
            points: [],
            since: null,
            expiredUntil: null,
            takenAt: NOW.toISOString(),
          }),
        },
        cleanups: { clean: () => Promise.reject(new Error("No run is started")) },
        budgetMs: 1000,
      },
      known: {
        look: answered("look", { overview: undefined, fault: undefined }),
        ask: answered("ask", { overview: undefined, fault: undefined }),
      },
      setup: { version: { id: "v", tag: "", deployedAt: null }, differences: [], unknownVariables: [] },
    },
    guardOf: (scope) => ({
      whoIsAsking: () => Promise.reject(new AppError("unauthenticated")),
      forbidden: () => new AppError("forbidden", `It needs ${scope}`),
    }),
    server: { serverName: "the server", hasSignIn: false },
    healthLimits: {
      crons: { regular: new Cron("0 * * * *"), immediate: new Cron("*/10 * * * *") },
      expiredRatioMax: 1,
      activeTiers: ["regular"],
    },
    healthMaxAgeSeconds: 60,
    allSessions: {
      list: answered("list sessions", { sessions: [], next: null }),
      find: answered("find session", undefined),
      countEndable: answered("count sessions", 2),
      end: answered("end session", undefined),
      endAll: answered("end sessions", { ended: 2, hasMore: false }),
    },
    allHandles: keeps.handles === true ? keptOf("handle") : undefined,
    allTasks: keeps.tasks === true ? keptOf("task") : undefined,
    runs: { list: answered("list runs", { runs: [], next: null }) },
    now: () => NOW,
  });
  app.onError((error, c) => {
    if (!(error instanceof AppError)) throw error;
    return refusalPage(c, error);
  });
  app.notFound((c) =>
    isPagePath(c.req.path) ? refusalPage(c, new AppError("not_found")) : c.text("none of the pages", 404),
  );

  async function send(path: string, method = "GET", fields: Record<string, string> = {}) {
    calls.length = 0;
    const isForm = method === "POST";
    const headers = { Origin: ORIGIN, "Content-Type": "application/x-www-form-urlencoded" };
    const form = { headers, body: new URLSearchParams(fields).toString() };
    const response = await app.request(`${ORIGIN}${path}`, { method, ...(isForm && form) });
    const { status, headers: sent } = response;
    const body = await response.text();
    return {
      status,
      location: sent.get("Location"),
      headers: sent,
      body,
      heading: headingIn(body),
      calls: [...calls],
    };
  }
  return { send };
}

describe("a route", () => {
  test.each<[string, string, number, string | undefined, string[]]>([
    ["GET", "/", 200, "the server", []],
    ["GET", "/admin", 200, "Overview", ["look"]],
    ["GET", "/admin/connect", 200, "Connect a client", []],
    ["GET", "/admin/history", 200, "History", ["history"]],
    ["GET", "/admin/sessions", 200, "Sessions", ["list sessions"]],
    ["GET", "/admin/sessions/end?principal=x", 200, "End all sessions of a principal?", ["count sessions"]],
    ["GET", `/admin/sessions/${HANDLE}`, 404, "The request was refused", ["find session"]],
    ["GET", `/admin/sessions/${HANDLE}/end`, 404, "The request was refused", ["find session"]],
    ["POST", `/admin/sessions/${HANDLE}/end`, 404, "The request was refused", ["end session"]],
    ["GET", "/admin/handles", 200, "Handles", ["list handle"]],
    ["GET", `/admin/handles/${KEY}`, 404, "The request was refused", ["find handle"]],
    ["GET", `/admin/handles/${KEY}/end`, 404, "The request was refused", ["find handle"]],
    ["POST", `/admin/handles/${KEY}/end`, 404, "The request was refused", ["end handle"]],
    ["GET", "/admin/tasks", 200, "Tasks", ["list task"]],
    ["GET", `/admin/tasks/${KEY}`, 404, "The request was refused", ["find task"]],
    ["GET", `/admin/tasks/${KEY}/end`, 404, "The request was refused", ["find task"]],
    ["POST", `/admin/tasks/${KEY}/end`, 404, "The request was refused", ["end task"]],
    ["GET", "/admin/runs", 200, "Cleanup runs", ["list runs"]],
    ["GET", "/admin/runs/7", 404, "There is no such page", ["list runs"]],
    ["GET", "/admin/runs/regular", 200, "Run the regular cleanup?", []],
    ["POST", "/admin/runs/weekly", 400, "The request was refused", []],
    ["POST", "/admin/sign-in", 401, "Sign in", ["holder of a key"]],
    ["GET", "/admin/elsewhere", 404, "There is no such page", []],
    ["POST", "/admin/connect", 404, "There is no such page", []],
  ])("%s %s answers %d with %s", async (method, path, status, heading, calls) => {
    expect(await pages().send(path, method)).toMatchObject({ status, heading, calls });
  });

  test.each([
    ["GET", "/admin/sign-in", "/admin", []],
    ["POST", "/admin/sign-out", "/admin/sign-in", ["sign out"]],
    ["POST", "/admin/ask", "/admin", ["ask"]],
  ])("%s %s leads to %s", async (method, path, location, calls) => {
    expect(await pages().send(path, method)).toMatchObject({ status: 303, location, calls });
  });

  test("ends the sessions of a principal", async () => {
    const answer = await pages().send("/admin/sessions/end", "POST", { principal: "x" });
    expect(answer).toMatchObject({ status: 200, heading: "Sessions are ended", calls: ["end sessions"] });
  });

  test("has the stylesheet, and the script", async () => {
    const { send } = pages();
    const [css, js] = [await send("/admin/style.css"), await send("/admin/page.js")];
    expect([css.status, css.body === style, css.headers.get("Content-Type")]).toEqual([
      200,
      true,
      "text/css; charset=utf-8",
    ]);
    expect([js.status, js.body === script, js.headers.get("Content-Type")]).toEqual([
      200,
      true,
      "text/javascript; charset=utf-8",
    ]);
  });

  test.each(["/admin/", "/admin/connect/", "/admin/runs/", "/admin/runs/regular/", "/admin/sessions/"])(
    "%s is the same without its last slash",
    async (path) => {
      const { send } = pages();
      const { status, heading } = await send(path);
      expect(status).toBe(200);
      expect(heading).toBe((await send(path.slice(0, -1))).heading);
    },
  );
});

describe("who has the scope health", () => {
  const scopes = ["health"] satisfies Scope[];

  test("sees the overview and the history, may ask, and may sign out", async () => {
    const { send } = pages({ scopes });
    for (const path of ["/admin", "/admin/history"]) expect((await send(path)).status).toBe(200);
    for (const path of ["/admin/ask", "/admin/sign-out"]) expect((await send(path, "POST")).status).toBe(303);
  });

  test.each([
    ["GET", "/admin/connect"],
    ["GET", "/admin/sessions"],
    ["GET", "/admin/sessions/end?principal=x"],
    ["POST", "/admin/sessions/end"],
    ["GET", `/admin/sessions/${HANDLE}`],
    ["GET", `/admin/sessions/${HANDLE}/end`],
    ["POST", `/admin/sessions/${HANDLE}/end`],
    ...["handles", "tasks"].flatMap((kept) => [
      ["GET", `/admin/${kept}`],
      ["GET", `/admin/${kept}/${KEY}`],
      ["GET", `/admin/${kept}/${KEY}/end`],
      ["POST", `/admin/${kept}/${KEY}/end`],
    ]),
    ["GET", "/admin/runs"],
    ["GET", "/admin/runs/7"],
    ["GET", "/admin/runs/regular"],
    ["POST", "/admin/runs/regular"],
  ])("does not get %s %s", async (method = "", path = "") => {
    const { status, body, calls } = await pages({ scopes }).send(path, method);
    expect([status, calls]).toEqual([403, []]);
    expect(body).toContain("It needs admin.");
  });
});

describe("handles and tasks", () => {
  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])("have pages where they are kept: handles %s, tasks %s", async (handles, tasks) => {
    const { send } = pages({ keeps: { handles, tasks } });
    const statusOf = async (path: string) => (await send(path)).status;
    expect([await statusOf("/admin/handles"), await statusOf("/admin/tasks")]).toEqual([
      handles ? 200 : 404,
      tasks ? 200 : 404,
    ]);
    const { body } = await send("/admin");
    expect([body.includes('href="/admin/handles"'), body.includes('href="/admin/tasks"')]).toEqual([
      handles,
      tasks,
    ]);
  });
});

describe("an answer", () => {
  const POLICY =
    "default-src 'none'; style-src 'self'; script-src 'nonce-N'; connect-src 'self'; img-src 'self' data:; " +
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

  test.each([
    ["/", "GET"],
    ["/admin", "GET"],
    ["/admin/elsewhere", "GET"],
    ["/admin/sign-in", "POST"],
    [`/admin/sessions/${HANDLE}`, "GET"],
  ])(
    "of %s to %s loads nothing from elsewhere, and runs the script of its page alone",
    async (path, method) => {
      const { send } = pages();
      const { headers, body } = await send(path, method);
      const [, nonce = ""] = /<script nonce="([\w-]+)"/.exec(body) ?? [];
      expect(nonce).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers.get("Content-Security-Policy")?.replace(nonce, "N")).toBe(POLICY);
      expect(Object.fromEntries(headers)).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
      });
      // It is of this answer alone.
      expect((await send(path, method)).body).not.toContain(nonce);
    },
  );

  test.each(["/admin/style.css", "/admin/page.js"])("of %s has the same headers", async (path) => {
    const { headers } = await pages().send(path);
    expect(headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  });

  test("of no page of ours has none of them", async () => {
    const { status, headers } = await pages().send("/mcp");
    expect(status).toBe(404);
    expect(headers.get("Content-Security-Policy")).toBeNull();
    expect(headers.get("Referrer-Policy")).toBeNull();
  });
});
