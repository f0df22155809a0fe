import { expect, test } from "vitest";
import { expectNoSecrets, keepSecret, logged } from "./support/captured-logs.ts";
import { bearer, createDatabase, databaseRequests, environment, keys, send } from "./support/worker.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const refusal = (code: string) => ({
  error: { code, message: expect.any(String), request_id: expect.stringMatching(UUID) },
});

test("liveness needs no key and no database", async () => {
  const before = await databaseRequests();
  const response = await send(environment(), "/healthz");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: "ok" });
  expect(await databaseRequests()).toBe(before);
});

test.each([
  ["no key", {}],
  ["an empty key", { Authorization: "Bearer " }],
  ["another scheme", { Authorization: `Basic ${keys.health}` }],
  ["no scheme", { Authorization: keys.health }],
  ["a wrong key", { Authorization: `Bearer ${keepSecret("some-other-key-0123456789ab")}` }],
  ["a key with its first character missing", { Authorization: `Bearer ${keys.health.slice(1)}` }],
  ["two keys", { Authorization: `Bearer ${keys.health} ${keys.health}` }],
] as [string, Record<string, string>][])(
  "%s is refused with 401 and never reaches the database",
  async (_, headers) => {
    const database = await createDatabase();
    const before = await databaseRequests();
    const response = await send(database.env(), "/session-health", { headers });
    expect(response.status).toBe(401);
    expect(response.headers.get("WWW-Authenticate")).toMatch(/^Bearer realm="mcp-sessions"/);
    expect(await response.json()).toEqual(refusal("unauthenticated"));
    expect(await databaseRequests()).toBe(before);
  },
);

test("a key without the scope is refused with 403 and never reaches the database", async () => {
  const database = await createDatabase();
  const before = await databaseRequests();
  const response = await send(database.env(), "/session-health", bearer(keys.metrics));
  expect(response.status).toBe(403);
  expect(response.headers.get("WWW-Authenticate")).toContain('error="insufficient_scope", scope="health"');
  expect(await response.json()).toEqual(refusal("forbidden"));
  expect(await databaseRequests()).toBe(before);
});

test("a key may be given as its SHA-256, and a name may have two keys while it is rotated", async () => {
  const [old, young] = [keepSecret("old-key-0123456789abcdefgh"), keepSecret("new-key-0123456789abcdefgh=")];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(young)));
  const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const database = await createDatabase();
  const env = database.env({
    API_KEYS: `monitor:health:${old}\n monitor:health+metrics:sha256=${hex.toUpperCase()}`,
  });
  for (const key of [old, young]) expect((await send(env, "/session-health", bearer(key))).status).toBe(200);
  expect((await send(env, "/session-health", bearer(hex))).status).toBe(401);
  expect(logged("request").map(({ principal }) => principal)).toEqual(["monitor", "monitor", undefined]);
});

test("an unknown route is 404, whatever its path holds, and the log does not repeat it", async () => {
  const response = await send(environment(), `/nowhere/${keys.health}?key=${keys.health}`);
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual(refusal("not_found"));
  expect(logged("request")).toEqual([expect.objectContaining({ route: "unmatched", status: 404 })]);
});

test.each(["/healthz", "/session-health"])(
  "%s answers any other method with 405 and what it allows",
  async (path) => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      const response = await send(environment(), path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("Allow")).toBe("GET, HEAD");
      expect(await response.json()).toEqual(refusal("method_not_allowed"));
    }
  },
);

test("a body that is announced with more than 1 MiB is 413 on each route, and is not read", async () => {
  const post = (length: number) => {
    const body = new Blob(["x".repeat(length)]).stream();
    const headers = { "Content-Length": String(length) };
    return send(environment(), "/healthz", { method: "POST", body, headers });
  };
  const response = await post(1024 * 1024 + 1);
  expect(response.status).toBe(413);
  expect(await response.json()).toEqual(refusal("payload_too_large"));
  expect((await post(1024 * 1024)).status).toBe(405);
});

test("each request has one canonical line, and an id of its own that the response repeats", async () => {
  const database = await createDatabase();
  const response = await send(database.env(), "/session-health?verbose=1", {
    headers: { Authorization: `bearer ${keys.health}`, "X-Request-Id": "chosen-by-the-client" },
  });
  const id = response.headers.get("X-Request-Id");
  expect(id).toMatch(UUID);
  expect(logged("request")).toEqual([
    expect.objectContaining({
      level: "INFO",
      method: "GET",
      route: "/session-health",
      status: 200,
      duration_ms: expect.any(Number),
      principal: "monitor",
      request_id: id,
    }),
  ]);
});

