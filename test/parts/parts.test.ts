// The parts of the Worker in an app of somebody else, by the names that the package has.
import { resetSync } from "@logtape/logtape";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { Hono } from "hono";
import { afterEach, describe, expect, test, vi } from "vitest";
import { perEnv } from "../../src/parts/per-env.ts";
import { adminRoutes } from "../../src/public/admin.ts";
import { requireKey } from "../../src/public/auth.ts";
import { scheduledCleanup, UnknownCron } from "../../src/public/cron.ts";
import { healthRoutes } from "../../src/public/health.ts";
import { defineServer, mcpRoutes } from "../../src/public/mcp.ts";
import { metricsRoutes } from "../../src/public/metrics.ts";
import { mcpSessions, type SessionVariables } from "../../src/public/session.ts";
import { ConfigurationError } from "../../src/public/settings.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { addHandles, addTasks, KEPT } from "../support/kept.ts";
import { initializeParams, rowsOf } from "../support/mcp.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  environment,
  keys,
  REGULAR_CRON,
  remaining,
  setFaults,
} from "../support/worker.ts";

type App = Hono<{ Variables: SessionVariables & { user: string } }>;

/** An app that takes the name of its user from a header, and shows what it must answer by itself. */
function createApp(): App {
  const app: App = new Hono();
  app.use(async function authentication(c, next) {
    c.set("user", c.req.header("X-User") ?? "nobody");
    await next();
  });
  app.onError((error, c) => c.text(`host: ${error.name}`, 500));
  return app;
}

async function send(
  app: Pick<App, "fetch">,
  env: Env,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const context = createExecutionContext();
  const response = await app.fetch(new Request(`https://app.test${path}`, init), env, context);
  await waitOnExecutionContext(context);
  return response;
}

const post = (
  app: App,
  env: Env,
  method: string,
  { session, ...headers }: Record<string, string> = {},
  params: object = {},
) =>
  send(app, env, "/mcp", {
    method: "POST",
    headers: {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "X-User": "ann",
      ...(session !== undefined && { "Mcp-Session-Id": session }),
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method,
      params: method === "initialize" ? initializeParams : params,
    }),
  });

function idOf(response: Response): string {
  const id = response.headers.get("Mcp-Session-Id") ?? "";
  expect(id).toMatch(/^[\w-]{43}$/);
  return keepSecret(id);
}

afterEach(() => setFaults());

