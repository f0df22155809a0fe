// Every line of the table of docs/limits.md has a case here, which gets the number that the line says.
import { env as bindings } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import page from "../docs/limits.md?raw";
import { createCachedStore } from "../src/session/cached-store.ts";
import { END_LIMIT } from "../src/session/conditions.ts";
import { storabilityProblem } from "../src/session/json.ts";
import type { Session } from "../src/session/session.ts";
import type { SessionStore } from "../src/session/store.ts";
import { toolCall } from "./handles/modern.ts";
import { readSettings } from "../src/settings.ts";
import { taskSettings } from "../src/tasks/settings.ts";
import { keepSecret } from "./support/captured-logs.ts";
import { addExpired, runInProgress, slowDown } from "./support/cleanup.ts";
import { callTool, clientInfo, end, initializeParams, mcp, open, rowsOf, VERSION } from "./support/mcp.ts";
import { fill } from "./support/stores.ts";
import { tasksIn } from "./tasks/stored.ts";
import { says as saysText, tasksWith } from "./tasks/wire.ts";
import { bearer, createDatabase, databaseRequests, keys, send, setFaults } from "./support/worker.ts";

const ping = { method: "ping" };
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const initialize = (params: object) => ({ method: "initialize", params: { ...initializeParams, ...params } });
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;
const sizeOf = (count: number) => ({ ...clientInfo, padding: "x".repeat(count) });

const taskDefaults = () => {
  const { tasks } = readSettings(taskSettings, { MCP_TASKS: "true" });
  if (tasks === undefined) throw new Error("Tasks are off");
  return tasks;
};

/** Checks that a body is beyond a limit by its last character only. */
async function expectLimit(env: Env, within: object | string, beyond: object | string, says: string) {
  expect((await mcp(env, within)).status).not.toBe(413);
  const before = await databaseRequests();
  const response = await mcp(env, beyond);
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ jsonrpc: "2.0", error: { code: -32600, message: says }, id: null });
  expect(await databaseRequests()).toBe(before);
}

async function opened() {
  const database = await createDatabase();
  const env = database.env();
  return { database, env, session: await open(env) };
}

/** A body of no end, and how much of it has been read. */
function endless(): [body: ReadableStream<Uint8Array>, read: () => number] {
  let read = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = new TextEncoder().encode(" ".repeat(65_536));
      read += chunk.length;
      controller.enqueue(chunk);
    },
  });
  return [body, () => read];
}

async function statementsOf(request: () => Promise<Response>): Promise<[status: number, statements: number]> {
  const before = await databaseRequests();
  const { status } = await request();
  return [status, (await databaseRequests()) - before];
}

