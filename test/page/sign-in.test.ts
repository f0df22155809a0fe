// Who may see the page: a key through the form, what ends a sign-in, and what is no sign-in.
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { createIssuer } from "../support/issuer.ts";
import {
  bearer,
  createDatabase,
  databaseRequests,
  keys,
  send,
  type TestDatabase,
} from "../support/worker.ts";
import { ORIGIN, tokenIn, visitor, type Visitor } from "./browser-like.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
const on = (overrides: Record<string, string> = {}) => database.env({ ADMIN_PAGE: "true", ...overrides });

const apiKeys = (...entries: string[]) => ({ API_KEYS: entries.join(",") });
const HOUR_MS = 3_600_000;

afterEach(() => {
  vi.useRealTimers();
});

async function expectSignedIn(person: Visitor): Promise<void> {
  const response = await person.get("/admin");
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("<h1>Overview</h1>");
}

async function expectSignedOut(person: Visitor): Promise<void> {
  const response = await person.get("/admin");
  expect([response.status, response.headers.get("Location")]).toEqual([303, "/admin/sign-in"]);
}

describe("a person with a key", () => {
  test("signs in with one of scope admin, for one hour, by a cookie that no script and no other site gets", async () => {
    const person = visitor(on());
    const response = await person.signIn(keys.admin);
    expect([response.status, response.headers.get("Location")]).toEqual([303, "/admin"]);
    expect(response.headers.get("Set-Cookie")).toMatch(
      /^__Host-mcp-admin=[\w.%-]+; Max-Age=3600; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    await expectSignedIn(person);
    expect(logged("Operator signed in")).toMatchObject([{ principal: "ops", level: "INFO" }]);
  });

  test("is called by their name in the log of each request", async () => {
    const person = visitor(on());
    await person.signIn(keys.admin);
    await person.get("/admin");
    expect(logged("request").at(-1)).toMatchObject({ principal: "ops", route: "/admin", status: 200 });
  });

  test("may look with a key of scope health, and at nothing that needs admin", async () => {
    const person = visitor(on());
    await person.signIn(keys.health);
    await expectSignedIn(person);
    const overview = await (await person.get("/admin")).text();
    expect(overview).toContain("may look only");
    expect(overview).not.toContain('href="/admin/connect"');
    const refused = await person.get("/admin/connect");
    expect([refused.status, refused.headers.get("Content-Type")]).toEqual([403, "text/html; charset=UTF-8"]);
    expect(await refused.text()).toContain("You may not do that");
  });

  test("is forwarded from the form when they are signed in already", async () => {
    const person = visitor(on());
    await person.signIn(keys.admin);
    const response = await person.get("/admin/sign-in?next=%2Fadmin%2Fconnect");
    expect([response.status, response.headers.get("Location")]).toEqual([303, "/admin/connect"]);
  });

  test("signs in with a key of which the Worker has the digest alone", async () => {
    const digest = new Uint8Array(
      await crypto.subtle.digest("SHA-256", new TextEncoder().encode(keys.admin)),
    );
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const person = visitor(on(apiKeys(`ops:admin:sha256=${hex}`)));
    await person.signIn(keys.admin);
    await expectSignedIn(person);
  });

  test("signs out, and the log says so", async () => {
    const person = visitor(on());
    await person.signIn(keys.admin);
    const response = await person.post("/admin/sign-out", {}, { from: "/admin" });
    expect([response.status, response.headers.get("Location")]).toEqual([303, "/admin/sign-in"]);
    expect(person.cookie).toBeUndefined();
    expect(logged("Operator signed out")).toMatchObject([{ principal: "ops" }]);
  });
});

describe("a sign-in ends", () => {
  test("after an hour to the second, however often it is used", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const env = on();
    const person = visitor(env);
    const begun = Math.floor(Date.now() / 1000) * 1000;
    await person.signIn(keys.admin);
    vi.setSystemTime(begun + HOUR_MS / 2);
    await expectSignedIn(person);
    vi.setSystemTime(begun + HOUR_MS - 1);
    await expectSignedIn(person);
    vi.setSystemTime(begun + HOUR_MS);
    await expectSignedOut(person);
  });

  test.each([
    ["its key has another text", `ops:admin:another-${keys.admin}`],
    ["its key is gone", `somebody:admin:another-${keys.admin}`],
    ["its key has another name", `boss:admin:${keys.admin}`],
  ])("when %s", async (_name, entry) => {
    const person = visitor(on());
    await person.signIn(keys.admin);
    await expectSignedOut(visitor(on(apiKeys(entry)), person.cookie));
  });

  test("not while its key stands beside the new one, under the same name", async () => {
    const person = visitor(on());
    await person.signIn(keys.admin);
    const both = on(apiKeys(`ops:admin:another-${keys.admin}`, `ops:admin:${keys.admin}`));
    await expectSignedIn(visitor(both, person.cookie));
  });

  test("and has what its key may do now, not what it could when it began", async () => {
    const person = visitor(on());
    await person.signIn(keys.admin);
    const less = visitor(on(apiKeys(`ops:health:${keys.admin}`)), person.cookie);
    await expectSignedIn(less);
    expect((await less.get("/admin/connect")).status).toBe(403);
    const none = visitor(on(apiKeys(`ops:mcp:${keys.admin}`)), person.cookie);
    expect((await none.get("/admin")).status).toBe(403);
  });

  test("with the password of the database: it is a part of what signs", async () => {
    const person = visitor(on());
    await person.signIn(keys.admin);
    const url = database.url.replace(/:([^:@]+)@/, ":another-password@");
    await expectSignedOut(visitor(on({ DATABASE_URL: url }), person.cookie));
  });
});

