// The document at /openapi.json is valid, has every route, and every route does as it says.
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { initializeMessage } from "./connections.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

interface Described {
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
  security?: { bearer: string[] }[];
}

let system: System;
let worker: TestWorker;
let document: { paths: Record<string, Record<string, Described>> };
beforeAll(async () => {
  system = await startSystem();
  worker = await system.startWorker({
    HEALTH_TIMEOUT_MS: "5000",
    MCP_SESSION_TIMEOUT_MS: "5000",
    // Nobody answers there.
    OAUTH_ISSUERS: "http://127.0.0.1:9",
    MCP_STREAMS: "true",
    MCP_HANDLES: "true",
    MCP_TASKS: "true",
  });
  await system.ask(`INSERT INTO mcp_handles (handle_hash, owner, kind, value, created_at, last_used_at, expires_at)
    VALUES (repeat('a', 64), 'me', 'cart', '{}', now(), now(), now() + interval '1 hour')`);
  await system.ask(`INSERT INTO mcp_tasks (task_hash, owner, tool, max_attempts, on_lost, poll_ms, expires_at)
    VALUES (repeat('b', 64), 'me', 'report', 3, 'retry', 1000, now() + interval '1 hour')`);
  document = (await (await fetch(`${worker.url}/openapi.json`)).json()) as typeof document;
});
afterAll(() => system.stop());

const ajv = new Ajv2020({ strict: false });
formats.default(ajv);

const keyFor = (scope: string | undefined) => {
  const keys: Record<string, string> = {
    health: system.keys.monitor,
    metrics: system.keys.prometheus,
    mcp: system.keys.alice,
    admin: system.keys.operator,
  };
  return scope === undefined ? undefined : keys[scope];
};

// What has been answered so far: `GET /sessions 200`.
const exercised = new Set<string>();

/** What an answer has that is not described; undefined when it is as it should be. */
async function problemOf(described: Described["responses"][string] | undefined, response: Response) {
  const text = await response.text();
  const type = response.headers.get("Content-Type")?.split(";")[0] ?? "";
  if (described === undefined) return `${response.status} is not described: ${text}`;
  if (text === "") return described.content === undefined ? undefined : "there is no body";
  const schema = described.content?.[type]?.schema;
  if (schema === undefined) return `${type} is not described for ${response.status}`;
  // Events of a stream are messages of the protocol, which the clients' own tests read.
  if (type === "text/event-stream") return undefined;
  const isAsDescribed = ajv.validate(schema, type === "application/json" ? JSON.parse(text) : text);
  return isAsDescribed ? undefined : `${ajv.errorsText()}: ${text}`;
}

/** Sends a request to a route of the document, and holds the answer against what is said of it. */
async function exercise(
  method: string,
  path: string,
  {
    url = path,
    key,
    headers = {},
    body,
  }: { url?: string; key?: string; headers?: object; body?: string } = {},
): Promise<Response> {
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) throw new Error(`${method} ${path} is not in the document`);
  const bearer = key ?? keyFor(operation.security?.[0]?.bearer[0]);
  const response = await fetch(`${worker.url}${url}`, {
    method,
    headers: { ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }), ...headers },
    ...(body !== undefined && { body }),
  });
  expect(await problemOf(operation.responses[response.status], response.clone()), `${method} ${url}`).toBe(
    undefined,
  );
  exercised.add(`${method} ${path} ${response.status}`);
  return response;
}

test("the document is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(validator.version).toBe("3.1");
});

test("it has every route", () => {
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.toSorted()).toEqual([
    "DELETE /handles/{key}",
    "DELETE /mcp",
    "DELETE /sessions",
    "DELETE /sessions/{handle}",
    "DELETE /tasks/{key}",
    "GET /.well-known/oauth-protected-resource",
    "GET /.well-known/oauth-protected-resource/mcp",
    "GET /cleanup/runs",
    "GET /handles",
    "GET /healthz",
    "GET /mcp",
    "GET /metrics",
    "GET /openapi.json",
    "GET /session-health",
    "GET /sessions",
    "GET /tasks",
    "POST /cleanup/{tier}",
    "POST /mcp",
  ]);
});

const initialize = JSON.stringify({ jsonrpc: "2.0", ...initializeMessage });
const mcpHeaders = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" };

