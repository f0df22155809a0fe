// The line of a request, and the headers of its response.
import { Hono } from "hono";
import { expect, test, vi } from "vitest";
import { requestLog, type RequestVariables } from "../../src/http/request-log.ts";
import { logged } from "../support/captured-logs.ts";

/** An app whose requests take 70 ms. */
function app() {
  let now = 1_000_000;
  vi.spyOn(Date, "now").mockImplementation(() => now);
  const own = new Hono<{ Variables: RequestVariables }>();
  own.use(async (c, next) => {
    c.set("requestId", "the-id");
    return next();
  });
  own.use(requestLog);
  own.get("/things/:name", (c) => {
    now += 70;
    const name = c.req.param("name");
    if (name === "kept") c.set("cacheControl", "public, max-age=60");
    if (name === "ours") {
      c.set("principal", { name: "alice", label: "alice-label", scopes: [] });
      c.set("sessionName", "12345678");
    }
    return c.text(name, 201);
  });
  return own;
}

test("it says where, with what end and how long, and for whom", async () => {
  await app().request("/things/ours?query=1", { method: "GET" });
  expect(logged("request")).toEqual([
    expect.objectContaining({
      level: "INFO",
      method: "GET",
      route: "/things/:name",
      status: 201,
      duration_ms: 70,
      principal: "alice-label",
      session: "12345678",
      request_id: "the-id",
    }),
  ]);
});

test("what no route takes is unmatched, and what the client asked for is not in the line", async () => {
  const response = await app().request("/things-of-nobody/secret?query=secret");
  expect(response.headers.get("X-Request-Id")).toBe("the-id");
  const [line, ...others] = logged("request");
  expect(others).toEqual([]);
  expect(line).toMatchObject({ route: "unmatched", status: 404, duration_ms: 0 });
  expect(JSON.stringify(line)).not.toContain("secret");
});

test("a response has the id of its request, and is stored only where its route says so", async () => {
  const headersOf = async (path: string) => {
    const { headers } = await app().request(path);
    return [headers.get("X-Request-Id"), headers.get("Cache-Control")];
  };
  expect(await headersOf("/things/a")).toEqual(["the-id", "no-store"]);
  expect(await headersOf("/things/kept")).toEqual(["the-id", "public, max-age=60"]);
});