describe("mcpSessions before a handler", () => {
  const initialized = { jsonrpc: "2.0", id: 1, result: { protocolVersion: "2025-11-25" } };
  const withHandler = () => {
    const app = createApp();
    app.all("/mcp", mcpSessions({ principal: (c) => c.get("user") }), (c) => {
      if (c.req.header("X-Fail") !== undefined) throw new TypeError("of the handler");
      return c.json(c.get("session") === undefined ? initialized : { of: c.get("session")?.principal });
    });
    return app;
  };

  test("a session belongs to the user that the app has found", async () => {
    const app = withHandler();
    const database = await createDatabase();
    const env = database.env();
    const session = idOf(await post(app, env, "initialize"));
    expect(await (await post(app, env, "ping", { session })).json()).toEqual({ of: "ann" });
    const foreign = await post(app, env, "ping", { session, "X-User": "ben" });
    expect([foreign.status, await foreign.json()]).toEqual([
      404,
      expect.objectContaining({ error: expect.objectContaining({ code: -32_001 }) }),
    ]);
    expect(foreign.headers.get("X-Request-Id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await rowsOf(database)).toMatchObject([{ principal: "ann" }]);
  });

  test("an error of the handler is the app's, and opens no session", async () => {
    const app = withHandler();
    const database = await createDatabase();
    const failed = await post(app, database.env(), "initialize", { "X-Fail": "1" });
    expect([failed.status, await failed.text()]).toEqual([500, "host: TypeError"]);
    expect(await rowsOf(database)).toEqual([]);
  });

  test("a database that cannot be asked is 503, and logged with the id of the answer", async () => {
    const app = withHandler();
    const env = (await createDatabase()).env({ MCP_SESSION_TIMEOUT_MS: "300" });
    const session = idOf(await post(app, env, "initialize"));
    await setFaults({ fault: { kind: "reset" } });
    const failed = await post(app, env, "ping", { session });
    expect(failed.status).toBe(503);
    expect(logged("MCP session store failed")).toMatchObject([
      { request_id: failed.headers.get("X-Request-Id") },
    ]);
  });

  test("with MCP_DEGRADED_MODE=serve a session that was found before is served meanwhile", async () => {
    const app = withHandler();
    const database = await createDatabase();
    for (const [MCP_DEGRADED_MODE, status] of [
      ["serve", 200],
      ["refuse", 503],
    ] as const) {
      const env = database.env({ MCP_SESSION_TIMEOUT_MS: "300", MCP_DEGRADED_MODE });
      const session = idOf(await post(app, env, "initialize"));
      expect((await post(app, env, "ping", { session })).status).toBe(200);
      await setFaults({ fault: { kind: "reset" } });
      expect([MCP_DEGRADED_MODE, (await post(app, env, "ping", { session })).status]).toEqual([
        MCP_DEGRADED_MODE,
        status,
      ]);
      await setFaults();
    }
  });

  test("nothing is replayed before a handler of the app, whatever the variables say", async () => {
    const app = withHandler();
    const env = (await createDatabase()).env({ MCP_STREAMS: "true" });
    const session = idOf(await post(app, env, "initialize"));
    const headers = { "X-User": "ann", "Mcp-Session-Id": session, "Last-Event-ID": "1" };
    const refused = await send(app, env, "/mcp", { headers });
    expect([refused.status, refused.headers.get("Allow")]).toEqual([405, "POST, DELETE"]);
  });

  test("a wrong variable is the app's to answer, and named without its value", async () => {
    const app = withHandler();
    let thrown: unknown;
    app.onError((error, c) => {
      thrown = error;
      return c.text("host", 500);
    });
    const secret = keepSecret("no-connection-string-at-all");
    expect(await (await post(app, environment({ DATABASE_URL: secret }), "initialize")).text()).toBe("host");
    expect(thrown).toBeInstanceOf(ConfigurationError);
    expect(String(thrown)).toContain("DATABASE_URL");
    expect(String(thrown)).not.toContain(secret);
  });
});

describe("mcpRoutes", () => {
  const server = defineServer({
    name: "part",
    version: "1.0.0",
    register(registering, { principal, caller }) {
      registering.registerTool("who", {}, () => ({
        content: [{ type: "text", text: `${principal}: ${caller.scopes.join()}` }],
      }));
    },
  });
  const mounted = (options: Partial<Parameters<typeof mcpRoutes>[1]> = {}) => {
    const app = createApp();
    app.route("/mcp", mcpRoutes(server, { principal: (c) => c.get("user"), ...options }));
    return app;
  };

  test("serves a definition in sessions", async () => {
    const app = mounted();
    const env = (await createDatabase()).env();
    const session = idOf(await post(app, env, "initialize"));
    expect(await (await post(app, env, "tools/list", { session })).text()).toContain('"who"');
    expect((await post(app, env, "tools/list", { session, "X-User": "ben" })).status).toBe(404);
  });

  test("whoever the app has found may use the endpoint, and nothing more", async () => {
    const app = mounted();
    const env = (await createDatabase()).env();
    const session = idOf(await post(app, env, "initialize"));
    const called = await post(app, env, "tools/call", { session }, { name: "who" });
    expect(await called.text()).toContain('"text":"ann: mcp"');
  });

  test("refuses pages that are not allowed, and lets those read that are", async () => {
    const app = mounted();
    const env = (await createDatabase()).env({ ALLOWED_ORIGINS: "https://page.test" });
    const foreign = await post(app, env, "initialize", { Origin: "https://evil.test" });
    expect([foreign.status, await foreign.json()]).toMatchObject([403, { jsonrpc: "2.0" }]);
    const allowed = await post(app, env, "initialize", { Origin: "https://page.test" });
    expect(allowed.status).toBe(200);
    expect(allowed.headers.get("Access-Control-Allow-Origin")).toBe("https://page.test");
    idOf(allowed);
  });

  test("a page may read a stream again where streams are switched on", async () => {
    const app = mounted();
    const database = await createDatabase();
    for (const [MCP_STREAMS, methods] of [
      ["false", "POST,DELETE"],
      ["true", "GET,POST,DELETE"],
    ] as const) {
      const env = database.env({ MCP_STREAMS, ALLOWED_ORIGINS: "https://page.test" });
      const headers = { Origin: "https://page.test", "Access-Control-Request-Method": "POST" };
      const preflight = await send(app, env, "/mcp", { method: "OPTIONS", headers });
      expect(preflight.headers.get("Access-Control-Allow-Methods")).toBe(methods);
    }
  });

  test("its guard comes before the sessions", async () => {
    const app = mounted({ guard: requireKey("mcp") });
    const database = await createDatabase();
    expect((await post(app, database.env(), "initialize")).status).toBe(401);
    expect(await rowsOf(database)).toEqual([]);
  });
});

describe("routes of monitors and operators", () => {
  const mounted = () => {
    const app = createApp();
    app.route("/session-health", healthRoutes());
    app.route("/metrics", metricsRoutes());
    app.route("/operators", adminRoutes());
    return app;
  };

  test.each([
    ["/session-health", keys.health, '"total_sessions":1'],
    ["/metrics", keys.metrics, "mcp_session_store_up 1"],
    ["/operators/sessions", keys.admin, '"sessions":[{'],
    ["/operators/cleanup/runs", keys.admin, '"runs":[]'],
  ])("%s answers a key with its scope, and no other", async (path, key, text) => {
    const database = await createDatabase();
    await addSessions(database, { one: null });
    const app = mounted();
    const env = database.env();
    const answer = await send(app, env, path, bearer(key));
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining(text)]);
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect((await send(app, env, path)).status).toBe(401);
    expect((await send(app, env, path, bearer(keys.alice))).status).toBe(403);
  });

  test("the operators' routes have handles and tasks where they are switched on, and health and scrapes count them", async () => {
    const database = await createDatabase();
    const [[handle], [task]] = [await addHandles(database, "alice"), await addTasks(database, "bob")];
    const app = mounted();
    const [env, without] = [database.env(KEPT), database.env()];
    const ending = { ...bearer(keys.admin), method: "DELETE" };
    const at = { handles: `/operators/handles/${handle}`, tasks: `/operators/tasks/${task}` };
    for (const [what, path] of Object.entries(at)) {
      const list = `/operators/${what}`;
      expect((await send(app, without, list, bearer(keys.admin))).status).toBe(404);
      expect((await send(app, without, path, ending)).status).toBe(404);
      expect(await (await send(app, env, list, bearer(keys.admin))).text()).toContain(`"${what}":[{`);
      expect(await (await send(app, env, "/session-health", bearer(keys.health))).text()).toContain(
        `"${what}":{`,
      );
      expect(await (await send(app, env, "/metrics", bearer(keys.metrics))).text()).toContain(`mcp_${what}{`);
      expect((await send(app, env, path, ending)).status).toBe(204);
      expect((await send(app, env, path, ending)).status).toBe(404);
    }
  });

  test("served by themselves they take a slash at the end", async () => {
    const env = (await createDatabase()).env();
    for (const path of ["/sessions", "/sessions/", "/cleanup/runs/"])
      expect([path, (await send(adminRoutes(), env, path, bearer(keys.admin))).status]).toEqual([path, 200]);
  });

  test("a guard of the app's own takes the place of the keys", async () => {
    const app = createApp();
    const env = (await createDatabase()).env();
    const guard = vi.fn<() => Promise<Response>>(() =>
      Promise.resolve(new Response("host", { status: 418 })),
    );
    app.route("/session-health", healthRoutes({ guard }));
    expect((await send(app, env, "/session-health", bearer(keys.health))).status).toBe(418);
  });
});

