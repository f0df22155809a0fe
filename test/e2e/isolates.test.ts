// A session belongs to no isolate: any Worker over the same database serves it, and a restart changes nothing.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  call,
  capabilities,
  clientInfo,
  connectV1,
  connectV2,
  initializeMessage,
  openSession,
  type PlainRequest,
  send,
  toolMessage,
} from "./connections.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

let system: System;
let one: TestWorker;
let other: TestWorker;
beforeAll(async () => {
  system = await startSystem();
  // So that nothing is given up because the machine is busy.
  const patient = { MCP_SESSION_TIMEOUT_MS: "60000" };
  [one, other] = await Promise.all([system.startWorker(patient), system.startWorker(patient)]);
});
afterAll(() => system.stop());
beforeEach(() => system.ask("TRUNCATE mcp_sessions"));

const nameOf = (id: string) => createHash("sha256").update(id).digest("hex").slice(0, 8);
const logLevels = () => system.ask("SELECT log_level FROM mcp_sessions");

describe.each([
  ["@modelcontextprotocol/sdk 1.x", connectV1],
  ["@modelcontextprotocol/client 2.x", connectV2()],
])("a session that %s opened on one Worker", (_name, connect) => {
  test("is the same on another, and on both after they were restarted", async () => {
    let worker = one;
    const connection = await connect({ mcp: () => worker.mcp, key: system.keys.alice });
    const id = connection.sessionId() ?? "";
    await connection.client.setLoggingLevel("warning");
    await call(connection, "session_state_set", { key: "opened on", value: "one" });

    const identity = {
      session: nameOf(id),
      principal: "alice",
      protocol_version: "2025-11-25",
      client_info: clientInfo,
      capabilities,
      log_level: "warning",
    };
    const opened = await call(connection, "session_info");
    expect(opened).toMatchObject(identity);
    const unchanged = { ...identity, created_at: (opened as { created_at: string }).created_at };

    worker = other;
    expect(await call(connection, "session_info")).toMatchObject(unchanged);
    expect(await call(connection, "session_state_get", { key: "opened on" })).toMatchObject({
      found: true,
      value: "one",
      version: 1,
    });
    await call(connection, "session_state_set", { key: "used on", value: ["other"] });

    await Promise.all([one.restart(), other.restart()]);
    for (worker of [one, other]) {
      expect(await call(connection, "session_info")).toMatchObject(unchanged);
      expect(await call(connection, "session_state_get", { key: "opened on" })).toMatchObject({
        found: true,
        value: "one",
      });
      expect(await call(connection, "session_state_get", { key: "used on" })).toMatchObject({
        found: true,
        value: ["other"],
      });
    }
    expect(await logLevels()).toEqual([{ log_level: "warning" }]);
    expect(connection.sessionId()).toBe(id);
    await connection.terminate();
    await connection.client.close();
  });
});

test("a session that is ended on one Worker is not found on any", async () => {
  const { alice: key } = system.keys;
  const session = await openSession(one.mcp, key);
  const survivor = await openSession(one.mcp, key);
  const use = { key, message: toolMessage("session_info") };
  for (const { mcp } of [one, other])
    expect(await send({ ...use, mcp, session })).toMatchObject({ status: 200 });

  expect(await send({ mcp: other.mcp, key, session, method: "DELETE" })).toMatchObject({ status: 204 });
  for (const { mcp } of [one, other]) {
    const unknown = await send({ ...use, mcp, session: "A".repeat(43) });
    const ended = await send({ ...use, mcp, session });
    expect(ended).toMatchObject({ status: 404, body: { error: { code: -32_001 } } });
    expect(ended.body).toEqual(unknown.body);
    expect(await send({ mcp, key, session, method: "DELETE" })).toMatchObject({ status: 404 });
    expect(await send({ ...use, mcp, session: survivor })).toMatchObject({ status: 200 });
  }
});

test("two Workers that write to one session at the same time lose nothing", async () => {
  const { alice: key } = system.keys;
  const session = await openSession(one.mcp, key);
  const names = Array.from({ length: 20 }, (_, i) => `value ${i}`);
  const writes = names.map((name, i) => {
    const { mcp } = i % 2 === 0 ? one : other;
    return send({ mcp, key, session, message: toolMessage("session_state_set", { key: name, value: i }) });
  });
  for (const { status, body } of await Promise.all(writes)) {
    expect(status).toBe(200);
    expect(body).toMatchObject({ result: { structuredContent: { key: expect.any(String) } } });
  }
  const [row] = await system.ask<{ state: unknown }>("SELECT state FROM mcp_sessions");
  expect(row?.state).toEqual(Object.fromEntries(names.map((name, i) => [name, i])));
});

