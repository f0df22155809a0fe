// The store of the operator's sessions by itself: what it finds, what it ends, and what it leaves alone.
import { beforeEach, describe, expect, inject, test } from "vitest";
import { createSessionsStore, LOOKED_AT } from "../../src/admin/sessions-store.ts";
import { connect, type Database, type Operation } from "../../src/db/client.ts";
import { addTrigger } from "../support/owner.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const HEX = "0123456789abcdef";
/** A key of ours that begins like this. */
const keyOf = (start: string) => start.padEnd(64, HEX);
const LATER = "now() + interval '1 hour'";
const EARLIER = "now() - interval '1 hour'";

let database: TestDatabase;
let operations: Operation[];
let ended: string[];
/** How many attempts of an operation were made before the one that a test sees. */
let attemptsBefore: number;

beforeEach(async () => {
  database = await createDatabase();
  operations = [];
  ended = [];
  attemptsBefore = 0;
});

function store() {
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const recording: Database = {
    run: (operation, work) => {
      operations.push(operation);
      // A busy machine may take longer.
      return connection.run({ ...operation, budgetMs: 60_000, attemptMs: 60_000 }, (db) =>
        work(db, attemptsBefore),
      );
    },
  };
  return createSessionsStore(recording, {
    timeoutMs: 7654,
    onEnded: (principal) => void ended.push(principal),
  });
}

/** Adds a session, with SQL for the columns that are given. @returns its handle. */
async function add(
  key: string,
  values: Record<string, string> = {},
  table = "mcp_sessions",
): Promise<string> {
  const all = { principal: "'alice'", expires_at: LATER, ...values };
  await database.query(
    `INSERT INTO ${table} (session_id, ${Object.keys(all).join(", ")}) VALUES ($1, ${Object.values(all).join(", ")})`,
    [key],
  );
  const [row] = await database.query(
    `SELECT substr(encode(sha256(('handle:' || $1::text)::bytea), 'hex'), 1, 32)::uuid AS handle`,
    [key],
  );
  return String(row?.["handle"]);
}

const handlesOf = async (filter: object = {}) =>
  (await store().list({ limit: 100, ...filter })).sessions.map(({ handle }) => handle);

test("each method is one operation that may be repeated", async () => {
  const handle = await add(keyOf("a"));
  await store().list({ limit: 1 });
  await store().find(handle);
  await store().countEndable("alice");
  await store().end(handle);
  await store().endAll("alice");
  const operation = (name: string) => ({ name, budgetMs: 7654, isIdempotent: true });
  expect(operations).toEqual([
    operation("listing all sessions"),
    operation("reading any session"),
    operation("counting the sessions of a principal"),
    operation("ending any session"),
    operation("ending all sessions of a principal"),
  ]);
});

