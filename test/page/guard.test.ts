// Who may see a page, and what the page knows of them.
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import type { Scope } from "../../src/auth/api-keys.ts";
import type { Principal } from "../../src/auth/principal.ts";
import { vouchFor } from "../../src/auth/vouched.ts";
import { AppError } from "../../src/http/errors.ts";
import { createPageGuard, frameOf, type PageVariables } from "../../src/page/guard.ts";
import { handlers, type Known } from "./handler.ts";

const ORIGIN = "https://worker.test";
const SIGNED_IN = { Cookie: "signed-in" };

const principalOf = (name: string, ...scopes: Scope[]): Principal => ({
  name,
  label: `label of ${name}`,
  scopes,
});

/** A page behind the guard of a scope; who has signed in, and who asks otherwise. */
function guarded(
  scope: Scope = "health",
  signedIn = principalOf("ann", "admin"),
  asking = principalOf("bob", "health"),
) {
  const calls: string[] = [];
  const viewerGuard = createPageGuard({
    guardOf: (needed) => ({
      whoIsAsking() {
        calls.push(`who is asking for ${needed}`);
        return Promise.resolve(asking);
      },
      forbidden: (_c, { name }) => new AppError("forbidden", `${name} lacks ${needed}`),
    }),
    signIns: {
      holderOf: () => Promise.resolve(undefined),
      begin: () => Promise.resolve(),
      find({ req }) {
        calls.push("find");
        const isFound = req.header("Cookie") === SIGNED_IN.Cookie;
        return Promise.resolve(isFound ? { principal: signedIn, id: "the-id" } : undefined);
      },
      end: () => {},
    },
    csrf: {
      tokenFor: (subject) => Promise.resolve(`token of ${subject}`),
      isTokenOf: () => Promise.resolve(false),
    },
  });
  const app = new Hono<{ Variables: PageVariables }>();
  app.all("*", viewerGuard(scope), (c) => {
    calls.push("page");
    const { principal, formsOf, csrf, viewer } = c.var;
    return c.json({ principal, formsOf, csrf, viewer });
  });
  app.onError((error, c) => {
    if (!(error instanceof AppError)) throw error;
    return c.json({ code: error.code, message: error.message, viewer: c.get("viewer") }, 400);
  });
  const ask = async (request: Request) => {
    const response = await app.request(request);
    const text = await response.text();
    return {
      status: response.status,
      location: response.headers.get("Location"),
      body: text === "" ? undefined : (JSON.parse(text) as unknown),
    };
  };
  const send = (headers: Record<string, string>, method = "GET", path = "/admin/runs?tier=regular") =>
    ask(new Request(`${ORIGIN}${path}`, { method, headers }));
  return { calls, ask, send };
}

describe("the guard", () => {
  test("lets in who has signed in, and asks for nothing else", async () => {
    const { calls, send } = guarded();
    expect(await send(SIGNED_IN)).toEqual({
      status: 200,
      location: null,
      body: {
        principal: principalOf("ann", "admin"),
        formsOf: "sign-in the-id",
        csrf: "token of sign-in the-id",
        viewer: { label: "label of ann", scopes: ["admin"], isSignedIn: true },
      },
    });
    expect(calls).toEqual(["find", "page"]);
  });

  const asBob = {
    status: 200,
    location: null,
    body: {
      principal: principalOf("bob", "health"),
      formsOf: "principal bob",
      csrf: "token of principal bob",
      viewer: { label: "label of bob", scopes: ["health"], isSignedIn: false },
    },
  };

  test.each(["Authorization", "X-API-Key", "Cf-Access-Jwt-Assertion"])(
    "asks who it is of a request with %s, whoever has signed in",
    async (name) => {
      const { calls, send } = guarded();
      expect(await send({ ...SIGNED_IN, [name]: "x" })).toEqual(asBob);
      expect(calls).toEqual(["who is asking for health", "page"]);
    },
  );

  test("asks who it is of a request for which this isolate vouches", async () => {
    const { calls, ask } = guarded();
    const request = new Request(`${ORIGIN}/admin`, { headers: SIGNED_IN });
    expect(await ask(vouchFor(request, principalOf("carol")))).toEqual(asBob);
    expect(calls).toEqual(["who is asking for health", "page"]);
  });

  test.each(["GET", "HEAD"])("leads %s of nobody to the sign-in, and from there back", async (method) => {
    const { calls, send } = guarded();
    expect(await send({}, method)).toEqual({
      status: 303,
      location: "/admin/sign-in?next=%2Fadmin%2Fruns%3Ftier%3Dregular",
      body: undefined,
    });
    expect(calls).toEqual(["find"]);
    expect((await send({}, method, "/admin")).location).toBe("/admin/sign-in");
  });

  test.each(["POST", "PUT", "DELETE"])(
    "refuses %s of nobody, and says that nothing was done",
    async (method) => {
      const { calls, send } = guarded();
      expect((await send({}, method)).body).toEqual({
        code: "unauthenticated",
        message: "Nothing was done: you are not signed in any more. Sign in, and try again",
      });
      expect(calls).toEqual(["find"]);
    },
  );

  test.each<[Scope, Scope[], boolean]>([
    ["health", ["health"], true],
    ["health", ["admin"], true],
    ["health", ["mcp", "metrics"], false],
    ["health", [], false],
    ["admin", ["admin"], true],
    ["admin", ["health"], false],
  ])("shows a page that needs %s to who has %j: %s", async (needed, scopes, isShown) => {
    const { calls, send } = guarded(needed, principalOf("ann", ...scopes), principalOf("bob", ...scopes));
    const [ofAnn, ofBob] = [await send(SIGNED_IN), await send({ Authorization: "x" })];
    expect(calls.filter((call) => call === "page")).toHaveLength(isShown ? 2 : 0);
    if (isShown) return;
    // The page of the refusal knows who reads it.
    const viewer = { label: "label of ann", scopes, isSignedIn: true };
    expect(ofAnn.body).toEqual({ code: "forbidden", message: `ann lacks ${needed}`, viewer });
    expect(ofBob.body).toMatchObject({ code: "forbidden", message: `bob lacks ${needed}` });
  });
});

describe("the frame of a page", () => {
  const frameAt = async (path: string, more: Known = {}) => {
    const notice = { kind: "good", text: "done" } as const;
    const { get } = handlers((app) => app.get("*", (c) => c.json(frameOf(c, "Runs", notice))), more);
    return JSON.parse((await get(path)).body) as Record<string, unknown>;
  };

  test("has what the guard has found", async () => {
    expect(await frameAt("/admin/runs?tier=regular", { keeps: { tasks: true } })).toEqual({
      title: "Runs",
      path: "/admin/runs",
      nonce: "the-nonce",
      csrf: "the-token",
      viewer: { label: "ops", scopes: ["admin"], isSignedIn: true },
      notice: { kind: "good", text: "done" },
      keeps: { tasks: true },
    });
  });

  test.each([
    ["/admin/runs/", "/admin/runs"],
    ["/admin/", "/admin"],
    ["/admin/runs/7", "/admin/runs/7"],
    ["/", "/"],
  ])("has for %s the path %s", async (asked, path) => {
    expect((await frameAt(asked))["path"]).toBe(path);
  });

  test("is of a page with a guard alone", async () => {
    for (const missing of [{ viewer: undefined }, { csrf: undefined }]) {
      const { get } = handlers((app) => app.get("*", (c) => c.json(frameOf(c, "Runs"))), missing);
      await expect(get("/admin")).rejects.toThrow("The page has no guard");
    }
  });
});
