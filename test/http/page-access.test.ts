// Which pages may call, and what a preflight is answered: the middleware by itself.
import { Hono } from "hono";
import { expect, test } from "vitest";
import { mcpCors, originGuard } from "../../src/http/cors.ts";
import { AppError } from "../../src/http/errors.ts";

const ALLOWED = "https://app.example.com";
const LOCAL = "http://localhost:8787/";
const options = { allowedOrigins: [ALLOWED], methods: ["POST", "DELETE"] };
const app = new Hono()
  .use(mcpCors(options))
  .use(originGuard([ALLOWED]))
  .all("/", (c) => c.text("called"))
  .onError((error, c) => {
    if (!(error instanceof AppError)) throw error;
    return c.text(error.code);
  });
const call = (origin: string | undefined, url = "https://mcp.example.com/", method = "POST") =>
  app.request(url, { method, headers: origin === undefined ? {} : { Origin: origin } });
const callFrom = async (...args: Parameters<typeof call>) => (await call(...args)).text();

test("a request without Origin comes from no page", async () => {
  expect(await callFrom(undefined)).toBe("called");
  expect(await callFrom(ALLOWED)).toBe("called");
  for (const origin of ["https://other.example", "null", "", `${ALLOWED}:8443`, ALLOWED.toUpperCase()])
    expect(await callFrom(origin)).toBe("origin_not_allowed");
});

test("pages on this machine may call a Worker on this machine", async () => {
  const hosts = ["localhost", "127.0.0.1", "[::1]"];
  for (const host of hosts)
    for (const scheme of ["http", "https"]) {
      expect(await callFrom(`${scheme}://${host}:3000`, LOCAL)).toBe("called");
      expect(await callFrom("http://localhost:3000", `${scheme}://${host}/`)).toBe("called");
      expect(await callFrom(`${scheme}://${host}:3000`)).toBe("origin_not_allowed");
    }
  for (const origin of [
    "",
    "null",
    "https://other.example",
    "app://localhost",
    "http://localhost.example.com",
  ])
    expect(await callFrom(origin, LOCAL)).toBe("origin_not_allowed");
});

const SENT =
  "Accept,Authorization,Baggage,Content-Type,DPoP,Last-Event-ID,Mcp-Session-Id,MCP-Protocol-Version,Mcp-Method," +
  "Mcp-Name,Traceparent,Tracestate,X-API-Key";

async function preflight(asked?: string) {
  const headers = {
    Origin: ALLOWED,
    "Access-Control-Request-Method": "POST",
    ...(asked !== undefined && { "Access-Control-Request-Headers": asked }),
  };
  return app.request("https://mcp.example.com/", { method: "OPTIONS", headers });
}
const named = (headers: Headers, name: string) => headers.get(name)?.toLowerCase().split(/,\s*/).toSorted();
const words = (text: string) => text.toLowerCase().split(",").toSorted();

test("a preflight is told all that clients send, and the parameters of tools that it asks for", async () => {
  const { headers, status } = await preflight();
  expect(status).toBe(204);
  expect(headers.get("Access-Control-Allow-Origin")).toBe(ALLOWED);
  expect(named(headers, "Access-Control-Allow-Headers")).toEqual(words(SENT));
  expect(named(headers, "Access-Control-Allow-Methods")).toEqual(words("POST,DELETE"));
  expect([headers.get("Allow"), headers.get("Access-Control-Max-Age")]).toEqual([
    "POST, DELETE, OPTIONS",
    "86400",
  ]);
  const asked =
    "x-other, mcp-param-region ,Mcp-Param-X!#$%&'*+.^_`|~-9,mcp-param-,x-mcp-param-a,mcp-param-a b";
  const allowed = named((await preflight(asked)).headers, "Access-Control-Allow-Headers");
  expect(allowed).toEqual(words(`${SENT},mcp-param-region,mcp-param-x!#$%&'*+.^_\`|~-9`));
});

test("no other answer has Allow, and every answer is for its page alone", async () => {
  const { headers } = await call(ALLOWED);
  expect([headers.get("Allow"), headers.get("Access-Control-Allow-Origin")]).toEqual([null, ALLOWED]);
  expect(named(headers, "Access-Control-Expose-Headers")).toEqual(
    words(
      "Mcp-Session-Id,Mcp-Session-Degraded,MCP-Protocol-Version,Allow,Retry-After,WWW-Authenticate,X-Request-Id",
    ),
  );
  expect((await call("https://other.example")).headers.get("Access-Control-Allow-Origin")).toBeNull();
});