const cases: Record<string, (most: number) => Promise<void>> = {
  async "statements without a key"(most) {
    const env = (await createDatabase()).env();
    const headers = { Authorization: undefined };
    const ask = () => mcp(env, initialize({}), { headers });
    expect(await statementsOf(ask)).toEqual([401, most]);
    expect(await statementsOf(() => mcp(env, ping, { key: "unknown-key-0123456789abcdef" }))).toEqual([
      401,
      most,
    ]);
  },

  async "statements without the scope"(most) {
    const env = (await createDatabase()).env();
    expect(await statementsOf(() => mcp(env, initialize({}), { key: keys.health }))).toEqual([403, most]);
    expect(await statementsOf(() => send(env, "/sessions", bearer(keys.alice)))).toEqual([403, most]);
  },

  async "statements of a request"(most) {
    const { env, session } = await opened();
    expect(await statementsOf(() => mcp(env, ping, { session }))).toEqual([200, most]);
    expect(await statementsOf(() => mcp(env, initialize({})))).toEqual([200, most]);
    expect(await statementsOf(() => mcp(env, ping, { session: "x" }))).toEqual([404, 0]);
    expect(await statementsOf(() => end(env, session))).toEqual([204, most]);
  },

  async "sessions opened"(most) {
    const database = await createDatabase();
    const key = keepSecret("erin-key-0123456789abcdefghi");
    const env: Env = Object.assign(database.env({ API_KEYS: `erin:mcp:${key}` }), {
      INITIALIZE_RATE_LIMIT: bindings.INITIALIZE_RATE_LIMIT,
    });
    let last = await mcp(env, initialize({}), { key });
    // Twice the limit, so that the start of a new period in the middle changes nothing.
    for (let i = 0; i < 2 * most && last.status === 200; i++) last = await mcp(env, initialize({}), { key });
    expect([last.status, last.headers.get("Retry-After")]).toEqual([429, "60"]);
    expect((await rowsOf(database)).length).toBeGreaterThanOrEqual(most);
  },

  async "live sessions"(most) {
    const { database, env } = await opened();
    await fill(database, "alice", most + 5);
    await open(env);
    const live = await database.query("SELECT FROM mcp_sessions WHERE expires_at > now()");
    expect(live).toHaveLength(most);
  },

  async "dead sessions"(most) {
    const { database, env } = await opened();
    await fill(database, "alice", most + 5);
    await database.query("UPDATE mcp_sessions SET expires_at = now() - interval '1 minute'");
    await open(env);
    expect(await rowsOf(database)).toHaveLength(most + 1);
  },

  async body(most) {
    const { env, session } = await opened();
    const padding = most - JSON.stringify({ jsonrpc: "2.0", id: 1, ...ping, params: { x: "" } }).length;
    const sized = (count: number) => ({ ...ping, params: { x: "x".repeat(count) } });
    expect((await mcp(env, sized(padding), { session })).status).toBe(200);
    expect((await mcp(env, sized(padding + 1), { session })).status).toBe(413);
    const [chunks, read] = endless();
    const before = await databaseRequests();
    expect((await mcp(env, chunks, { session })).status).toBe(413);
    // So much is read, and what is on its way.
    expect(read()).toBeLessThan(2 * most);
    // Who has no key makes nothing be read.
    const [others, readOfOthers] = endless();
    expect((await mcp(env, others, { key: "unknown-key-0123456789abcdef" })).status).toBe(401);
    expect(readOfOthers()).toBeLessThan(most / 2);
    expect(await databaseRequests()).toBe(before);
  },

  async "nesting of a body"(most) {
    const { env } = await opened();
    const says = `The body must be nested ${most} levels deep at most`;
    await expectLimit(env, nested(most), nested(most + 1), says);
    expect((await mcp(env, nested(500_000))).status).toBe(400);
  },

  async "values of a body"(most) {
    const { env } = await opened();
    // The array, and what is in it.
    const list = (count: number) => `[[${"0,".repeat(count - 3)}0]]`;
    const says = `The body must have ${most} values at most, names of members among them`;
    await expectLimit(env, list(most), list(most + 1), says);
    // Each member has a name and a value.
    const members = (count: number) => `{${'"a":0,'.repeat((count - 1) / 2)}"b":0}`;
    await expectLimit(env, members(most - 1), members(most + 1), says);
    const fewer = { ...env, MCP_BODY_MAX_VALUES: "1000" };
    await expectLimit(fewer, list(1000), list(1001), says.replace(String(most), "1000"));
  },

  async "messages of a batch"(most) {
    const { env } = await opened();
    const batch = (count: number) =>
      JSON.stringify(Array.from({ length: count }, () => ({ jsonrpc: "2.0", ...ping })));
    await expectLimit(env, batch(most), batch(most + 1), `A batch has at most ${most} messages`);
  },

  async "client data"(most) {
    const { env } = await opened();
    const capabilities = { experimental: { "ä€🙂": {} } };
    const padding = most - bytes(capabilities) - bytes(sizeOf(0));
    const sized = (count: number) => initialize({ clientInfo: sizeOf(count), capabilities });
    expect((await mcp(env, sized(padding))).status).toBe(200);
    const says = `clientInfo and capabilities must have ${most} bytes of JSON at most, both together`;
    await expectLimit(env, sized(padding), sized(padding + 1), says);
  },

  async "body of initialize"(most) {
    const { env } = await opened();
    const text = (length: number) =>
      JSON.stringify({ jsonrpc: "2.0", id: 1, ...initialize({}) }).padEnd(length, " ");
    expect((await mcp(env, text(most))).status).toBe(200);
    await expectLimit(env, text(most), text(most + 1), "The body of initialize is too long");
  },

  async "nesting of client data"(most) {
    const { env } = await opened();
    const deep = (levels: number) =>
      initialize({ capabilities: { experimental: { x: { y: JSON.parse(nested(levels - 3)) } } } });
    expect((await mcp(env, deep(most))).status).toBe(200);
    const says = `clientInfo and capabilities must be nested ${most} levels deep at most`;
    await expectLimit(env, deep(most), deep(most + 1), says);
  },

  async state(most) {
    const { env, session } = await opened();
    const set = (value: string) => callTool(env, session, "session_state_set", { key: "k", value });
    // PostgreSQL writes a space after the colon. The others have two bytes each.
    const fits = `x${"ä".repeat((most - bytes({ k: "x" }) - 1) / 2)}`;
    expect((await set(fits)).structuredContent).toMatchObject({ size_bytes: most });
    expect(await set(`${fits}x`)).toMatchObject({ isError: true, content: [{ text: /more than/ }] });
    const before = await databaseRequests();
    expect((await set(`${fits}ä`)).isError).toBe(true);
    // The session is found, and that is all.
    expect((await databaseRequests()) - before).toBe(1);
  },

  async handles(most) {
    const { env, query } = await createDatabase();
    const worker = env({ MCP_HANDLES: "true" });
    const make = () => toolCall(worker, "handle_make", { kind: "cart", value: 1 });
    await query(
      `INSERT INTO mcp_handles (handle_hash, owner, kind, value, created_at, last_used_at, expires_at)
       SELECT 'h' || i, 'alice', 'cart', '1', now(), now() - i * interval '1 second', now() + interval '1 day'
         FROM generate_series(1, $1::int) i`,
      [most - 1],
    );
    const left = async () =>
      (
        await query("SELECT handle_hash FROM mcp_handles WHERE handle_hash = ANY ($1)", [
          [`h${most - 1}`, `h${most - 2}`],
        ])
      ).length;
    await make();
    expect(await left()).toBe(2);
    await make();
    expect(await left()).toBe(1);
    expect(await query("SELECT FROM mcp_handles")).toHaveLength(most);
  },

  async "value of a handle"(most) {
    const { env } = await createDatabase();
    const make = (value: unknown) =>
      toolCall(env({ MCP_HANDLES: "true" }), "handle_make", { kind: "cart", value });
    expect(await make("x".repeat(most - 2))).toHaveProperty("is");
    expect(await make("x".repeat(most - 1))).toMatchObject({ refused: "too_large" });
  },

  async "nesting of state"(most) {
    expect(storabilityProblem(JSON.parse(nested(most)))).toBeUndefined();
    expect(storabilityProblem(JSON.parse(nested(most + 1)))).toContain(`more than ${most} levels`);
  },

  async "keys of state"(most) {
    const { env, session } = await opened();
    const set = (length: number) =>
      callTool(env, session, "session_state_set", { key: "k".repeat(length), value: 1 });
    expect((await set(most)).isError).toBeFalsy();
    expect((await set(most + 1)).isError).toBe(true);
  },

  async tasks(most) {
    const { database, store, create } = await tasksIn({ maxPerPrincipal: taskDefaults().maxPerPrincipal });
    await database.query(
      `INSERT INTO mcp_tasks (task_hash, owner, tool, max_attempts, on_lost, poll_ms, expires_at)
       SELECT n::text, 'alice', 'work', 1, 'fail', 1000, now() + interval '1 day' FROM generate_series(2, $1) AS n`,
      [most],
    );
    expect(await create("last")).toBeInstanceOf(Date);
    expect(await create("beyond")).toBeUndefined();
    await store.cancel("last", "alice");
    expect(await create("beyond")).toBeInstanceOf(Date);
    expect(await database.query("SELECT FROM mcp_tasks")).toHaveLength(most);
  },

  async "result of a task"(most) {
    const around = JSON.stringify(saysText("")).length;
    const { call, settled } = await tasksWith((server, { task }) => {
      const sized = { inputSchema: z.object({ bytes: z.number() }) };
      server.registerTool(
        "say",
        sized,
        task(({ bytes: count }) => saysText("x".repeat(count - around))),
      );
    });
    const endOf = async (count: number) =>
      (await settled((await call("say", { bytes: count })).taskId)).status;
    expect([await endOf(most), await endOf(most + 1)]).toEqual(["completed", "failed"]);
  },

  async "answers to a task"(most) {
    const { store, create } = await tasksIn({ maxPerPrincipal: 1 });
    await create("t");
    await store.take("t", "one");
    await store.ask("t", "one", { "2.a": {} }, undefined);
    const sized = (count: number) => "x".repeat(count - bytes({ key: "2.a", answer: "" }));
    expect(await store.answer("t", "alice", { "2.a": sized(most + 1) })).toBe("too_large");
    expect(await store.answer("t", "alice", { "2.a": sized(most) })).toBe("ready");
  },

  async "sessions that a tool lists"(most) {
    const { database, env, session } = await opened();
    await fill(database, "alice", most + 5);
    const name = `${"ä".repeat(255)}🙂${"b".repeat(50)}`;
    expect((await mcp(env, initialize({ clientInfo: { name, version: "1" } }))).status).toBe(200);
    const listed = await callTool(env, session, "list_my_sessions");
    const { sessions } = listed.structuredContent as { sessions: { client?: string }[] };
    expect(sessions).toHaveLength(most);
    // 256 would cut the emoji in two.
    expect(sessions.map(({ client }) => client)).toContain("ä".repeat(255));
  },

  async "sessions on a page"(most) {
    const { database, env } = await opened();
    await fill(database, "bob", most + 5);
    await database.query(
      "UPDATE mcp_sessions SET client_info = jsonb_build_object('name', repeat('n', 300))",
    );
    const ask = (limit: number) => send(env, `/sessions?limit=${limit}`, bearer(keys.admin));
    const { sessions } = await (await ask(most)).json<{ sessions: { client_name: string }[] }>();
    expect(sessions).toHaveLength(most);
    expect(new Set(sessions.map(({ client_name: name }) => name.length))).toEqual(new Set([256]));
    expect((await ask(most + 1)).status).toBe(400);
  },

  async "sessions ended at once"(most) {
    // test/admin/sessions.test.ts ends so many, and one more.
    expect(END_LIMIT).toBe(most);
  },

  async "cleanup runs at once"(most) {
    const { database } = await opened();
    const env = database.env({ MCP_CLEANUP_BATCH_SIZE: "1" });
    await addExpired(database, 50);
    await slowDown(database);
    const run = (tier: string) => send(env, `/cleanup/${tier}`, { method: "POST", ...bearer(keys.admin) });
    const first = run("regular");
    await runInProgress(database);
    expect(await (await run("immediate")).json()).toMatchObject({ outcome: "skipped", error_code: "busy" });
    expect(await (await first).json()).toMatchObject({ outcome: "completed", deleted: 50 });
    expect(await database.query("SELECT FROM mcp_cleanup_runs WHERE batches > 0")).toHaveLength(most);
  },

  async "records of runs"(most) {
    const { database, env } = await opened();
    const run = () => send(env, "/cleanup/regular", { method: "POST", ...bearer(keys.admin) });
    for (let i = 1; i <= 3; i++) {
      expect((await run()).status).toBe(200);
      expect(await database.query("SELECT FROM mcp_cleanup_runs")).toHaveLength(most * i);
    }
    await database.query("UPDATE mcp_cleanup_runs SET started_at = now() - interval '30 days 1 s'");
    await run();
    expect(await database.query("SELECT FROM mcp_cleanup_runs")).toHaveLength(most);
  },

  async "rows of a health check"(most) {
    const { database, env } = await opened();
    const count = async () =>
      (
        await Promise.all(
          ["mcp_sessions", "mcp_cleanup_runs", "mcp_session_totals", "mcp_session_changes"].map((table) =>
            database.query(`SELECT FROM ${table}`),
          ),
        )
      ).flat().length;
    const before = await count();
    expect((await send(env, "/session-health?write=1", bearer(keys.health))).status).toBe(200);
    expect((await send(env, "/metrics", bearer(keys.metrics))).status).toBe(200);
    expect((await count()) - before).toBe(most);
  },

  async "statements of an outage"(most) {
    const { env, session } = await opened();
    await setFaults({ fault: { kind: "refused-by-postgres", sqlstate: "53300" } });
    const ask = () => mcp(env, ping, { session });
    expect(await statementsOf(ask)).toEqual([503, most]);
    const startedAt = Date.now();
    const before = await databaseRequests();
    for (let i = 0; i < 20; i++) expect((await ask()).status).toBe(503);
    const probes = (await databaseRequests()) - before;
    expect(probes).toBeLessThanOrEqual(1 + Math.floor((Date.now() - startedAt) / 2000));
  },

  async "sessions in the cache"(most) {
    const entry = (key: string): Session => ({
      key,
      principal: "alice",
      protocolVersion: VERSION,
      clientInfo: sizeOf(16_000),
      capabilities: {},
      logLevel: null,
      createdAt: null,
      lastActive: null,
      expiresAt: null,
      isDegraded: false,
    });
    const beneath: SessionStore = {
      open: async () => 0,
      resume: async (key) => entry(key),
      end: async () => true,
      list: async () => [],
      endOthers: async () => 0,
      setLogLevel: async () => {},
    };
    const options = { intervalSeconds: 60, now: () => new Date() };
    const store = createCachedStore(beneath, options);
    const names = Array.from({ length: 1000 }, (_, i) => `key ${i}`);
    for (const key of names) await store.resume(key, "alice");
    const kept = names.filter((key) => store.recall(key, "alice") !== undefined);
    // Each text counts as if each of its characters had two bytes.
    expect(kept.length * 32_000).toBeLessThan(most);
    expect(kept.length * 34_000).toBeGreaterThan(most * 0.9);
    expect(kept).toEqual(names.slice(-kept.length));
    // Neither a cache nor degraded mode: nothing is kept.
    const none = createCachedStore(beneath, { ...options, intervalSeconds: 0, canRecall: false });
    await none.resume("key", "alice");
    expect(none.recall("key", "alice")).toBeUndefined();
  },
};

const expectHolds = (name: string, most: number) => cases[name]?.(most);

const lines = [...page.matchAll(/^\| ([a-z][^|]*?) +\| (?:an?) [^|]*\| ([\d,]+)/gm)].map(
  ([, name = "", most = ""]) => ({ name, most: Number(most.replaceAll(",", "")) }),
);

test("the table and the cases are the same", () => {
  expect(lines.map(({ name }) => name)).toEqual(Object.keys(cases));
});

afterEach(() => setFaults());

test.each(lines)("$name: $most at most", async ({ name, most }) => {
  await expectHolds(name, most);
});
