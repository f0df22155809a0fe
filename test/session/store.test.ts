// What one statement of the sessions does by itself: which rows it means, and what it says. Expiry: judging.test.ts.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { sessionsOf } from "../support/mcp.ts";
import { addIdle, live, storesOf } from "../support/stores.ts";
import { createDatabase, setFaults, type TestDatabase } from "../support/worker.ts";

afterEach(() => setFaults());

const opening = (key: string, principal = "alice") => ({
  key,
  principal,
  protocolVersion: "2025-11-25",
  clientInfo: { name: "client", version: "1" },
  capabilities: { roots: {} },
});
const sorted = (keys: readonly { key: string }[]) => keys.map(({ key }) => key).toSorted();

test("a session that is opened is found as it was opened, by its principal alone", async () => {
  const database = await createDatabase();
  const sessions = sessionsOf(database);
  expect(await sessions.open(opening("k"))).toBe(0);
  expect(await sessions.resume("k", "alice")).toEqual({
    ...opening("k"),
    logLevel: null,
    createdAt: expect.any(Date),
    lastActive: expect.any(Date),
    expiresAt: expect.any(Date),
    isDegraded: false,
  });
  expect(await sessions.resume("k", "bob")).toBeUndefined();
  expect(await sessions.resume("other", "alice")).toBeUndefined();
});

describe("a list", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });

  const listed = async (clientInfo: object) => {
    await database.query("DELETE FROM mcp_sessions");
    await addIdle(database, "a");
    await database.query("UPDATE mcp_sessions SET client_info = $1", [JSON.stringify(clientInfo)]);
    return (await sessionsOf(database).list("alice")).map((session) => session.clientInfo);
  };

  test.each<[what: string, name: string, shown: string]>([
    ["of 256 characters as it is", "x".repeat(256), "x".repeat(256)],
    ["of one more without it", "x".repeat(257), "x".repeat(256)],
    ["without a half of its last character", `${"x".repeat(255)}🦊x`, "x".repeat(255)],
    ["with its last character as a whole", `${"x".repeat(254)}🦊x`, `${"x".repeat(254)}🦊`],
    ["with each pair before that", `🦊${"x".repeat(300)}`, `🦊${"x".repeat(254)}`],
  ])("shows a text %s", async (_, name, shown) => {
    // As JSON, which has an escape for a half of a character: the runner's connection cannot carry one.
    expect(JSON.stringify(await listed({ name, version: "1" }))).toBe(
      JSON.stringify([{ name: shown, version: "1" }]),
    );
  });

  test("shows what is no text as it is", async () => {
    const clientInfo = { name: 7, version: null, icons: ["x".repeat(300)], more: { a: "x".repeat(300) } };
    expect(await listed(clientInfo)).toEqual([clientInfo]);
  });

  test("shows up to 4096 bytes of a client, and of one that says more its name and version", async () => {
    const bytes = (count: number) => ({ more: "x".repeat(count - '{"more": ""}'.length) });
    expect(await listed(bytes(4096))).toEqual([{ more: "x".repeat(256) }]);
    expect(await listed(bytes(4097))).toEqual([{}]);
    expect(await listed({ name: "n".repeat(300), version: "v".repeat(300), ...bytes(4096) })).toEqual([
      { name: "n".repeat(256), version: "v".repeat(256) },
    ]);
  });

  test("has the live sessions of its principal alone, and none of another program's table", async () => {
    await database.query("DELETE FROM mcp_sessions");
    await addIdle(database, "a", "ended", "expired", "bob's", "b");
    await database.query("UPDATE mcp_sessions SET ended_at = now() WHERE session_id = 'ended'");
    await database.query("UPDATE mcp_sessions SET expires_at = now() WHERE session_id = 'expired'");
    await database.query("UPDATE mcp_sessions SET principal = 'bob' WHERE session_id LIKE 'bob%'");
    await database.query("CREATE TABLE of_others () INHERITS (mcp_sessions)");
    await database.query(
      "INSERT INTO of_others (session_id, principal, expires_at) VALUES ('theirs', 'alice', now() + interval '1 hour')",
    );
    const found = await sessionsOf(database).list("alice");
    expect(found.map(({ key }) => key)).toEqual(["b", "a"]);
    expect(Object.keys(found[0] ?? {}).toSorted()).toEqual([
      "clientInfo",
      "createdAt",
      "expiresAt",
      "key",
      "lastActive",
    ]);
  });
});

