// Whatever is sent to whichever route, the Worker answers as it says it does: never 500, never a detail from inside.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { keepSecret } from "./support/captured-logs.ts";
import { initializeParams, mcp, open } from "./support/mcp.ts";
import { bearer, createDatabase, keys, send } from "./support/worker.ts";

const REQUESTS = 5000;

// What only PostgreSQL, the driver, a stack or a query would say.
const details =
  /SELECT |UPDATE |DELETE FROM|relation "|syntax error|invalid input syntax|postgres(ql)?:|neondb|NeonDbError|Drizzle|Failed query|SQLSTATE|\bat .+\.(ts|js):\d+|ZodError|TypeError|mcp_session_totals/;

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "alice",
    "active",
    "expired",
    "0",
    "1",
    "-1",
    "1e999",
    "NaN",
    "1000",
    "9007199254740993",
    "\u0000",
    "' OR 1=1 --",
    "%",
    "../..",
    "\ud800",
    "regular",
    "immediate",
    "failed",
    "00000000-0000-0000-0000-000000000000",
  ),
);
/** A text as a part of a URL, which cannot hold an unpaired surrogate. */
const part = (value: string) => encodeURIComponent(value.toWellFormed());

const names = fc.oneof(
  fc.constantFrom(
    "principal",
    "state",
    "after",
    "limit",
    "tier",
    "outcome",
    "before",
    "verbose",
    "__proto__",
  ),
  text,
);
const queries = fc.array(fc.tuple(names, text), { maxLength: 3 });
const anyMethod = fc.constantFrom("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH");
const under = (base: string) => text.map((rest) => base + part(rest));
const anyPath = fc.oneof(
  fc.constantFrom(
    "/healthz",
    "/openapi.json",
    "/session-health",
    "/metrics",
    "/sessions",
    "/cleanup/runs",
    "/mcp",
  ),
  under("/sessions/"),
  under("/cleanup/"),
  under("/"),
);
const known = (method: string, path: fc.Arbitrary<string>) => fc.tuple(fc.constant(method), path);
const routes = fc.oneof(
  { weight: 12, arbitrary: known("POST", fc.constant("/mcp")) },
  {
    weight: 6,
    arbitrary: known(
      "GET",
      fc.constantFrom("/session-health", "/metrics", "/sessions", "/cleanup/runs", "/openapi.json"),
    ),
  },
  {
    weight: 2,
    arbitrary: known("DELETE", fc.oneof(fc.constantFrom("/sessions", "/mcp"), under("/sessions/"))),
  },
  { weight: 1, arbitrary: known("POST", under("/cleanup/")) },
  { weight: 4, arbitrary: fc.tuple(anyMethod, anyPath) },
);

const message = fc.record(
  {
    jsonrpc: fc.constantFrom("2.0", "2.0", "2.0", "1.0"),
    id: fc.oneof(fc.integer(), text, fc.constant(null)),
    method: fc.oneof(
      fc.constantFrom(
        "initialize",
        "initialize",
        "ping",
        "tools/list",
        "tools/call",
        "logging/setLevel",
        "notifications/initialized",
      ),
      text,
    ),
    params: fc.oneof(
      fc.constant(initializeParams),
      fc.record({
        protocolVersion: text,
        clientInfo: fc.record({ name: text, version: text }),
        capabilities: fc.dictionary(text, fc.jsonValue()),
      }),
      fc.record({
        name: fc.constantFrom("session_info", "session_state_set", "session_state_get", "list_my_sessions"),
        arguments: fc.dictionary(fc.constantFrom("key", "value", "x"), fc.oneof(text, fc.jsonValue())),
      }),
      fc.record({ level: text }),
      fc.jsonValue(),
    ),
  },
  { requiredKeys: [] },
);
const bodies = fc.oneof(
  { weight: 6, arbitrary: message.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.array(message, { maxLength: 3 }).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: text },
);
const headerSets = fc.record(
  {
    Accept: fc.constantFrom(
      "application/json, text/event-stream",
      "*/*",
      "application/openmetrics-text",
      "x;q=z,,",
    ),
    "Content-Type": fc.constantFrom("application/json", "application/json; charset=utf-8", "text/plain", ";"),
    "Mcp-Session-Id": fc.constantFrom("own", "own", "own", "a".repeat(43), "x", ""),
    "MCP-Protocol-Version": fc.constantFrom("2025-11-25", "2025-03-26", "2026-07-28", "1999-01-01", "x"),
    Origin: fc.constantFrom("https://evil.example", ...Array<undefined>(9)),
  },
  { requiredKeys: [] },
);

test("no request is answered with 500 or with an internal detail", async () => {
  const database = await createDatabase();
  // One key that opens everything, so that most requests reach what lies behind it.
  const all = keepSecret("all-key-0123456789abcdefghijk");
  const env = database.env({
    LOG_LEVEL: "error",
    API_KEYS: `alice:health+metrics+mcp+admin:${all} bob:mcp:${keys.bob}`,
  });
  const session = await open(env, { key: all });
  const bearers = fc.oneof(
    { weight: 8, arbitrary: fc.constant(all) },
    { weight: 2, arbitrary: fc.constantFrom(keys.bob, undefined, "unknown-key-0123456789abcdef") },
  );
  const statuses = new Set<number>();
  const request = fc.record({
    route: routes,
    query: queries,
    headers: headerSets,
    body: bodies,
    key: bearers,
    hasUsual: fc.integer({ min: 0, max: 9 }).map((n) => n > 1),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ route: [method, path], query, headers, body, key, hasUsual }) => {
      const usual = hasUsual
        ? { Accept: "application/json, text/event-stream", "Content-Type": "application/json" }
        : {};
      const given = Object.entries(headers).filter(([, value]) => value !== undefined);
      const sent: Record<string, string> = {
        ...Object.fromEntries(given),
        ...usual,
        ...(key !== undefined && bearer(key).headers),
      };
      if (sent["Mcp-Session-Id"] === "own") sent["Mcp-Session-Id"] = session;
      const search = query.map(([name, value]) => `${part(name)}=${part(value)}`).join("&");
      const hasBody = method !== "GET" && method !== "HEAD";
      const response = await send(env, `${path}?${search}`, {
        method,
        headers: sent,
        ...(hasBody && { body }),
      });
      statuses.add(response.status);
      const answer = await response.text();
      expect(response.status, answer).not.toBe(500);
      // The database is up. A 503 would mean that a value it cannot hold was not refused before.
      expect(response.status, answer).not.toBe(503);
      expect(path === "/openapi.json" ? "" : answer).not.toMatch(details);
    }),
    { numRuns: REQUESTS, endOnFailure: true },
  );
  for (const status of [200, 204, 400, 401, 403, 404, 405]) expect(statuses).toContain(status);
});

test.each([
  ["clientInfo", "\u0000"],
  ["capabilities", "\u0000"],
  ["clientInfo", "\ud800"],
])("what PostgreSQL cannot hold in %s is the client's mistake", async (field, odd) => {
  const env = (await createDatabase()).env();
  const params = {
    ...initializeParams,
    [field]: { ...initializeParams.clientInfo, odd: { [odd]: odd } },
  };
  const response = await mcp(env, { method: "initialize", params });
  expect(response.status).toBe(400);
  expect(response.headers.has("Mcp-Session-Id")).toBe(false);
  const harmless = {
    ...initializeParams,
    [field]: { ...initializeParams.clientInfo, odd: String.raw`\u0000 \ud800` },
  };
  expect((await mcp(env, { method: "initialize", params: harmless })).status).toBe(200);
});
