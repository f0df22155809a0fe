// What pages and browser extensions may read and send.
import { afterEach, describe, expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import { end, initializeParams, mcp, type McpOptions, open } from "../support/mcp.ts";
import { createDatabase, environment, keys, send, setFaults } from "../support/worker.ts";

afterEach(() => setFaults());

const origin = "https://app.example.com";
const list = { method: "tools/list" };

describe("a page can read every answer of /mcp", () => {
  const unknown = "A".repeat(43);
  test.each<[number, object | string, McpOptions]>([
    [400, list, {}],
    [400, "{", {}],
    [401, list, { headers: { Authorization: undefined } }],
    [403, list, { key: keys.health }],
    [404, list, { session: "gone" }],
    [405, "", { method: "GET" }],
    [405, "", { method: "PUT" }],
    [406, list, { headers: { Accept: "text/html" } }],
    [413, `"${"x".repeat(1024 * 1024)}"`, {}],
    [415, list, { headers: { "Content-Type": "text/plain" } }],
  ])("%d", async (status, message, options) => {
    const env = environment({ ALLOWED_ORIGINS: origin });
    const headers = { ...options.headers, Origin: origin };
    const response = await mcp(env, message, { ...options, headers });
    expect(response.status).toBe(status);
    expectReadable(response);
  });

  test("200, 202, 204, and 404 of a session", async () => {
    const env = (await createDatabase()).env({ ALLOWED_ORIGINS: origin });
    const headers = { Origin: origin };
    const session = await open(env, { headers });
    const gone = await mcp(env, list, { session: unknown, headers });
    expect(gone.status).toBe(404);
    expectReadable(gone);
    const notification = { id: undefined, method: "notifications/initialized" };
    const responses = [
      await mcp(env, list, { session, headers }),
      await mcp(env, notification, { session, headers }),
      await end(env, session, { headers }),
    ];
    expect(responses.map(({ status }) => status)).toEqual([200, 202, 204]);
    for (const response of responses) expectReadable(response);
  });

  test("429", async () => {
    const env = (await createDatabase()).env({ ALLOWED_ORIGINS: origin });
    const limited = { ...env, INITIALIZE_RATE_LIMIT: { limit: async () => ({ success: false }) } } as Env;
    const message = { method: "initialize", params: initializeParams };
    const response = await mcp(limited, message, { headers: { Origin: origin } });
    expect([response.status, response.headers.get("Retry-After")]).toEqual([429, "60"]);
    expectReadable(response);
  });

  test("503", async () => {
    const env = (await createDatabase()).env({ ALLOWED_ORIGINS: origin, MCP_SESSION_TIMEOUT_MS: "300" });
    await setFaults({ fault: { kind: "reset" } });
    const response = await mcp(env, list, { session: unknown, headers: { Origin: origin } });
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "5"]);
    expectReadable(response);
  });

  function expectReadable({ headers }: Response) {
    expect(headers.get("Access-Control-Allow-Origin")).toBe(origin);
    const exposed = headers.get("Access-Control-Expose-Headers")?.toLowerCase().split(",");
    for (const name of ["mcp-session-id", "www-authenticate", "retry-after", "x-request-id", "allow"])
      expect(exposed).toContain(name);
    expect(headers.get("Vary")).toContain("Origin");
  }
});

test.each([
  "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
  "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
  "safari-web-extension://8A1B2C3D-0000-4000-8000-123456789ABC",
])("the extension %s can be allowed, and others are not with it", async (extension) => {
  const env = (await createDatabase()).env({ ALLOWED_ORIGINS: `https://other.example ${extension}` });
  const from = (Origin: string) =>
    mcp(env, { method: "initialize", params: initializeParams }, { headers: { Origin } });
  const response = await from(extension);
  keepSecret(response.headers.get("Mcp-Session-Id") ?? "");
  expect([response.status, response.headers.get("Access-Control-Allow-Origin")]).toEqual([200, extension]);
  for (const stranger of [`${extension}x`, extension.replace("://", "://x"), extension.toUpperCase()]) {
    const refused = await from(stranger);
    expect([refused.status, refused.headers.get("Access-Control-Allow-Origin")]).toEqual([403, null]);
  }
});

test("another scheme on localhost is not a page of this machine", async () => {
  const env = (await createDatabase()).env();
  const headers = { Origin: "chrome-extension://localhost", "Content-Type": "application/json" };
  const response = await send(env, "/mcp", { method: "POST", headers, body: "{}" }, "http://localhost:8787");
  expect(response.status).toBe(403);
});

test.each([
  [
    "the SDKs up to 2025-11-25",
    "accept,authorization,content-type,last-event-id,mcp-protocol-version,mcp-session-id",
  ],
  ["the SDKs of 2026-07-28", "authorization,content-type,mcp-method,mcp-name,mcp-protocol-version"],
  ["a tool that mirrors its input", "content-type,mcp-param-region,Mcp-Param-X"],
  ["a tracing client", "baggage,traceparent,tracestate"],
  ["a client with a key of its own", "x-api-key"],
  ["a client that proves possession", "authorization,dpop"],
])("a preflight allows every header of %s", async (_, asked) => {
  const env = environment({ ALLOWED_ORIGINS: origin });
  for (const path of ["/mcp", "/mcp/"]) {
    const response = await send(env, path, {
      method: "OPTIONS",
      headers: {
        Origin: origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
      },
    });
    expect(response.status).toBe(204);
    const allowed = response.headers.get("Access-Control-Allow-Headers")?.toLowerCase().split(",");
    expect(allowed).toEqual(expect.arrayContaining(asked.toLowerCase().split(",")));
    expect(response.headers.get("Access-Control-Allow-Methods")).toBe("POST,DELETE");
    expect(response.headers.get("Allow")).toBe("POST, DELETE, OPTIONS");
  }
});

test("a preflight allows no header that no client sends", async () => {
  const env = environment({ ALLOWED_ORIGINS: origin });
  const headers = { Origin: origin, "Access-Control-Request-Headers": "x-forwarded-for, mcp-param-, cookie" };
  const response = await send(env, "/mcp", { method: "OPTIONS", headers });
  expect(response.headers.get("Access-Control-Allow-Headers")).not.toMatch(/forwarded|param|cookie/i);
});