test("a session ends once, and only by its principal", async () => {
  const database = await createDatabase();
  const sessions = sessionsOf(database);
  await addIdle(database, "a", "b");
  expect(await sessions.end("a", "bob")).toBe(false);
  expect(await sessions.end("nobody's", "alice")).toBe(false);
  expect(await live(database, "alice")).toEqual(["a", "b"]);
  expect(await sessions.end("a", "alice")).toBe(true);
  expect(await live(database, "alice")).toEqual(["b"]);
  expect(await sessions.end("a", "alice")).toBe(false);
});

test("the others of a principal end, and the one that is spared does not", async () => {
  const database = await createDatabase();
  const { sessions } = storesOf(database);
  await addIdle(database, "a", "b", "c", "d");
  await database.query("UPDATE mcp_sessions SET principal = 'bob' WHERE session_id = 'd'");
  expect(await sessions.endOthers("alice", "b")).toBe(2);
  expect(sorted(await sessions.list("alice"))).toEqual(["b"]);
  expect(await sessions.endOthers("alice", "b")).toBe(0);
  expect(await sessions.endOthers("alice", undefined)).toBe(1);
  expect(await sessions.list("alice")).toEqual([]);
  expect(sorted(await sessions.list("bob"))).toEqual(["d"]);
});

test("a log level is kept for a live session of its principal, and nowhere else", async () => {
  const database = await createDatabase();
  const sessions = sessionsOf(database);
  await addIdle(database, "a", "b", "ended");
  const [a, ended] = [await sessions.resume("a", "alice"), await sessions.resume("ended", "alice")];
  if (a === undefined || ended === undefined) throw new Error("They are not there");
  await database.query("UPDATE mcp_sessions SET ended_at = now() WHERE session_id = 'ended'");
  await database.query("CREATE TABLE of_others () INHERITS (mcp_sessions)");
  await database.query(
    "INSERT INTO of_others (session_id, principal, expires_at) VALUES ('a', 'alice', now() + interval '1 hour')",
  );
  await sessions.setLogLevel({ ...a, principal: "bob" }, "debug");
  await sessions.setLogLevel(ended, "debug");
  expect(await database.query("SELECT FROM mcp_sessions WHERE log_level IS NOT NULL")).toEqual([]);
  await sessions.setLogLevel(a, "error");
  expect(
    await database.query(
      "SELECT session_id AS key, log_level AS level, tableoid::regclass::text AS table FROM mcp_sessions WHERE log_level IS NOT NULL",
    ),
  ).toEqual([{ key: "a", level: "error", table: "mcp_sessions" }]);
  expect((await sessions.resume("a", "alice"))?.logLevel).toBe("error");
});

type Sessions = ReturnType<typeof sessionsOf>;
test.each<[matching: string, work: (sessions: Sessions) => Promise<unknown>, answer: unknown]>([
  ["mcp_open_session", async (sessions) => sessions.open(opening("new")), 0],
  ["mcp_resume_session", async (sessions) => sessions.resume("a", "alice"), { key: "a" }],
  ["ended_count", async (sessions) => sessions.end("a", "alice"), true],
  ["ended_count", async (sessions) => sessions.endOthers("alice", "a"), 1],
  ["latest", async (sessions) => sessions.list("alice"), [{ key: "b" }, { key: "a" }]],
])(
  "a statement whose answer is lost is sent again, with the same answer: %s",
  async (matching, work, answer) => {
    const database = await createDatabase();
    await addIdle(database, "a", "b");
    await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching });
    expect({ answer: await work(sessionsOf(database)) }).toMatchObject({ answer });
    const opened = await database.query("SELECT FROM mcp_sessions WHERE session_id = 'new'");
    expect(opened).toHaveLength(matching === "mcp_open_session" ? 1 : 0);
  },
);
