// What the overview says, what it never says, and what a look costs.
import { beforeAll, describe, expect, test } from "vitest";
import {
  addSessions,
  createDatabase,
  databaseRequests,
  keys,
  send,
  type TestDatabase,
  bearer,
} from "../support/worker.ts";
import { visitor, type Visitor } from "./browser-like.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await addSessions(database, { a: null, b: new Date(Date.now() - 60_000), c: null });
});

let version = 0;
async function operatorOf(overrides: Record<string, string> = {}): Promise<Visitor> {
  version += 1;
  const env = Object.assign(database.env({ ADMIN_PAGE: "true", ...overrides }), {
    CF_VERSION_METADATA: { id: `overview-${version}`, tag: "<b>tag</b>", timestamp: "2026-11-01T00:00:00Z" },
  });
  const person = visitor(env);
  await person.signIn(keys.admin);
  return person;
}

const overviewOf = async (person: Visitor) => squeezed(await (await person.get("/admin")).text());

/** Without what formatters do to white space between tags. */
const squeezed = (body: string) => body.replaceAll(/\s+/g, " ").replaceAll(/ ?(<[^>]*?)\s*> ?/g, "$1>");

async function requestsOf(action: () => Promise<unknown>): Promise<number> {
  const before = await databaseRequests();
  await action();
  return (await databaseRequests()) - before;
}

describe("the configuration", () => {
  test("is shown where it differs from its default, by what it means and not by how it is written", async () => {
    const body = await overviewOf(
      await operatorOf({
        HEALTH_TIMEOUT_MS: "9000",
        LOG_FORMAT: "json",
        MCP_AGGRESSIVE_CLEANUP: "0",
        MCP_SESSION_TTL_SECONDS: "86400",
        ALLOWED_ORIGINS: "https://app.example.com",
      }),
    );
    const shown = [...body.matchAll(/<th scope="row"><code>(\w+)<\/code><\/th>/g)].map(([, name]) => name);
    expect(shown).toEqual([
      "DATABASE_URL",
      "NEON_ENDPOINT_OVERRIDE",
      "API_KEYS",
      "HEALTH_TIMEOUT_MS",
      "ALLOWED_ORIGINS",
      "ADMIN_PAGE",
      "LOG_LEVEL",
    ]);
    expect(body).toContain("<bdi>9000</bdi>");
    expect(body).toContain("<bdi>https://app.example.com</bdi>");
  });

  test("has no secret, and no query of an address", async () => {
    const body = await overviewOf(
      await operatorOf({
        OAUTH_ISSUERS: "https://issuer.example.com",
        OAUTH_INTROSPECTION_URL: "https://issuer.example.com/introspect?secret=in-a-query",
        OAUTH_INTROSPECTION_CLIENT_ID: "the-client",
        OAUTH_INTROSPECTION_CLIENT_SECRET: "the-secret-of-the-client",
      }),
    );
    expect(body).toContain("OAUTH_INTROSPECTION_CLIENT_SECRET");
    expect(body).toContain("https://issuer.example.com/introspect?…");
    for (const secret of ["in-a-query", "the-secret-of-the-client", new URL(database.url).password])
      expect(body.includes(secret), secret).toBe(false);
  });

  test("names variables that nothing reads, with the nearest that is read", async () => {
    const body = await overviewOf(await operatorOf({ MCP_SESION_TTL_SECONDS: "1", "MCP_<i>\u202e": "1" }));
    expect(body).toContain(
      "<bdi>MCP_SESION_TTL_SECONDS</bdi></code>. Is<code>MCP_SESSION_TTL_SECONDS</code>meant?",
    );
    expect(body).toContain("MCP_&lt;i&gt;\\u{202e}");
  });

  test("is of the version that answers", async () => {
    const body = await overviewOf(await operatorOf());
    expect(body).toContain(`<code><bdi>overview-${version}</bdi></code>`);
    expect(body).toContain("&lt;b&gt;tag&lt;/b&gt;");
    expect(body).toContain('<time datetime="2026-11-01T00:00:00.000Z">2026-11-01 00:00:00 UTC</time>');
  });
});

