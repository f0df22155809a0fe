// How an operator signs in with a key, and out.
import { describe, expect, test } from "vitest";
import type { Scope } from "../../src/auth/api-keys.ts";
import { signInEndpoint } from "../../src/page/sign-in-endpoint.ts";
import type { KeyHolder } from "../../src/page/sign-ins.ts";
import { logged } from "../support/captured-logs.ts";
import { handlers, readForm } from "./handler.ts";

const holder = (name: string, ...scopes: Scope[]): KeyHolder => ({
  principal: { name, label: name, scopes },
  digest: new Uint8Array(32),
  signer: { sign: () => Promise.resolve(""), isSignatureOf: () => Promise.resolve(false) },
});
const holders = new Map([
  ["the-key", holder("ann", "admin")],
  ["the-health-key", holder("monitor", "health")],
  ["the-mcp-key", holder("alice", "mcp", "metrics")],
]);

/** The sign-in, who has signed in with this browser, and whether one more wrong key is heard. */
function page({ isSignedIn = false, isHeard = true } = {}) {
  const calls: string[] = [];
  const principals: (string | undefined)[] = [];
  const { show, signIn, signOut } = signInEndpoint({
    signIns: {
      holderOf(key) {
        calls.push(`holder of ${key}`);
        return Promise.resolve(holders.get(key));
      },
      begin(c, { principal }) {
        calls.push(`begin ${principal.name}`);
        c.header("Set-Cookie", "begun");
        return Promise.resolve();
      },
      find: () =>
        Promise.resolve(isSignedIn ? { principal: holder("ann", "admin").principal, id: "1" } : undefined),
      end(c) {
        calls.push("end");
        c.header("Set-Cookie", "ended");
      },
    },
    csrf: {
      tokenFor: (subject) => Promise.resolve(`token of ${subject}`),
      isTokenOf: () => Promise.resolve(false),
    },
    readForm,
    hearsWrongKey() {
      calls.push("wrong key");
      return Promise.resolve(isHeard);
    },
  });
  const browser = handlers(
    (app) =>
      app
        .get("/admin/sign-in", show)
        .post("/admin/sign-in", async (c) => {
          const answer = await signIn(c);
          // What the line of the request says.
          principals.push(c.get("principal")?.name);
          return answer;
        })
        .post("/admin/sign-out", signOut),
    { principal: undefined },
  );
  const send = (fields: Record<string, string>) => browser.post("/admin/sign-in", fields);
  return { ...browser, send, calls, principals };
}

/** The field that keeps where a person goes afterwards. */
const nextIn = (body: string) => /name="next" value="([^"]*)"/.exec(body)?.[1];

describe("the form", () => {
  test("is for anybody, and keeps where a person goes afterwards", async () => {
    const { get } = page();
    const { status, body, headers } = await get("/admin/sign-in?next=/admin/runs");
    expect([status, nextIn(body), headers.get("Retry-After")]).toEqual([200, "/admin/runs", null]);
    expect(body).toContain('name="csrf" value="token of nobody"');
    expect(body).toContain('<script nonce="the-nonce"');
    expect(body).not.toContain("aria-invalid");
    expect(body).not.toContain('role="alert"');
    expect(nextIn((await get("/admin/sign-in")).body)).toBe("/admin");
    expect(nextIn((await get("/admin/sign-in?next=//other.example/")).body)).toBe("/admin");
  });

  test("is left out for who has signed in already", async () => {
    const { get } = page({ isSignedIn: true });
    const answer = await get("/admin/sign-in?next=/admin/runs");
    expect(answer).toMatchObject({ status: 303, location: "/admin/runs" });
    expect((await get("/admin/sign-in?next=//other.example/")).location).toBe("/admin");
  });
});