test("behind a guard that names nobody an operator ends nothing", async () => {
  const app = createApp();
  app.route("/operators", adminRoutes({ guard: (_c, next) => next() }));
  app.all("/mcp", mcpSessions({ principal: (c) => c.get("user") }), (c) =>
    c.json({ result: { protocolVersion: "2025-11-25" } }),
  );
  const env = (await createDatabase()).env();
  const session = idOf(await post(app, env, "initialize"));
  const ended = await send(app, env, "/operators/sessions?principal=ann", { method: "DELETE" });
  expect(ended.status).toBe(500);
  expect((await post(app, env, "ping", { session })).status).toBe(200);
});

test("what an operator ends is gone for the gate of the same Worker at once, cache or not", async () => {
  const app = createApp();
  app.route("/operators", adminRoutes());
  app.all("/mcp", mcpSessions({ principal: (c) => c.get("user") }), (c) =>
    c.json({ result: { protocolVersion: "2025-11-25" } }),
  );
  const env = (await createDatabase()).env({ MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "600" });
  const session = idOf(await post(app, env, "initialize"));
  expect((await post(app, env, "ping", { session })).status).toBe(200);
  const init = { ...bearer(keys.admin), method: "DELETE" };
  const ended = await send(app, env, "/operators/sessions?principal=ann", init);
  expect(await ended.json()).toEqual({ ended: 1, has_more: false });
  expect((await post(app, env, "ping", { session })).status).toBe(404);
});

