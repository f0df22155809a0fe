// The version before and today's, each on the tables of the other: an upgrade without a gap, a rollback, and what happens when
// the two steps of an upgrade are taken in the wrong order.
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, type Connection, connectV1, connectV2, send, toolMessage } from "../e2e/connections.ts";
import { type Database, type DeployDatabase, startDatabase } from "./database.ts";
import { deployOnce, keys, runnable, withVariables } from "./deployed.ts";
import { FORMER_SQL, formerWorker } from "./former.ts";
import { type Runnable, type RunningWorker, startWorkerd } from "./workerd.ts";

let databases: DeployDatabase;
let today: Runnable;
beforeAll(async () => {
  databases = await startDatabase();
  const { url } = await databases.create();
  today = runnable(await deployOnce(url, { hasTestServer: true }));
});
afterAll(() => databases?.stop());

const REGULAR = "0 * * * *";

/** Both versions over one database. They stop when `work` has ended. */
async function withBoth(
  work: (workers: { former: RunningWorker; current: RunningWorker }, database: Database) => Promise<void>,
): Promise<void> {
  const database = await databases.create();
  await database.migrate(FORMER_SQL);
  const { port } = databases.neon;
  const former = await startWorkerd(formerWorker(database.url), port);
  try {
    const current = await startWorkerd(withVariables(today, { DATABASE_URL: database.url }), port);
    try {
      await work({ former, current }, database);
    } finally {
      await current.stop();
    }
  } finally {
    await former.stop();
  }
}

const ask = ({ url }: RunningWorker, path: string, key: string, method = "GET") =>
  fetch(`${url}${path}`, { method, headers: { Authorization: `Bearer ${key}` } });

/** Everything that a Worker does with the tables. */
async function expectWorking(worker: RunningWorker, database: Database): Promise<void> {
  await expectServing(worker);
  await expectCleaning(worker, database);
}

async function expectServing(worker: RunningWorker): Promise<void> {
  const health = await ask(worker, "/session-health?write=1&verbose=1", keys.monitor);
  expect({ status: health.status, body: await health.json() }).toMatchObject({
    status: 200,
    body: { status: "healthy" },
  });
  expect(await (await ask(worker, "/metrics", keys.prometheus)).text()).toMatch(/^mcp_session_store_up 1$/m);
  for (const connect of [connectV1, connectV2()]) {
    const connection = await connect({ mcp: () => worker.mcp, key: keys.bob });
    await connection.client.setLoggingLevel("warning");
    await call(connection, "session_state_set", { key: "cart", value: ["book"] });
    expect(await call(connection, "session_state_get", { key: "cart" })).toMatchObject({ value: ["book"] });
    expect(await call(connection, "session_state_increment", { key: "n" })).toBeDefined();
    const listed = await (await ask(worker, "/sessions?principal=bob", keys.operator)).json();
    expect((listed as { sessions: unknown[] }).sessions.length).toBeGreaterThan(0);
    await connection.terminate();
    expect(connection.exchanges.at(-1)?.response.status).toBe(204);
    await connection.client.close();
  }
}

/** One Worker at a time: of two runs at once one is skipped. */
async function expectCleaning(worker: RunningWorker, database: Database): Promise<void> {
  const id = await insertDead(database);
  expect(await worker.cron(REGULAR)).toEqual({ outcome: "ok" });
  expect(await database.ask(`SELECT FROM mcp_sessions WHERE session_id = '${id}'`)).toEqual([]);
  const runs = await ask(worker, "/cleanup/runs", keys.operator);
  const [last] = ((await runs.json()) as { runs: unknown[] }).runs;
  expect(last).toMatchObject({ tier: "regular", trigger: "cron", outcome: "completed" });
  expect((await ask(worker, "/cleanup/regular", keys.operator, "POST")).status).toBe(200);
}

let dead = 0;
async function insertDead(database: Database): Promise<string> {
  const id = `dead ${++dead}`;
  await database.ask(
    `INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ('${id}', 'bob', now() - interval '1 day')`,
  );
  return id;
}

test("the version before works on today's tables: migrate first, then deploy", () =>
  withBoth(async ({ former, current }, database) => {
    await expectWorking(former, database);
    await database.migrate();
    expect(await database.migrate()).toEqual([]);
    await expectWorking(former, database);
    // A gradual deployment: both answer for a while.
    await Promise.all([expectServing(former), expectServing(current)]);
    for (const worker of [former, current]) await expectCleaning(worker, database);
  }));

test("a session outlives the upgrade, a rollback and the way forward again, with its state", () =>
  withBoth(async ({ former, current }, database) => {
    let worker = former;
    const options = { mcp: () => worker.mcp, key: keys.alice };
    const connections = await Promise.all([connectV1(options), connectV2()(options)]);
    let count = 0;
    const expectCounted = async (connection: Connection) => {
      await call(connection, "session_state_increment", { key: "n" });
      expect(await call(connection, "session_state_get", { key: "n" })).toMatchObject({ value: count });
    };
    const useAll = async () => {
      count += 1;
      for (const connection of connections) await expectCounted(connection);
    };
    await useAll();
    await database.migrate();
    await useAll();
    for (worker of [current, former, current]) await useAll();
    worker = former;
    for (const connection of connections) {
      await connection.terminate();
      await connection.client.close();
    }
    // What one version has ended is ended for the other.
    const [first] = connections;
    const use = { mcp: current.mcp, key: keys.alice, message: toolMessage("session_info") };
    expect(await send({ ...use, session: first?.sessionId() ?? "" })).toMatchObject({ status: 404 });
  }));

test("today's Worker on the tables before works, or says schema_missing, and db:migrate mends it without a deploy", () =>
  withBoth(async ({ former, current }, database) => {
    const health = await ask(current, "/session-health?write=1", keys.monitor);
    const { status, reason } = (await health.json()) as { status: string; reason?: string };
    expect(reason ?? status).toMatch(/^(healthy|schema_missing)$/);
    const connection = await connectV1({ mcp: () => former.mcp, key: keys.alice });
    await call(connection, "session_state_set", { key: "cart", value: ["book"] });
    // It answers with what it is asked for, or with 503: nothing by halves, and no session is lost.
    const session = connection.sessionId() ?? "";
    const read = toolMessage("session_state_get", { key: "cart" });
    const answer = await send({ mcp: current.mcp, key: keys.alice, session, message: read });
    const right = { status: 200, body: { result: { structuredContent: { value: ["book"] } } } };
    expect(answer).toMatchObject(answer.status === 503 ? { status: 503 } : right);
    await database.migrate();
    await expectWorking(current, database);
    expect(await send({ mcp: current.mcp, key: keys.alice, session, message: read })).toMatchObject(right);
    await connection.terminate();
    await connection.client.close();
  }));