test("a hundred requests to two Workers at once touch a session once", async () => {
  const { alice: key } = system.keys;
  const session = await openSession(one.mcp, key);
  // Due, and not for the first time: the touch interval is 60 s.
  await system.ask("UPDATE mcp_sessions SET last_active = now() - interval '61 seconds'");
  await system.ask(`
    CREATE TABLE touches ();
    CREATE FUNCTION count_touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
      AS 'BEGIN INSERT INTO touches DEFAULT VALUES; RETURN NULL; END';
    CREATE TRIGGER count_touch AFTER UPDATE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION count_touch()`);
  const requests = Array.from({ length: 40 }, (_, i) => {
    const { mcp } = i % 2 === 0 ? one : other;
    return send({ mcp, key, session, message: { id: i, method: "ping" } });
  });
  const statuses = (await Promise.all(requests)).map(({ status }) => status);
  expect(statuses).toEqual(requests.map(() => 200));
  expect(await system.ask("SELECT count(*)::int AS touches FROM touches")).toEqual([{ touches: 1 }]);
});

describe("round trips to the database", () => {
  const costsOn = (mcp: URL) => async (request: Omit<PlainRequest, "mcp" | "key">) => {
    system.neon.resetRequests();
    const { status, headers } = await send({ mcp, key: system.keys.alice, ...request });
    return { status, headers, roundTrips: system.neon.requests() };
  };

  test("initialize costs one, every later request one, and a tool that asks the database one more", async () => {
    const cost = costsOn(one.mcp);
    const initialized = await cost({ message: initializeMessage });
    expect(initialized).toMatchObject({ status: 200, roundTrips: 1 });
    const session = initialized.headers.get("Mcp-Session-Id") ?? "";

    const notification = { method: "notifications/initialized" };
    expect(await cost({ session, message: notification })).toMatchObject({ status: 202, roundTrips: 1 });
    for (const message of [
      { id: 1, method: "ping" },
      { id: 1, method: "tools/list" },
      toolMessage("session_info"),
    ]) {
      expect(await cost({ session, message }), JSON.stringify(message)).toMatchObject({
        status: 200,
        roundTrips: 1,
      });
    }
    for (const message of [
      toolMessage("session_state_set", { key: "cart", value: 1 }),
      toolMessage("session_state_get", { key: "cart" }),
      toolMessage("session_state_delete", { key: "cart" }),
      toolMessage("list_my_sessions"),
      toolMessage("end_my_other_sessions"),
    ]) {
      expect(await cost({ session, message }), JSON.stringify(message)).toMatchObject({
        status: 200,
        roundTrips: 2,
      });
    }
    expect(await cost({ session, method: "DELETE" })).toMatchObject({ status: 204, roundTrips: 1 });
  });

  test("within the validation interval a request costs none, until the session is ended", async () => {
    const { mcp } = await system.startWorker({ MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "3600" });
    const cost = costsOn(mcp);
    const session = await openSession(mcp, system.keys.alice);
    const message = toolMessage("session_info");
    expect(await cost({ session, message })).toMatchObject({ status: 200, roundTrips: 0 });
    const read = toolMessage("session_state_get", { key: "cart" });
    expect(await cost({ session, message: read })).toMatchObject({ status: 200, roundTrips: 1 });
    expect(await cost({ session, method: "DELETE" })).toMatchObject({ status: 204, roundTrips: 1 });
    expect(await cost({ session, message })).toMatchObject({ status: 404 });
  });
});

test("two Workers that count in one session at once lose no increment", async () => {
  const key = system.keys.alice;
  const session = await openSession(one.mcp, key);
  const count = (worker: TestWorker) =>
    send({ mcp: worker.mcp, key, session, message: toolMessage("session_state_increment", { key: "n" }) });
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => count(i % 2 === 0 ? one : other)));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(await system.ask("SELECT state FROM mcp_sessions")).toEqual([{ state: { n: 40 } }]);
});