describe("a look", () => {
  test("is one statement, where numbers are not shared", async () => {
    const person = await operatorOf();
    expect(await requestsOf(() => overviewOf(person))).toBe(1);
    expect(await requestsOf(() => overviewOf(person))).toBe(1);
    // The button only leads to a look.
    expect(await requestsOf(() => person.post("/admin/ask", {}, { from: "/admin/connect" }))).toBe(0);
  });

  test("is none within HEALTH_MAX_AGE_SECONDS; the button asks once", async () => {
    const person = await operatorOf({ HEALTH_MAX_AGE_SECONDS: "3600" });
    expect(await requestsOf(() => overviewOf(person))).toBe(1);
    expect(await requestsOf(() => overviewOf(person))).toBe(0);
    await addSessions(database, { d: null });
    expect(await requestsOf(() => person.post("/admin/ask", {}, { from: "/admin/connect" }))).toBe(1);
    const body = await overviewOf(person);
    expect(body).toContain("Numbers are shared for 1 h");
    expect(body).toMatch(/<dd>3<\/dd>/);
    await database.query("DELETE FROM mcp_sessions WHERE session_id = 'session-d'");
  });

  test.each<[string, { method?: string; headers?: Record<string, string> }]>([
    ["a browser loads the page before it is wanted", { headers: { "Sec-Purpose": "prefetch;prerender" } }],
    ["a browser of before does", { headers: { Purpose: "prefetch" } }],
    ["a program asks for the head alone", { method: "HEAD" }],
  ])("wakes no database when %s", async (_name, init) => {
    const person = await operatorOf();
    const headers = { ...init.headers, Cookie: person.cookie ?? "" };
    const env = Object.assign(database.env({ ADMIN_PAGE: "true" }), {
      CF_VERSION_METADATA: { id: `overview-${version}`, tag: "", timestamp: "" },
    });
    expect(await requestsOf(() => send(env, "/admin", { ...init, headers }))).toBe(0);
    expect(await requestsOf(() => overviewOf(person))).toBe(1);
  });

  test("at any other page of ours costs no statement", async () => {
    const person = await operatorOf();
    for (const path of [
      "/",
      "/admin/connect",
      "/admin/sign-in",
      "/admin/style.css",
      "/admin/page.js",
      "/admin/x",
    ])
      expect([path, await requestsOf(() => person.get(path))]).toEqual([path, 0]);
  });
});

describe("every answer of the page", () => {
  test.each(["/", "/admin", "/admin/connect", "/admin/sign-in", "/admin/nowhere"])(
    "%s loads nothing from elsewhere and stands in no frame; its script has a number used once",
    async (path) => {
      const person = await operatorOf();
      if (path === "/admin/sign-in") person.cookie = undefined;
      const first = await person.get(path);
      const policy = first.headers.get("Content-Security-Policy") ?? "";
      const nonce = /script-src 'nonce-([\w-]+)'/.exec(policy)?.[1];
      expect(policy.replace(nonce ?? "", "N")).toBe(
        "default-src 'none'; style-src 'self'; script-src 'nonce-N'; connect-src 'self'; img-src 'self' data:; " +
          "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      );
      expect(await first.text()).toContain(`<script nonce="${nonce}" src="/admin/page.js?v=`);
      const second = await person.get(path);
      expect(second.headers.get("Content-Security-Policy")).not.toContain(nonce);
      expect(first.headers.get("Cache-Control")).toBe("no-store");
      expect(first.headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(first.headers.get("Referrer-Policy")).toBe("same-origin");
    },
  );

  test("keeps the stylesheet and the script for as long as they are the same", async () => {
    const person = await operatorOf();
    const page = await overviewOf(person);
    for (const [address = ""] of page.matchAll(/\/admin\/(?:style\.css|page\.js)\?v=[0-9a-f]+/g)) {
      const asset = await person.get(address);
      expect(asset.headers.get("Cache-Control")).toBe("public, max-age=31536000, immutable");
      expect((await person.get(`${address}0`)).headers.get("Cache-Control")).toBe("no-store");
    }
  });

  test("comes with or without a slash at the end, to HEAD as to GET, and to no other method", async () => {
    const env = database.env({ ADMIN_PAGE: "true" });
    const ask = (path: string, method: string) => send(env, path, { method, ...bearer(keys.admin) });
    for (const path of ["/admin", "/admin/", "/admin/connect", "/admin/connect/"]) {
      expect([path, (await ask(path, "GET")).status, (await ask(path, "HEAD")).status]).toEqual([
        path,
        200,
        200,
      ]);
    }
    expect(squeezed(await (await ask("/admin/connect/", "GET")).text())).toContain(
      'href="/admin/connect" aria-current="page">Connect',
    );
    const refused = await ask("/admin/connect", "PUT");
    expect([refused.status, refused.headers.get("Allow")]).toEqual([405, "GET, HEAD"]);
    expect(refused.headers.get("Content-Type")).toBe("text/html; charset=UTF-8");
  });
});