describe("a right key", () => {
  test("signs in, and leads to where the person was", async () => {
    const { send, calls, principals } = page();
    const answer = await send({ key: "the-key", next: "/admin/runs" });
    expect(answer).toMatchObject({ status: 303, location: "/admin/runs" });
    expect(answer.headers.get("Set-Cookie")).toBe("begun");
    expect(calls).toEqual(["holder of the-key", "begin ann"]);
    expect(principals).toEqual(["ann"]);
    expect(logged("Operator signed in")).toEqual([
      expect.objectContaining({ level: "INFO", principal: "ann", request_id: "the-request" }),
    ]);
  });

  test("may have spaces around it, which people copy with it", async () => {
    const { send, calls } = page();
    expect((await send({ key: " \tthe-health-key\n" })).location).toBe("/admin");
    expect(calls).toEqual(["holder of the-health-key", "begin monitor"]);
  });

  test("is taken however many wrong ones were tried", async () => {
    expect((await page({ isHeard: false }).send({ key: "the-key" })).status).toBe(303);
  });

  test("leads to no other site", async () => {
    expect((await page().send({ key: "the-key", next: "https://other.example/admin" })).location).toBe(
      "/admin",
    );
  });
});

describe("a wrong key", () => {
  test.each([
    ["none of ours", "the-other-key", 401, "This is not a key of this Worker.", "unknown_key", undefined],
    [
      "of neither scope",
      "the-mcp-key",
      403,
      "This key has neither the scope admin nor the scope health.",
      "lacks_scope",
      "alice",
    ],
    ["left out", "", 401, "This is not a key of this Worker.", "unknown_key", undefined],
  ])(
    "that is %s gets the form again, with what is wrong",
    async (_what, key, status, text, reason, principal) => {
      const { send, calls, principals } = page();
      const answer = await send({ key, next: "/admin/runs" });
      expect([answer.status, answer.location, nextIn(answer.body)]).toEqual([status, null, "/admin/runs"]);
      expect(answer.body).toContain(`<p class="problem" id="problem"><span role="alert">${text}</span></p>`);
      expect(answer.body).toContain('aria-invalid="true"');
      expect([answer.headers.get("Set-Cookie"), answer.headers.get("Retry-After")]).toEqual([null, null]);
      expect(calls).toEqual([`holder of ${key}`, "wrong key"]);
      expect(principals).toEqual([undefined]);
      const [line, ...others] = logged("Sign-in refused");
      expect(line).toMatchObject({ level: "WARN", reason, request_id: "the-request" });
      expect(line?.["principal"]).toBe(principal);
      expect(others).toEqual([]);
      expect(logged("Operator signed in")).toEqual([]);
    },
  );

  test("that is one too many is not heard: it is not said what is wrong, and nothing is logged", async () => {
    for (const key of ["the-other-key", "the-mcp-key"]) {
      const answer = await page({ isHeard: false }).send({ key, next: "/admin/runs" });
      expect([answer.status, answer.headers.get("Retry-After")]).toEqual([429, "60"]);
      expect(answer.body).toContain("Too many wrong keys were tried.");
      expect(nextIn(answer.body)).toBe("/admin/runs");
    }
    expect(logged("Sign-in refused")).toEqual([]);
  });

  test("is not looked at in a form that is refused", async () => {
    const { send, calls } = page();
    expect((await send({ key: "the-key", refused: "" })).status).toBe(403);
    expect(calls).toEqual([]);
  });
});

describe("the sign-out", () => {
  test("ends the sign-in, and leads to the form", async () => {
    const { post, calls } = page();
    const answer = await post("/admin/sign-out");
    expect(answer).toMatchObject({ status: 303, location: "/admin/sign-in" });
    expect(answer.headers.get("Set-Cookie")).toBe("ended");
    expect(calls).toEqual(["end"]);
    expect(logged("Operator signed out")).toEqual([
      expect.objectContaining({ level: "INFO", request_id: "the-request" }),
    ]);
  });

  test("is not done by a form that is refused", async () => {
    const { post, calls } = page();
    expect((await post("/admin/sign-out", { refused: "" })).status).toBe(403);
    expect(calls).toEqual([]);
    expect(logged("Operator signed out")).toEqual([]);
  });
});
