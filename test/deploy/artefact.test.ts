// The very bytes that a deploy uploads, under real clients: in workerd as it is, over the local Neon.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, connectV1, connectV2, toolNames } from "../e2e/connections.ts";
import { type Database, type DeployDatabase, startDatabase } from "./database.ts";
import { deployOnce, keys, runnable, withVariables } from "./deployed.ts";
import { type Runnable, type RunningWorker, startWorkerd } from "./workerd.ts";

let databases: DeployDatabase;
let database: Database;
/** With the tests' own tools. */
let uploaded: Runnable;
let worker: RunningWorker;
beforeAll(async () => {
  databases = await startDatabase();
  database = await databases.create();
  await database.migrate();
  uploaded = runnable(await deployOnce(database.url, { hasTestServer: true }));
  worker = await startWorkerd(uploaded, databases.neon.port);
});
afterAll(async () => {
  await worker?.stop();
  await databases?.stop();
});

const ask = (path: string, key?: string, { url } = worker) =>
  fetch(`${url}${path}`, { headers: key === undefined ? {} : { Authorization: `Bearer ${key}` } });
const asAlice = () => ({ mcp: () => worker.mcp, key: keys.alice });
const logged = (message: string, { lines } = worker) =>
  lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line["message"] === message);

test.each([
  ["@modelcontextprotocol/sdk 1.x", connectV1],
  ["@modelcontextprotocol/client 2.x", connectV2()],
])("%s opens a session, keeps state in it, and ends it", async (_name, connect) => {
  const connection = await connect(asAlice());
  expect(connection.protocolVersion()).toBe("2025-11-25");
  expect(connection.sessionId()).toMatch(/^\S+$/);
  expect(await toolNames(connection)).toContain("session_state_set");
  expect(await call(connection, "session_info")).toMatchObject({ principal: "alice" });
  await call(connection, "session_state_set", { key: "cart", value: ["book"] });
  expect(await call(connection, "session_state_get", { key: "cart" })).toMatchObject({ value: ["book"] });
  await connection.terminate();
  expect(connection.exchanges.at(-1)).toMatchObject({
    request: { method: "DELETE" },
    response: { status: 204 },
  });
  await expect(call(connection, "session_info")).rejects.toThrow();
  await connection.client.close();
});

test.each([
  ["in auto mode", connectV2("auto")],
  ["pinned to 2026-07-28", connectV2({ pin: "2026-07-28" })],
])("@modelcontextprotocol/client 2.x %s needs no session", async (_name, connect) => {
  const connection = await connect(asAlice());
  expect(connection.protocolVersion()).toBe("2026-07-28");
  expect(connection.sessionId()).toBeUndefined();
  expect(await toolNames(connection)).not.toContain("session_state_set");
  expect(await call(connection, "session_info")).toEqual({ session: null, principal: "alice" });
  await connection.client.close();
});

test("the author's own server answers behind the same doors", async () => {
  const own = await startWorkerd(runnable(await deployOnce(database.url)), databases.neon.port);
  try {
    expect((await ask("/healthz", undefined, own)).status).toBe(200);
    const connection = await connectV1({ mcp: () => own.mcp, key: keys.alice });
    expect(connection.sessionId()).toMatch(/^\S+$/);
    await connection.terminate();
    expect(connection.exchanges.at(-1)?.response.status).toBe(204);
    await connection.client.close();
  } finally {
    await own.stop();
  }
});

test("a principal opens as many sessions in a minute as the binding says, and no more", async () => {
  const limited = await startWorkerd(
    {
      ...uploaded,
      bindings: uploaded.bindings.map((binding) =>
        binding.type === "ratelimit" ? { ...binding, simple: { limit: 1, period: 60 } } : binding,
      ),
    },
    databases.neon.port,
  );
  try {
    const asBob = { mcp: () => limited.mcp, key: keys.bob };
    const connection = await connectV1(asBob);
    await expect(connectV1(asBob)).rejects.toThrow("Too many sessions");
    await connection.terminate();
    await connection.client.close();
  } finally {
    await limited.stop();
  }
});

