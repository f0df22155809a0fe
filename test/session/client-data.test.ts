// What a table of another program makes of what a client says of itself: whose mistake it is.
import { expect, test } from "vitest";
import { checkClientData } from "../../src/session/client-data.ts";
import { initializeParams, mcp, open, rowsOf } from "../support/mcp.ts";
import { createDatabase, databaseRequests, type TestDatabase } from "../support/worker.ts";

const initialize = (clientInfo: object) => ({
  method: "initialize",
  params: { ...initializeParams, clientInfo: { name: "x", version: "1", ...clientInfo } },
});
// It cannot be compressed.
const noise = () => Array.from({ length: 200 }, () => crypto.randomUUID()).join("");

interface Case {
  name: string;
  bring: (database: TestDatabase) => Promise<unknown>;
  /** Refused because of what it says; others are taken. */
  clientInfo: object;
}

const ofTheClient: Case[] = [
  {
    name: "an index that takes 2.7 kB (54000)",
    bring: ({ query }) => query("CREATE INDEX ON mcp_sessions (client_info)"),
    clientInfo: { more: noise() },
  },
  {
    name: "an index of a member as a number (22P02)",
    bring: ({ query }) => query("CREATE INDEX ON mcp_sessions (((client_info ->> 'age')::integer))"),
    clientInfo: { age: "old" },
  },
  {
    name: "a trigger that refuses a text (22023)",
    bring: ({ query }) =>
      query(`DO $$ BEGIN
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
          IF NEW.client_info ? 'odd' THEN RAISE EXCEPTION 'no' USING ERRCODE = '22023'; END IF;
          RETURN NEW;
        END $f$;
        CREATE TRIGGER refuse BEFORE INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION refuse();
      END $$`),
    clientInfo: { odd: 1 },
  },
];

test.each(ofTheClient)(
  "$name: the client's mistake, and others open sessions",
  async ({ bring, clientInfo }) => {
    const database = await createDatabase();
    await bring(database);
    const env = database.env();
    const response = await mcp(env, initialize(clientInfo));
    expect([response.status, response.headers.get("Mcp-Session-Id")]).toEqual([400, null]);
    expect(await response.json()).toEqual({
      jsonrpc: "2.0",
      error: { code: -32600, message: "The database cannot keep what clientInfo and capabilities say" },
      id: null,
    });
    expect(await rowsOf(database)).toEqual([]);
    expect(await open(env)).toHaveLength(43);
  },
);

test.each([
  ["22001", "ALTER TABLE mcp_sessions ALTER protocol_version TYPE varchar(5)"],
  ["22003", "ALTER TABLE mcp_sessions ADD serial smallint DEFAULT (40000 + random())::smallint"],
  [
    "22012",
    "ALTER TABLE mcp_sessions ADD ratio integer GENERATED ALWAYS AS (1 / (length(protocol_version) - 10)) STORED",
  ],
])("a table that refuses every session with %s is the operator's", async (sqlstate, change) => {
  const database = await createDatabase();
  await database.query(change);
  const before = await databaseRequests();
  const response = await mcp(database.env(), initialize({}));
  expect(response.status).toBe(503);
  expect(response.headers.has("Retry-After")).toBe(false);
  // The opening and the trial.
  expect((await databaseRequests()) - before).toBe(2);
  expect(sqlstate).toMatch(/^22/);
});

test.each([
  ["a byte more", 100, { a: "x".repeat(91) }, /100 bytes/],
  ["a byte more in UTF-8", 100, { a: "é".repeat(46) }, /100 bytes/],
  ["a level more", 1000, JSON.parse(`${'{"a":'.repeat(65)}1${"}".repeat(65)}`), /64 levels/],
  ["a level more of an array", 1000, { a: JSON.parse(`${"[".repeat(64)}${"]".repeat(64)}`) }, /64 levels/],
])("%s is refused, in either part", (_, maxBytes, data, says) => {
  expect(() => checkClientData({ clientInfo: data, capabilities: {} }, maxBytes)).toThrow(says);
  expect(() => checkClientData({ clientInfo: {}, capabilities: data }, maxBytes)).toThrow(says);
});

test.each([
  ["NUL", { name: "a\0b" }],
  ["NUL in a name", { "a\0b": 1 }],
  ["an unpaired surrogate", { list: ["\ud800"] }],
])("%s is refused, in either part", (_, data) => {
  const says = "The parameters of initialize must not contain NUL or an unpaired surrogate";
  for (const given of [
    { clientInfo: data, capabilities: {} },
    { clientInfo: {}, capabilities: data },
  ])
    expect(() => checkClientData(given, 1000)).toThrow(
      expect.objectContaining({ code: "invalid_request", message: says }),
    );
});

test("as much as may be is taken", () => {
  expect(() => checkClientData({ clientInfo: { a: "x".repeat(90) }, capabilities: {} }, 100)).not.toThrow();
  const deep = JSON.parse(`${'{"a":'.repeat(64)}1${"}".repeat(64)}`);
  expect(() => checkClientData({ clientInfo: deep, capabilities: deep }, 1000)).not.toThrow();
});

test("the limit is a variable, and so is how long initialize may be", async () => {
  const env = (await createDatabase()).env({ MCP_CLIENT_DATA_MAX_BYTES: "1024" });
  expect((await mcp(env, initialize({ more: "x".repeat(900) }))).status).toBe(200);
  expect((await mcp(env, initialize({ more: "x".repeat(1000) }))).status).toBe(400);
  const response = await mcp(env, initialize({ more: "x".repeat(5000) }));
  expect(await response.json()).toMatchObject({ error: { message: "The body of initialize is too long" } });
});
