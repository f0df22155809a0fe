// Paths, methods and parameters that are not quite right, on every route.
import { describe, expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import { initializeParams } from "../support/mcp.ts";
import { KEPT } from "../support/kept.ts";
import { bearer, createDatabase, databaseRequests, environment, keys, send } from "../support/worker.ts";

const KEY = "0".repeat(64);
const HANDLE = "00000000-0000-4000-8000-000000000000";
const routes: [path: string, methods: string[], key: string][] = [
  ["/healthz", ["GET"], keys.health],
  ["/openapi.json", ["GET"], keys.health],
  ["/session-health", ["GET"], keys.health],
  ["/metrics", ["GET"], keys.metrics],
  ["/sessions", ["GET", "DELETE"], keys.admin],
  [`/sessions/${HANDLE}`, ["DELETE"], keys.admin],
  ["/handles", ["GET"], keys.admin],
  [`/handles/${KEY}`, ["DELETE"], keys.admin],
  ["/tasks", ["GET"], keys.admin],
  [`/tasks/${KEY}`, ["DELETE"], keys.admin],
  ["/cleanup/runs", ["GET"], keys.admin],
  ["/cleanup/regular", ["POST"], keys.admin],
  ["/mcp", ["POST", "DELETE"], keys.alice],
];

test.each(routes)(
  "%s with a slash at its end is the same route, without a redirect",
  async (path, methods, key) => {
    const env = (await createDatabase()).env(KEPT);
    const headers = { ...bearer(key).headers, "Content-Type": "application/json" };
    for (const method of methods) {
      const ask = async (url: string) => {
        const response = await send(env, url, { method, headers, ...(method === "POST" && { body: "{}" }) });
        return [response.status, response.headers.get("Content-Type"), response.headers.get("Location")];
      };
      expect(await ask(`${path}/`)).toEqual(await ask(path));
      expect((await ask(`${path}/`))[2]).toBeNull();
    }
  },
);

test("initialize to /mcp/ opens a session", async () => {
  const message = { jsonrpc: "2.0", id: 1, method: "initialize", params: initializeParams };
  const headers = { ...bearer(keys.alice).headers, "Content-Type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(message) };
  const response = await send((await createDatabase()).env(), "/mcp/", init);
  expect(response.status).toBe(200);
  expect(keepSecret(response.headers.get("Mcp-Session-Id") ?? "")).toHaveLength(43);
});

test("what is refused at /mcp/ is refused as JSON-RPC", async () => {
  const response = await send(environment(), "/mcp/", { method: "POST", body: "{}" });
  expect([response.status, await response.json()]).toEqual([
    401,
    { jsonrpc: "2.0", error: { code: -32000, message: "A valid key is required" }, id: null },
  ]);
});

test.each(["/mcp//", "//mcp", "/mcp/x", "/sessions/x/y", "/Mcp", "/healthz/x"])(
  "%s is no route",
  async (path) => {
    expect((await send(environment(), path, { method: "POST", ...bearer(keys.alice) })).status).toBe(404);
  },
);

test.each(routes)("%s answers every other method with 405 and what it allows", async (path, methods, key) => {
  const env = environment(KEPT);
  const isMcp = path === "/mcp";
  const allowed = new Set([
    ...methods,
    ...(methods.includes("GET") ? ["HEAD"] : []),
    ...(isMcp ? ["OPTIONS"] : []),
  ]);
  const others = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"].filter(
    (m) => !allowed.has(m),
  );
  for (const method of others) {
    for (const url of [path, `${path}/`]) {
      for (const init of [{}, bearer(key)]) {
        const response = await send(env, url, { method, ...init });
        expect([method, response.status]).toEqual([method, 405]);
        expect(new Set(response.headers.get("Allow")?.split(", "))).toEqual(allowed);
      }
    }
  }
});

test.each([
  "/healthz",
  "/openapi.json",
  "/session-health",
  "/metrics",
  "/sessions",
  "/handles",
  "/tasks",
  "/cleanup/runs",
])("HEAD %s has the status and the type of GET, and no body", async (path) => {
  const env = (await createDatabase()).env(KEPT);
  const key = keepSecret("all-key-0123456789abcdefghijk");
  const all = { ...env, API_KEYS: `all:health+metrics+admin:${key}` };
  const [get, head] = [
    await send(all, path, bearer(key)),
    await send(all, path, { method: "HEAD", ...bearer(key) }),
  ];
  expect([head.status, head.headers.get("Content-Type")]).toEqual([200, get.headers.get("Content-Type")]);
  expect(await head.text()).toBe("");
});

describe("a parameter that is wrong is named, with its rule, and the database is not asked", () => {
  const sessions = "known are principal, issuer, subject, state, session, client, after, limit";
  const size = "must be a whole number from 1 to 1000";
  const run = "must be the number of a run";
  test.each<[method: string, url: string, message: string]>([
    ["GET", "/sessions?limit=0", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=1001", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=", `The parameter limit ${size}`],
    ["GET", "/sessions?limit", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=1e2", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=0x10", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=%2010", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=1.0", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=%D9%A1", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=ten", `The parameter limit ${size}`],
    ["GET", "/sessions?limit=5&limit=5", "The parameter limit is given twice"],
    ["GET", "/sessions?state=active&state=expired", "The parameter state is given twice"],
    ["GET", "/sessions?state=Active", "The parameter state must be active or expired"],
    ["GET", "/sessions?after=1", "The parameter after must be a handle, as GET /sessions gives them"],
    ["GET", "/sessions?session=1", "The parameter session must be the 8 characters of a session in the log"],
    [
      "GET",
      "/sessions?session=ABCDEF01",
      "The parameter session must be the 8 characters of a session in the log",
    ],
    ["GET", "/sessions?principal=", "The parameter principal must not be empty"],
    ["GET", "/sessions?principal=a%00b", "The parameter principal must have no control characters"],
    ["GET", "/sessions?principal=a%0A", "The parameter principal must have no control characters"],
    ["GET", "/sessions?principal=a%C2%85b", "The parameter principal must have no control characters"],
    ["GET", "/sessions?colour=red", `The parameter colour is not known; ${sessions}`],
    ["GET", "/sessions?Limit=5", `The parameter Limit is not known; ${sessions}`],
    ["GET", "/sessions?limit[]=5", `A parameter is not known; ${sessions}`],
    ["GET", `/sessions?${keys.admin}=1`, `A parameter is not known; ${sessions}`],
    ["DELETE", "/sessions?principal=a&principal=a", "The parameter principal is given twice"],
    [
      "DELETE",
      "/sessions?principal=a&limit=1",
      "The parameter limit is not known; known are principal, issuer, subject",
    ],
    ["DELETE", "/sessions", "The parameter principal is required, or issuer and subject"],
    ["DELETE", "/sessions?subject=a", "The parameters issuer and subject must be given together"],
    ["GET", "/sessions?issuer=a", "The parameters issuer and subject must be given together"],
    [
      "GET",
      "/sessions?principal=a&issuer=a&subject=a",
      "The parameter principal must not stand beside issuer and subject",
    ],
    ["DELETE", "/sessions/1", "The parameter handle must be a handle, as GET /sessions gives them"],
    ["DELETE", `/sessions/${HANDLE}?dry_run=1`, "The parameter dry_run is not known; this route has none"],
    ["DELETE", `/handles/${KEY}?dry_run=1`, "The parameter dry_run is not known; this route has none"],
    ["DELETE", `/tasks/${KEY}?dry_run=1`, "The parameter dry_run is not known; this route has none"],
    ["POST", "/cleanup/regular?dry_run=1", "The parameter dry_run is not known; this route has none"],
    ["GET", "/cleanup/runs?before=0", `The parameter before ${run}`],
    ["GET", "/cleanup/runs?before=9007199254740993", `The parameter before ${run}`],
    ["GET", "/cleanup/runs?before=1e3", `The parameter before ${run}`],
    ["GET", "/cleanup/runs?tier=Regular", "The parameter tier must be regular or immediate"],
    [
      "GET",
      "/cleanup/runs?page=2",
      "The parameter page is not known; known are tier, outcome, before, limit",
    ],
    ["POST", "/cleanup/none", "The parameter tier must be regular or immediate"],
  ])("%s %s", async (method, url, message) => {
    const before = await databaseRequests();
    const response = await send(environment(KEPT), url, { method, ...bearer(keys.admin) });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: { code: "invalid_request", message, request_id: expect.any(String) } },
    ]);
    expect(await databaseRequests()).toBe(before);
  });
});

test.each([
  "/register",
  "/authorize?client_id=x",
  "/token",
  "/revoke",
  "/.well-known/oauth-authorization-server",
  "/.well-known/oauth-protected-resource",
  "/.well-known/oauth-protected-resource/mcp",
  "/mcp/.well-known/openid-configuration",
])("an OAuth client finds nothing at %s, and is told so in its own words", async (path) => {
  for (const method of ["GET", "POST"]) {
    const response = await send(environment(), path, { method });
    expect([response.status, await response.json()]).toEqual([
      404,
      { error: "not_found", error_description: "There is no such route" },
    ]);
    expect(response.headers.get("X-Request-Id")).not.toBeNull();
  }
});