describe("nobody is let in", () => {
  test.each([
    ["a key that is none", "0123456789abcdefghijklmnopqrstuv", 401, "unknown_key", undefined],
    ["nothing", "", 401, "unknown_key", undefined],
    ["a megabyte", "k".repeat(900_000), 401, "unknown_key", undefined],
    ["a key without the scope", keys.alice, 403, "lacks_scope", "alice"],
    ["a key of metrics", keys.metrics, 403, "lacks_scope", "prometheus"],
  ])("with %s, and the log has no part of it", async (_name, key, status, reason, principal) => {
    const person = visitor(on());
    const response = await person.signIn(key);
    expect(response.status).toBe(status);
    expect(response.headers.get("Set-Cookie")).toBeNull();
    const body = await response.text();
    expect(body).toContain('role="alert"');
    expect(body).not.toContain(key || "never");
    const [line, ...more] = logged("Sign-in refused");
    expect(more).toEqual([]);
    expect(line).toMatchObject({ reason, level: "WARN" });
    expect(line?.["principal"]).toBe(principal);
    expect(JSON.stringify(logged())).not.toContain(key || "never");
    await expectSignedOut(person);
  });

  test("with a cookie that was forged, changed, cut or made by another deployment", async () => {
    const person = visitor(on());
    await person.signIn(keys.health);
    const own = decodeURIComponent(person.cookie?.split("=").slice(1).join("=") ?? "");
    const [issued = "", id = "", name = "", signature = ""] = own.split(".");
    const forged = [
      [issued, id, "ops", signature],
      [String(Number(issued) + 1), id, name, signature],
      [issued, crypto.randomUUID(), name, signature],
      [issued, id, name, signature.replace(/^./, (first) => (first === "A" ? "B" : "A"))],
      [issued, id, name, btoa("x".repeat(32))],
      [issued, id, name, ""],
      [issued, id, name],
      ["99999999999", id, name, signature],
      [issued, id, `${name}; admin=true`, signature],
    ].map((parts) => `__Host-mcp-admin=${encodeURIComponent(parts.join("."))}`);
    const others = [
      "__Host-mcp-admin=",
      "__Host-mcp-admin=null",
      `mcp-admin=${own}`,
      `__Host-mcp-admin=${"a".repeat(9000)}`,
    ];
    for (const cookie of [...forged, ...others]) await expectSignedOut(visitor(on(), cookie));
    await expectSignedIn(visitor(on(), `__Host-mcp-admin=${encodeURIComponent(own)}`));
  });

  test("with a signature by the digest of a key, which others may know", async () => {
    const id = `${Math.floor(Date.now() / 1000)}.${crypto.randomUUID()}.ops`;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(keys.admin));
    for (const secret of [new Uint8Array(digest), new TextEncoder().encode(keys.admin)]) {
      const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
        "sign",
      ]);
      const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(id));
      const text = btoa(String.fromCharCode(...new Uint8Array(signature)));
      await expectSignedOut(visitor(on(), `__Host-mcp-admin=${encodeURIComponent(`${id}.${text}`)}`));
    }
  });

  test("without a page in the configuration: then nothing is as before it came", async () => {
    const off = database.env();
    for (const path of ["/", "/admin", "/admin/sign-in", "/admin/style.css"]) {
      const response = await send(off, path, bearer(keys.admin));
      expect([path, response.status, response.headers.get("Content-Type")]).toEqual([
        path,
        404,
        "application/json",
      ]);
      expect(response.headers.get("Content-Security-Policy")).toBeNull();
    }
  });
});