test("every route answers as the document says", async () => {
  const opened = await exercise("POST", "/mcp", {
    headers: mcpHeaders,
    body: initialize,
  });
  const session = opened.headers.get("Mcp-Session-Id") ?? "";
  const inSession = { ...mcpHeaders, "Mcp-Session-Id": session };
  const message = (rest: object) => JSON.stringify({ jsonrpc: "2.0", ...rest });
  await exercise("POST", "/mcp", { headers: inSession, body: message({ id: 2, method: "tools/list" }) });
  await exercise("POST", "/mcp", {
    headers: inSession,
    body: message({ method: "notifications/initialized" }),
  });
  await exercise("POST", "/mcp", { headers: inSession, body: "{" });
  const streamed = await exercise("POST", "/mcp", {
    headers: { ...inSession, "MCP-Protocol-Version": "2025-11-25" },
    body: message({ id: 2, method: "tools/list" }),
  });
  const lastEvent = /^id: (.+)$/m.exec(await streamed.text())?.[1] ?? "";
  const comesBack = { ...inSession, "Last-Event-ID": lastEvent };
  await exercise("GET", "/mcp", { headers: comesBack });
  await exercise("GET", "/mcp", { headers: { ...comesBack, Accept: "application/json" } });
  await exercise("GET", "/mcp", { headers: { ...comesBack, "Last-Event-ID": "unknown" } });
  await exercise("GET", "/mcp", { headers: { ...mcpHeaders, "Last-Event-ID": lastEvent } });
  await exercise("POST", "/mcp", { headers: mcpHeaders, body: message({ id: 3, method: "ping" }) });
  await exercise("POST", "/mcp", {
    headers: { ...mcpHeaders, "Mcp-Session-Id": "a".repeat(43) },
    body: message({ id: 3, method: "ping" }),
  });
  await exercise("POST", "/mcp", { headers: { ...mcpHeaders, Accept: "text/html" }, body: initialize });
  await exercise("POST", "/mcp", { headers: { ...mcpHeaders, "Content-Type": "text/html" }, body: "x" });
  await exercise("DELETE", "/mcp", { headers: inSession });
  await exercise("DELETE", "/mcp", { headers: inSession });
  await exercise("DELETE", "/mcp");

  for (const path of [
    "/healthz",
    "/openapi.json",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/metrics",
    "/session-health",
    "/sessions",
    "/cleanup/runs",
  ])
    await exercise("GET", path);
  await exercise("GET", "/metrics", { headers: { Accept: "application/openmetrics-text" } });
  await exercise("GET", "/session-health", { url: "/session-health?verbose=1" });
  await exercise("GET", "/session-health", { url: "/session-health?verbose=2" });
  await exercise("GET", "/sessions", { url: "/sessions?limit=0" });
  await exercise("GET", "/cleanup/runs", { url: "/cleanup/runs?tier=x" });
  const regular = "/cleanup/{tier}";
  await exercise("POST", regular, { url: "/cleanup/regular" });
  await exercise("POST", regular, { url: "/cleanup/other" });
  await exercise("GET", "/session-health", { url: "/session-health?verbose=1" });
  await exercise("GET", "/cleanup/runs");

  await exercise("POST", "/mcp", { headers: mcpHeaders, body: initialize });
  const { sessions } = (await (
    await exercise("GET", "/sessions", { url: "/sessions?state=active" })
  ).json()) as {
    sessions: { handle: string }[];
  };
  const byHandle = { url: `/sessions/${sessions[0]?.handle}` };
  await exercise("DELETE", "/sessions/{handle}", byHandle);
  await exercise("DELETE", "/sessions/{handle}", byHandle);
  await exercise("DELETE", "/sessions/{handle}", { url: "/sessions/none" });
  await exercise("DELETE", "/sessions", { url: "/sessions?principal=alice" });
  await exercise("DELETE", "/sessions");

  for (const [what, key] of [
    ["handles", "a"],
    ["tasks", "b"],
  ] as const) {
    const byKey = { url: `/${what}/${key.repeat(64)}` };
    expect((await exercise("GET", `/${what}`)).status).toBe(200);
    await exercise("GET", `/${what}`, { url: `/${what}?limit=0` });
    expect((await exercise("DELETE", `/${what}/{key}`, byKey)).status).toBe(204);
    await exercise("DELETE", `/${what}/{key}`, byKey);
    await exercise("DELETE", `/${what}/{key}`, { url: `/${what}/none` });
  }

  // Without a key, and with one of another scope.
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { security }] of Object.entries(methods)) {
      if (security === undefined) continue;
      const url = path
        .replace("{handle}", sessions[0]?.handle ?? "")
        .replace("{key}", "0".repeat(64))
        .replace("{tier}", "regular");
      const body = method === "post" ? { headers: mcpHeaders, body: "{}" } : {};
      const scope = security[0]?.bearer[0];
      const foreign = scope === "mcp" ? system.keys.monitor : system.keys.alice;
      const refused = await exercise(method.toUpperCase(), path, { url, key: foreign, ...body });
      expect(refused.status).toBe(403);
      expect((await exercise(method.toUpperCase(), path, { url, key: "unknown", ...body })).status).toBe(401);
    }
  }

  // With a token, while its issuer cannot be asked for its keys.
  const claims = Buffer.from(JSON.stringify({ iss: "http://127.0.0.1:9" })).toString("base64url");
  const ofNobody = `${Buffer.from('{"alg":"ES256"}').toString("base64url")}.${claims}.c2lnbmF0dXJl`;
  expect((await exercise("GET", "/metrics", { key: ofNobody })).status).toBe(503);

  // Without a database.
  await system.postgres.stop();
  try {
    await exercise("POST", "/mcp", { headers: mcpHeaders, body: initialize });
    await exercise("DELETE", "/mcp", { headers: { "Mcp-Session-Id": "a".repeat(43) } });
    await exercise("GET", "/mcp", { headers: { ...comesBack, "Mcp-Session-Id": "a".repeat(43) } });
    for (const path of ["/metrics", "/session-health", "/sessions", "/handles", "/tasks", "/cleanup/runs"])
      await exercise("GET", path);
    await exercise("DELETE", "/sessions/{handle}", byHandle);
    for (const what of ["handles", "tasks"])
      await exercise("DELETE", `/${what}/{key}`, { url: `/${what}/${"0".repeat(64)}` });
    await exercise("DELETE", "/sessions", { url: "/sessions?principal=alice" });
    await exercise("POST", regular, { url: "/cleanup/regular" });
  } finally {
    await system.postgres.start();
  }

  // Every answer that is described has been given, but for those that need a mistake of ours or a large body.
  const rare = ["413", "500", "429"];
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.keys(responses)
        .filter((status) => !rare.includes(status))
        .map((status) => `${method.toUpperCase()} ${path} ${status}`),
    ),
  );
  expect(described.filter((answer) => !exercised.has(answer))).toEqual([]);
});
