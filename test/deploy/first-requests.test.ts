// What the first requests after a deploy say when a step before it was left out.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { initializeMessage, send } from "../e2e/connections.ts";
import { type Database, type DeployDatabase, startDatabase } from "./database.ts";
import { deployOnce, keys, runnable, withVariables } from "./deployed.ts";
import { type Runnable, type RunningWorker, startWorkerd } from "./workerd.ts";

let databases: DeployDatabase;
let database: Database;
let uploaded: Runnable;
beforeAll(async () => {
  databases = await startDatabase();
  database = await databases.create();
  uploaded = runnable(await deployOnce(database.url, { hasTestServer: true }));
});
afterAll(() => databases?.stop());

const REGULAR = "0 * * * *";
const ask = ({ url }: RunningWorker, path: string, key: string) =>
  fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${key}` } });
const logged = ({ lines }: RunningWorker) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
/** A line comes by another way than the answer, and may be here after it. */
const lastReported = (worker: RunningWorker, message: string) =>
  logged(worker)
    .filter((line) => line["message"] === message)
    .at(-1);

describe("without the tables", () => {
  let worker: RunningWorker;
  beforeAll(async () => {
    worker = await startWorkerd(uploaded, databases.neon.port);
  });
  afterAll(() => worker?.stop());

  test("health and metrics say schema_missing, and liveness stays", async () => {
    const health = await ask(worker, "/session-health", keys.monitor);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ status: "unhealthy", reason: "schema_missing" });
    // Waiting does not make tables.
    expect(health.headers.get("Retry-After")).toBeNull();
    const metrics = await (await ask(worker, "/metrics", keys.prometheus)).text();
    expect(metrics).toMatch(/^mcp_session_store_up 0$/m);
    expect(metrics).toMatch(/^mcp_session_store_fault\{[^}]*schema_missing[^}]*\} 1$/m);
    expect((await fetch(`${worker.url}/healthz`)).status).toBe(200);
  });

  test("a client gets 503, and the log says schema_missing", async () => {
    const { status, body } = await send({ mcp: worker.mcp, key: keys.alice, message: initializeMessage });
    expect({ status, body }).toMatchObject({ status: 503, body: { error: { message: expect.any(String) } } });
    await expect
      .poll(() => lastReported(worker, "MCP session store failed"))
      .toMatchObject({ kind: "schema_missing" });
  });

  test("a cron event fails, and the log says schema_missing", async () => {
    expect(await worker.cron(REGULAR)).toEqual({ outcome: "exception" });
    await expect
      .poll(() => lastReported(worker, "session_cleanup_task_failed"))
      .toMatchObject({ kind: "schema_missing" });
  });

  test("db:migrate is all that is missing: the same isolate works after it", async () => {
    await database.migrate();
    expect((await ask(worker, "/session-health?write=1", keys.monitor)).status).toBe(200);
    expect(await send({ mcp: worker.mcp, key: keys.alice, message: initializeMessage })).toMatchObject({
      status: 200,
    });
    expect(await worker.cron(REGULAR)).toEqual({ outcome: "ok" });
  });
});

describe.each([
  ["no database", { DATABASE_URL: "" }, "DATABASE_URL"],
  ["no keys", { API_KEYS: "" }, "API_KEYS"],
  ["a database that is not Neon's", { DATABASE_URL: "postgresql://r:p@localhost/db" }, "DATABASE_URL"],
])("with %s", (_name, variables: Record<string, string>, wrong) => {
  test(`every door is shut, and the log says what ${wrong} must be`, async () => {
    const worker = await startWorkerd(withVariables(uploaded, variables), databases.neon.port);
    try {
      const { status, body } = await send({ mcp: worker.mcp, key: keys.alice, message: initializeMessage });
      expect({ status, body }).toMatchObject({
        status: 500,
        body: { error: { code: "configuration_invalid" } },
      });
      expect((await fetch(`${worker.url}/healthz`)).status).toBe(500);
      expect(await worker.cron(REGULAR)).toEqual({ outcome: "exception" });
      const line = expect.objectContaining({ variables: { [wrong]: expect.stringMatching(/^\S/) } });
      await expect
        .poll(() => logged(worker).filter((said) => "variables" in said))
        .toEqual([line, line, line]);
    } finally {
      await worker.stop();
    }
  });
});

test("with a password that Neon does not take, health says permission_denied", async () => {
  const url = new URL(database.url);
  url.password = "another";
  const worker = await startWorkerd(withVariables(uploaded, { DATABASE_URL: url.href }), databases.neon.port);
  try {
    const health = await ask(worker, "/session-health", keys.monitor);
    expect({ status: health.status, body: await health.json() }).toMatchObject({
      status: 503,
      body: { reason: "permission_denied" },
    });
  } finally {
    await worker.stop();
  }
});