describe("the log", () => {
  const openSession = async (variables: Record<string, string>) => {
    const app = createApp();
    app.all("/mcp", mcpSessions({ principal: (c) => c.get("user") }), (c) =>
      c.json({ result: { protocolVersion: "2025-11-25" } }),
    );
    idOf(await post(app, (await createDatabase()).env(variables), "initialize"));
  };

  test("stays as the app has configured it", async () => {
    await openSession({ LOG_LEVEL: "error" });
    expect(logged("MCP session opened")).toHaveLength(1);
  });

  test("is configured by the variables where the app has not", async () => {
    resetSync();
    await openSession({ LOG_LEVEL: "info" });
    expect(logged("MCP session opened")).toHaveLength(1);
    resetSync();
    await openSession({ LOG_LEVEL: "error" });
    expect(logged("MCP session opened")).toHaveLength(1);
  });
});

test("what is made of an environment is made once, and again only after a failure", () => {
  let count = 0;
  const made = perEnv(() => {
    count += 1;
    if (count === 1) throw new Error("not yet");
    return count;
  });
  const env = {};
  expect(() => made(env)).toThrow("not yet");
  expect([made(env), made(env), made({})]).toEqual([2, 2, 3]);
});

describe("scheduledCleanup", () => {
  test("deletes what has expired, and nothing else", async () => {
    const database = await createDatabase();
    const scheduledTime = Date.now();
    await addSessions(database, {
      old: new Date(scheduledTime - 60_000),
      live: new Date(scheduledTime + 60_000),
    });
    await scheduledCleanup()({ cron: REGULAR_CRON, scheduledTime }, database.env());
    expect(await remaining(database)).toEqual(["live"]);
  });

  test("throws for a cron of another subject, and for a wrong variable", async () => {
    const scheduled = scheduledCleanup();
    const env = (await createDatabase()).env();
    const event = { cron: "5 5 * * *", scheduledTime: Date.now() };
    await expect(scheduled(event, env)).rejects.toBeInstanceOf(UnknownCron);
    for (const wrong of [
      { MCP_CLEANUP_BATCH_SIZE: "many" },
      // Each is right, but they are not right together.
      { MCP_REGULAR_CLEANUP_CRON: "5 5 * * *", MCP_IMMEDIATE_CLEANUP_CRON: "5 5 * * *" },
    ]) {
      await expect(scheduled(event, environment(wrong))).rejects.toBeInstanceOf(ConfigurationError);
    }
  });
});