describe("what watches it", () => {
  test("is told that all is well, and which version answers", async () => {
    const live = await ask("/healthz");
    expect({ status: live.status, body: await live.json() }).toEqual({ status: 200, body: { status: "ok" } });
    expect((await ask("/session-health")).status).toBe(401);
    expect((await ask("/session-health", keys.alice)).status).toBe(403);
    const health = await ask("/session-health?verbose=1&write=1", keys.monitor);
    expect({ status: health.status, body: await health.json() }).toMatchObject({
      status: 200,
      body: {
        status: "healthy",
        database: "connected",
        worker: { version_id: uploaded.versionId, unknown_variables: [] },
      },
    });
    const metrics = await ask("/metrics", keys.prometheus);
    expect(metrics.status).toBe(200);
    expect(await metrics.text()).toMatch(/^mcp_session_store_up 1$/m);
  });

  test("is told when the database stops, and when it is there again", async () => {
    await databases.postgres.stop();
    try {
      const health = await ask("/session-health", keys.monitor);
      expect({ status: health.status, body: await health.json() }).toMatchObject({
        status: 503,
        body: { status: "unhealthy", database: "disconnected", reason: "database_unreachable" },
      });
      expect((await ask("/healthz")).status).toBe(200);
      expect(await (await ask("/metrics", keys.prometheus)).text()).toMatch(/^mcp_session_store_up 0$/m);
    } finally {
      await databases.postgres.start();
    }
    expect((await ask("/session-health", keys.monitor)).status).toBe(200);
  });
});

describe("a cron event", () => {
  const [IMMEDIATE, REGULAR] = ["*/10 * * * *", "0 * * * *"];
  const insert = (into: Database) =>
    into.ask(`
      INSERT INTO mcp_sessions (session_id, principal, expires_at)
      VALUES ('dead', 'alice', now() - interval '1 day'), ('live', 'alice', now() + interval '1 day')`);
  const left = async (within: Database) =>
    (await within.ask<{ session_id: string }>("SELECT session_id FROM mcp_sessions ORDER BY 1")).map(
      ({ session_id: id }) => id,
    );

  test("of the regular tier deletes what has expired, and nothing else", async () => {
    await database.ask("TRUNCATE mcp_sessions");
    await insert(database);
    expect(await worker.cron(IMMEDIATE)).toEqual({ outcome: "ok" });
    // The immediate tier is off, until a variable says otherwise.
    expect(await left(database)).toEqual(["dead", "live"]);
    expect(await worker.cron(REGULAR)).toEqual({ outcome: "ok" });
    expect(await left(database)).toEqual(["live"]);
    const runs = await database.ask("SELECT tier, trigger, outcome, deleted::int FROM mcp_cleanup_runs");
    expect(runs).toEqual([{ tier: "regular", trigger: "cron", outcome: "completed", deleted: 1 }]);
  });

  test("of the immediate tier does so in aggressive mode", async () => {
    const other = await databases.create();
    await other.migrate();
    await insert(other);
    const variables = { DATABASE_URL: other.url, MCP_AGGRESSIVE_CLEANUP: "true" };
    const aggressive = await startWorkerd(withVariables(uploaded, variables), databases.neon.port);
    try {
      expect(await aggressive.cron(IMMEDIATE)).toEqual({ outcome: "ok" });
      expect(await left(other)).toEqual(["live"]);
    } finally {
      await aggressive.stop();
    }
  });

  test("of no tier fails, so that Cron Events shows it", async () => {
    expect(await worker.cron("1 2 3 4 5")).toEqual({ outcome: "exception" });
    await expect
      .poll(() => logged("session_cleanup_task_failed").at(-1))
      .toMatchObject({ kind: "unknown_cron" });
  });
});

test("what it has logged is JSON, and has no secret in it", () => {
  expect(worker.lines.length).toBeGreaterThan(0);
  const secrets = [...Object.values(keys), new URL(database.url).password];
  for (const line of worker.lines) {
    expect(JSON.parse(line)).toMatchObject({ message: expect.any(String) });
    for (const secret of secrets) expect(line).not.toContain(secret);
  }
});
