// The metadata of /mcp by itself. Where it stands, and who reads it: challenge.test.ts.
import { Hono } from "hono";
import { expect, test } from "vitest";
import {
  metadataCors,
  metadataEndpoint,
  metadataMethods,
  metadataPaths,
  metadataRoute,
} from "../../src/auth/metadata-endpoint.ts";
import type { TokenConfig } from "../../src/auth/token-settings.ts";
import { operations } from "../../src/http/openapi.ts";
import type { RequestVariables } from "../../src/http/request-log.ts";

const config: TokenConfig = {
  issuers: ["https://a.example", "https://b.example"],
  audience: undefined,
  jwksUri: undefined,
  scopeMap: undefined,
  scopeClaim: undefined,
  introspection: undefined,
  authorizationServer: undefined,
};

const answerOf = async (over: Partial<TokenConfig> = {}) => {
  let stored: string | undefined;
  const app = new Hono<{ Variables: RequestVariables }>()
    .use(async (c, next) => {
      await next();
      stored = c.get("cacheControl");
    })
    .get("/path", metadataEndpoint({ ...config, ...over }, "a name"));
  const body: unknown = await (await app.request("https://worker.test/path?x=1")).json();
  return { body, stored };
};

const all = {
  resource: "https://worker.test/mcp",
  authorization_servers: ["https://a.example", "https://b.example"],
  scopes_supported: ["mcp"],
  bearer_methods_supported: ["header"],
  resource_name: "a name",
};

test("it says for what a token must be, who gives it, and what to ask for; and may be stored for an hour", async () => {
  expect(await answerOf()).toEqual({ body: all, stored: "public, max-age=3600" });
});

test("where nothing can be asked for, it says nothing of scopes", async () => {
  const { scopes_supported: _, ...without } = all;
  expect((await answerOf({ scopeClaim: "roles" })).body).toEqual(without);
});

test("it stands at two paths, and is read alone", () => {
  expect(metadataPaths).toEqual([
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource",
  ]);
  expect(metadataMethods).toEqual(["GET", "HEAD"]);
});

test("every page may read it, and remembers that for a day", async () => {
  const app = new Hono().use(metadataCors).get("/path", (c) => c.text("it"));
  const names = ["Allow-Origin", "Allow-Methods", "Max-Age", "Expose-Headers"];
  const headersOf = async (method: string) => {
    const { headers } = await app.request("/path", { method, headers: { Origin: "https://page.example" } });
    return names.map((name) => headers.get(`Access-Control-${name}`));
  };
  expect(await headersOf("OPTIONS")).toEqual(["*", "GET,HEAD", "86400", "Allow,X-Request-Id"]);
  expect(await headersOf("GET")).toEqual(["*", null, null, "Allow,X-Request-Id"]);
});

test("its description takes the answer, with one server or more, and nothing else", () => {
  const schema = operations.get(metadataRoute)?.answers[200]?.schema;
  const takes = (over: object) => schema?.safeParse({ ...all, ...over }).success;
  expect([
    takes({}),
    takes({ authorization_servers: ["https://a.example"] }),
    takes({ scopes_supported: undefined }),
  ]).toEqual([true, true, true]);
  for (const wrong of [
    { authorization_servers: [] },
    { authorization_servers: ["a"] },
    { resource: "mcp" },
    { resource: undefined },
    { bearer_methods_supported: ["query"] },
    { resource_name: undefined },
    { more: 1 },
  ])
    expect(takes(wrong)).toBe(false);
});