describe("attempts", () => {
  test("are heard 30 times a minute by an isolate; a right key is taken all the same", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const env = on();
    const person = visitor(env);
    const csrf = tokenIn(await (await person.get("/admin/sign-in")).text());
    const guess = () => person.post("/admin/sign-in", { key: "a-wrong-key-0123456789abcdef", csrf });
    const statuses = [];
    for (let i = 0; i < 35; i += 1) statuses.push((await guess()).status);
    expect(statuses).toEqual([...Array<number>(30).fill(401), ...Array<number>(5).fill(429)]);
    expect(logged("Sign-in refused")).toHaveLength(30);
    const refused = await guess();
    expect(refused.headers.get("Retry-After")).toBe("60");
    expect(await refused.text()).toContain("Too many wrong keys");
    expect((await person.post("/admin/sign-in", { key: keys.admin, csrf })).status).toBe(303);
    await expectSignedIn(person);
    vi.setSystemTime(Date.now() + 60_000);
    expect((await guess()).status).toBe(401);
  });

  test("are counted by address where there is a binding; IPv6 by the network of a customer", async () => {
    const counted: string[] = [];
    const limit = ({ key }: { key: string }) => {
      counted.push(key);
      return Promise.resolve({ success: counted.length < 2 });
    };
    const env = Object.assign(on(), { SIGN_IN_RATE_LIMIT: { limit } });
    const person = visitor(env);
    const from = (address: string, key: string) =>
      person.post("/admin/sign-in", { key }, { headers: { "CF-Connecting-IP": address } });
    expect((await from("203.0.113.7", "a-wrong-key-0123456789abcdef")).status).toBe(401);
    expect((await from("2001:db8:1:2:3:4:5:6", "a-wrong-key-0123456789abcdef")).status).toBe(429);
    expect((await from("203.0.113.7", keys.admin)).status).toBe(303);
    expect(counted).toEqual(["203.0.113.7", "2001:db8:1:2"]);
  });
});

describe("after the sign-in a person comes", () => {
  test.each([
    ["/admin/connect", "/admin/connect"],
    ["/admin/sessions?principal=alice&state=active", "/admin/sessions?principal=alice&state=active"],
    ["/admin/", "/admin/"],
    ["", "/admin"],
  ])("to the page they asked for: %s", async (next, expected) => {
    expect((await visitor(on()).signIn(keys.admin, next)).headers.get("Location")).toBe(expected);
  });

  test.each([
    "https://attacker.test/admin",
    "//attacker.test/admin",
    "/\\attacker.test",
    "/admin/..//attacker.test",
    "/admin/../mcp",
    "/admin/%2e%2e/mcp",
    "/admin//attacker.test",
    "/admin@attacker.test",
    "/adminattacker",
    "/admin/\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    "/admin/sign-in",
    "/admin/sign-in?next=%2Fadmin%2Fconnect",
    `/admin/${"a".repeat(2000)}`,
  ])("to no other place: %s", async (next) => {
    const person = visitor(on());
    expect((await person.signIn(keys.admin, next)).headers.get("Location")).toBe("/admin");
    const form = await (await visitor(on()).get(`/admin/sign-in?next=${encodeURIComponent(next)}`)).text();
    expect(form).toContain('name="next" value="/admin"');
  });

  test("to the page that sent them to the form", async () => {
    const response = await visitor(on()).get("/admin/connect?a=b");
    expect(response.headers.get("Location")).toBe("/admin/sign-in?next=%2Fadmin%2Fconnect%3Fa%3Db");
  });
});

describe("without the form", () => {
  test("a program shows its key", async () => {
    expect((await send(on(), "/admin", bearer(keys.admin))).status).toBe(200);
    expect((await send(on(), "/admin", bearer(keys.health))).status).toBe(200);
    expect((await send(on(), "/admin", bearer(keys.alice))).status).toBe(403);
    const wrong = await send(on(), "/admin", bearer("a-wrong-key-0123456789abcdef"));
    expect(wrong.status).toBe(401);
    expect(await wrong.text()).toContain("Sign in first");
  });

  test("a person of Cloudflare Access looks, and their forms are taken", async () => {
    const access = await createIssuer({ isAccess: true });
    await access.publish();
    const env = on({ ACCESS_TEAM_DOMAIN: access.url, ACCESS_AUDIENCE: "tag", HEALTH_MAX_AGE_SECONDS: "60" });
    const headers = { "Cf-Access-Jwt-Assertion": await access.token("someone", undefined, { aud: "tag" }) };
    const page = await send(env, "/admin", { headers });
    expect(page.status).toBe(200);
    const body = await page.text();
    expect(body).not.toContain("Sign out");
    const form = (origin: string) =>
      send(env, "/admin/ask", {
        method: "POST",
        headers: { ...headers, Origin: origin },
        body: new URLSearchParams({ csrf: tokenIn(body) }),
        redirect: "manual",
      });
    const before = await databaseRequests();
    expect((await form("https://attacker.test")).status).toBe(403);
    expect(await databaseRequests()).toBe(before);
    expect((await form(ORIGIN)).status).toBe(303);
    expect(await databaseRequests()).toBe(before + 1);
  });

  test("a bearer of a token of the configured issuer looks, with the scope", async () => {
    const issuer = await createIssuer();
    await issuer.publish();
    const env = on({ OAUTH_ISSUERS: issuer.url });
    const statusFor = async (scope: string) =>
      (await send(env, "/admin", bearer(await issuer.token("someone", scope)))).status;
    expect([await statusFor("admin"), await statusFor("health"), await statusFor("mcp")]).toEqual([
      200, 200, 403,
    ]);
  });
});