describe("what is listed", () => {
  test("a session is active until it expires; without that time it is for ever", async () => {
    const live = await add(keyOf("a"));
    const old = await add(keyOf("b"), { expires_at: EARLIER });
    const never = await add(keyOf("c"), { expires_at: "NULL" });
    const states = (await store().list({ limit: 10 })).sessions.map(({ handle, state }) => [handle, state]);
    expect(Object.fromEntries(states)).toEqual({ [live]: "active", [old]: "expired", [never]: "active" });
    expect(await handlesOf({ state: "active" })).toEqual([live, never].toSorted());
    expect(await handlesOf({ state: "expired" })).toEqual([old]);
  });

  test("only a session of ours has a name, which is what its key begins with", async () => {
    await add(keyOf("00ff00ff"));
    await add("00ff00ff");
    await add(keyOf("00ff00ff00"), { principal: "NULL" });
    await add(`${keyOf("00ff00ff000").slice(0, -1)}x`);
    const sessions = async (filter: object) =>
      (await store().list({ limit: 10, ...filter })).sessions
        .map(({ session }) => session ?? "none")
        .toSorted();
    expect(await sessions({})).toEqual(["00ff00ff", "none", "none", "none"]);
    expect(await sessions({ session: "00ff00ff" })).toEqual(["00ff00ff"]);
    expect(await sessions({ session: "00ff00fe" })).toEqual([]);
  });

  test("what a client says of itself is shown when it is text", async () => {
    for (const [start, info] of [
      ["a", `{"name":"Cursor","version":"1.2"}`],
      ["b", `{"name":5,"version":["1"]}`],
      ["c", `{}`],
    ] as const)
      await add(keyOf(start), { client_info: `'${info}'` });
    const shown = (await store().list({ limit: 10 })).sessions
      .map(({ client_name: name, client_version: version }) => `${name} ${version}`)
      .toSorted();
    expect(shown).toEqual(["Cursor 1.2", "null null", "null null"]);
  });

  test("a part of the client's name finds it, also where the name begins, in capital letters or not", async () => {
    const cursor = await add(keyOf("a"), { client_info: `'{"name":"Cursor"}'` });
    const mine = await add(keyOf("b"), { client_info: `'{"name":"my cursor"}'` });
    await add(keyOf("c"), { client_info: `'{"name":"another"}'` });
    await add(keyOf("d"), { client_info: `'{"name":5}'` });
    await add(keyOf("e"), { client_info: "NULL" });
    for (const client of ["cursor", "CUR"])
      expect(await handlesOf({ client })).toEqual([cursor, mine].toSorted());
    expect(await handlesOf({ client: "Y C" })).toEqual([mine]);
    expect(await handlesOf({ client: "5" })).toEqual([]);
  });

  test("a principal's are listed alone, and one of a token has its issuer and its subject", async () => {
    await add(keyOf("a"));
    const zoe = await add(keyOf("b"), { principal: `'["https://i.example","zoe"]'` });
    const { sessions } = await store().list({ limit: 10, principal: '["https://i.example","zoe"]' });
    expect(sessions).toEqual([
      expect.objectContaining({ handle: zoe, issuer: "https://i.example", subject: "zoe" }),
    ]);
  });

  test("rows of a table that inherits are no sessions", async () => {
    await database.query("CREATE TABLE child () INHERITS (mcp_sessions)");
    const handle = await add(keyOf("a"), {}, "child");
    expect(await handlesOf()).toEqual([]);
    expect(await store().find(handle)).toBeUndefined();
    expect(await store().countEndable("alice")).toBe(0);
  });
});

describe("a page", () => {
  test("has as many as it may, in the order of handles, and names its last one where there are more", async () => {
    const handles = [];
    for (const digit of "abcde") handles.push(await add(keyOf(digit)));
    handles.sort();
    const page = async (limit: number, after?: string) => {
      const { sessions, next } = await store().list({ limit, after });
      return [sessions.map(({ handle }) => handle), next];
    };
    expect(await page(3)).toEqual([handles.slice(0, 3), handles[2]]);
    expect(await page(3, handles[2])).toEqual([handles.slice(3), null]);
    expect(await page(5)).toEqual([handles, null]);
    expect(await page(4)).toEqual([handles.slice(0, 4), handles[3]]);
    expect(await page(6)).toEqual([handles, null]);
    expect(await page(2, handles[4])).toEqual([[], null]);
  });

  test("looks at 5000 rows at most, and then names the last one that it has looked at", async () => {
    await database.query(
      `INSERT INTO mcp_sessions (session_id, principal, expires_at)
       SELECT encode(sha256(i::text::bytea), 'hex'), 'alice', ${LATER} FROM generate_series(1, $1::int) i`,
      [LOOKED_AT + 1],
    );
    const expired = (after?: string) => store().list({ state: "expired", limit: 3, after });
    const first = await expired();
    expect([LOOKED_AT, first.sessions, typeof first.next]).toEqual([5000, [], "string"]);
    const [after] = await database.query(
      `SELECT count(*)::int AS count FROM mcp_sessions
        WHERE substr(encode(sha256(('handle:' || session_id)::bytea), 'hex'), 1, 32)::uuid > $1::uuid`,
      [first.next],
    );
    expect(after).toEqual({ count: 1 });
    expect(await expired(String(first.next))).toEqual({ sessions: [], next: null });
  });
});

test("one session has its details, whatever its state; one that is not there has none", async () => {
  const handle = await add(keyOf("abcdabcd"), {
    principal: `'["https://i.example","zoe"]'`,
    expires_at: EARLIER,
    log_level: "'warning'",
    capabilities: `'{"roots":{},"sampling":{}}'`,
    state: `'{"a": 1, "b": 2}'`,
    state_version: "4",
  });
  await add(keyOf("b"));
  expect(await store().find(handle)).toMatchObject({
    handle,
    session: "abcdabcd",
    issuer: "https://i.example",
    subject: "zoe",
    state: "expired",
    log_level: "warning",
    capabilities: ["roots", "sampling"],
    state_bytes: 16,
    state_keys: 2,
    state_version: 4,
  });
  expect(await store().find("00000000-0000-0000-0000-000000000000")).toBeUndefined();
});