test("no response is to be stored", async () => {
  for (const path of ["/healthz", "/nowhere", "/session-health"]) {
    expect((await send(environment(), path)).headers.get("Cache-Control")).toBe("no-store");
  }
});

test("a wrong configuration opens no route, names the variables in the log and nothing in the response", async () => {
  const secret = keepSecret("mysql://root:hunter2-hunter2@db");
  const env = environment({ DATABASE_URL: secret, HEALTH_TIMEOUT_MS: "soon" });
  for (const path of ["/healthz", "/session-health"]) {
    const response = await send(env, path, bearer(keys.health));
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual(refusal("configuration_invalid"));
  }
  const [line] = logged("The configuration is wrong");
  expect(line).toMatchObject({
    level: "ERROR",
    variables: {
      DATABASE_URL: "must be a connection string, such as postgresql://role:password@host/database",
      HEALTH_TIMEOUT_MS: "must be a whole number from 100 to 60000",
    },
  });
});

test("the search for secrets in logs and responses finds one", () => {
  expect(() => expectNoSecrets(`a line with ${keys.health} in it`)).toThrow("a secret is in the open");
});

/** What a request without a key gets. */
const answerTo = async (variables: Record<string, string>, method: string, path: string) => {
  const response = await send(environment(variables), path, { method, redirect: "manual" });
  return [response.status, response.headers.get("Allow")];
};
const TOKENS = { OAUTH_ISSUERS: "https://issuer.example.com" };
const METADATA = "/.well-known/oauth-protected-resource";

test.each([
  ["GET", "/mcp", {}, [405, "POST, DELETE, OPTIONS"]],
  ["GET", "/mcp", { MCP_STREAMS: "true" }, [401, null]],
  ["PUT", "/mcp", { MCP_STREAMS: "true" }, [405, "POST, DELETE, GET, HEAD, OPTIONS"]],
  ["DELETE", "/mcp", {}, [401, null]],
  ["DELETE", "/mcp", { MCP_ERAS: "stateless" }, [405, "POST, OPTIONS"]],
  ["POST", "/mcp", { MCP_ERAS: "stateless" }, [401, null]],
  ["GET", METADATA, {}, [404, null]],
  ["GET", METADATA, TOKENS, [200, null]],
  ["GET", `${METADATA}/mcp`, TOKENS, [200, null]],
  ["POST", METADATA, TOKENS, [405, "GET, HEAD, OPTIONS"]],
  ["GET", "/handles", {}, [404, null]],
  ["GET", "/handles", { MCP_HANDLES: "true" }, [401, null]],
  ["DELETE", "/handles/x", { MCP_HANDLES: "true" }, [401, null]],
  ["GET", "/tasks", {}, [404, null]],
  ["GET", "/tasks", { MCP_TASKS: "true" }, [401, null]],
  ["DELETE", "/tasks/x", { MCP_TASKS: "true" }, [401, null]],
  ["GET", "/admin", {}, [404, null]],
  ["GET", "/admin", { ADMIN_PAGE: "true" }, [303, null]],
  ["POST", "/cleanup/runs", {}, [405, "GET, HEAD"]],
  ["GET", "/cleanup/regular", {}, [405, "POST"]],
] as [string, string, Record<string, string>, unknown][])(
  "%s %s with %j",
  async (method, path, variables, expected) => {
    expect(await answerTo(variables, method, path)).toEqual(expected);
    expect(await answerTo(variables, method, `${path}/`)).toEqual(expected);
  },
);

test("a refusal is a page for a path of the page while there is one, and JSON for any other", async () => {
  const typeOf = async (path: string, variables: Record<string, string>) =>
    (await send(environment(variables), path)).headers.get("Content-Type");
  expect(await typeOf("/admin/nowhere", { ADMIN_PAGE: "true" })).toBe("text/html; charset=UTF-8");
  expect(await typeOf("/admin/nowhere", {})).toBe("application/json");
  expect(await typeOf("/nowhere", { ADMIN_PAGE: "true" })).toBe("application/json");
});

test("a refusal of /mcp is JSON-RPC, and names what would be taken", async () => {
  const refused = async (variables: Record<string, string>) => {
    const response = await send(environment(variables), "/mcp", { method: "POST" });
    return JSON.stringify(await response.json());
  };
  expect(await refused({})).toContain('"jsonrpc":"2.0"');
  expect(await refused({})).not.toBe(await refused(TOKENS));
});

test("web pages may read the metadata, and only there where it is", async () => {
  const readable = async (variables: Record<string, string>) => {
    const headers = { Origin: "https://app.example.com" };
    const response = await send(environment(variables), METADATA, { headers });
    return response.headers.get("Access-Control-Allow-Origin");
  };
  expect(await readable(TOKENS)).toBe("*");
  expect(await readable({})).toBeNull();
});