describe("to end one", () => {
  const rowOf = async (key: string) =>
    (
      await database.query(
        "SELECT end_reason, ended_at IS NOT NULL AS is_ended, expires_at <= now() AS is_over FROM mcp_sessions WHERE session_id = $1",
        [key],
      )
    )[0];

  test("ends it, says whose it was, and tells the isolate", async () => {
    const handle = await add(keyOf("abcdabcd"));
    const other = keyOf("b");
    await add(other);
    expect(await store().end(handle)).toEqual({ session: "abcdabcd", principal: "alice" });
    expect(ended).toEqual(["alice"]);
    expect(await rowOf(keyOf("abcdabcd"))).toEqual({ end_reason: "operator", is_ended: true, is_over: true });
    expect(await rowOf(other)).toEqual({ end_reason: null, is_ended: false, is_over: false });
  });

  test("a session of another program has no name, and may have no principal", async () => {
    const foreign = await add("of-python");
    const nobody = await add(keyOf("b"), { principal: "NULL" });
    expect(await store().end(foreign)).toEqual({ session: null, principal: "alice" });
    expect(await store().end(nobody)).toEqual({ session: null, principal: null });
    expect(ended).toEqual(["alice"]);
  });

  test("takes an active one that is not ended", async () => {
    for (const [start, values] of [
      ["a", { expires_at: EARLIER }],
      ["b", { ended_at: "now()", end_reason: "'client'" }],
    ] as const)
      expect(await store().end(await add(keyOf(start), values))).toBeUndefined();
    expect(await store().end("00000000-0000-0000-0000-000000000000")).toBeUndefined();
    expect(await store().end(await add(keyOf("c"), { expires_at: "NULL" }))).toBeDefined();
    expect(ended).toEqual(["alice"]);
  });

  test("twice ends it once, but an attempt that is repeated counts what the first one has done", async () => {
    const handle = await add(keyOf("a"));
    expect(await store().end(handle)).toBeDefined();
    expect(await store().end(handle)).toBeUndefined();
    attemptsBefore = 1;
    expect(await store().end(handle)).toEqual({ session: keyOf("a").slice(0, 8), principal: "alice" });
    // It was ended long before the first attempt.
    await database.query("UPDATE mcp_sessions SET ended_at = ended_at - interval '1 minute'");
    expect(await store().end(handle)).toBeUndefined();
  });

  test("one whose row the owner's trigger keeps as it is was not ended", async () => {
    const handle = await add(keyOf("a"));
    await addTrigger(database, "UPDATE", "RETURN NULL");
    expect(await store().end(handle)).toBeUndefined();
    expect(ended).toEqual([]);
  });
});

describe("to end all of a principal", () => {
  test("ends those that are active, counts them, and tells the isolate", async () => {
    for (const [start, values] of [
      ["a", {}],
      ["b", { expires_at: "NULL" }],
      ["c", { expires_at: EARLIER }],
      ["d", { ended_at: "now()", end_reason: "'client'" }],
      ["e", { principal: "'bob'" }],
    ] as const)
      await add(keyOf(start), values);
    expect(await store().countEndable("alice")).toBe(2);
    expect(ended).toEqual([]);
    expect(await store().endAll("alice")).toEqual({ ended: 2, hasMore: false });
    expect(await store().countEndable("alice")).toBe(0);
    expect(await store().endAll("alice")).toEqual({ ended: 0, hasMore: false });
    expect(await store().countEndable("bob")).toBe(1);
    expect(ended).toEqual(["alice", "alice"]);
  });

  test("of more than 10,000 as many are counted, and one", async () => {
    await database.query(
      `INSERT INTO mcp_sessions (session_id, principal, expires_at)
       SELECT 'many-' || i, 'alice', ${LATER} FROM generate_series(1, 10002) i`,
    );
    expect(await store().countEndable("alice")).toBe(10_001);
  });
});
