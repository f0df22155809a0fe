// What one statement does to the document of a session. What is refused before it: state.test.ts.
import { afterEach, expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import { createStateStore, STATE_LIMIT_BYTES } from "../../src/session/state-store.ts";
import { heldOpen } from "../support/locks.ts";
import { addIdle } from "../support/stores.ts";
import { createDatabase, setFaults, type TestDatabase } from "../support/worker.ts";

afterEach(() => setFaults());

const session = unknownSession("a", "alice", undefined, new Date(0));

/** The document of session `a`, and a session `b` beside it. */
async function given(maxLifetimeSeconds: number | null = null) {
  const database = await createDatabase();
  await addIdle(database, "a", "b");
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  // Whoever waits does so until the test lets it go on.
  const states = createStateStore(connection, { timeoutMs: 60_000, maxLifetimeSeconds });
  const document = async () =>
    (await database.query("SELECT state FROM ONLY mcp_sessions WHERE session_id = 'a'"))[0]?.["state"];
  return { database, states, document };
}

const NOT_THERE = { found: false, value: null, version: 0 };

test("a key that is not there has version 0, before there is a document, in one, and after it is deleted", async () => {
  const { states } = await given();
  expect(await states.get(session, "k")).toEqual(NOT_THERE);
  await states.set(session, "other", 1);
  expect(await states.get(session, "k")).toEqual(NOT_THERE);
  expect(await states.delete(session, "k")).toEqual({ outcome: "deleted", existed: false });
  await states.set(session, "k", 1);
  await states.delete(session, "k");
  expect(await states.get(session, "k")).toEqual(NOT_THERE);
});

test("a write says the key's new version and what the document takes; no version comes twice", async () => {
  const { states, document } = await given();
  const written = async (key: string, value: unknown) => states.set(session, key, value);
  expect(await written("k", 1)).toEqual({ outcome: "written", version: 1, sizeBytes: '{"k": 1}'.length });
  expect(await written("l", null)).toEqual({
    outcome: "written",
    version: 2,
    sizeBytes: '{"k": 1, "l": null}'.length,
  });
  expect(await states.get(session, "k")).toEqual({ found: true, value: 1, version: 1 });
  expect(await states.get(session, "l")).toEqual({ found: true, value: null, version: 2 });
  expect(await states.delete(session, "k")).toEqual({ outcome: "deleted", existed: true });
  expect(await written("k", "é")).toEqual({
    outcome: "written",
    version: 4,
    sizeBytes: '{"k": "é", "l": null}'.length + 1,
  });
  expect(await document()).toEqual({ k: "é", l: null });
});

test("a document of before there were versions counts as written once", async () => {
  const { database, states } = await given();
  await database.query(`UPDATE mcp_sessions SET state = '{"old": 1}'`);
  expect(await states.get(session, "old")).toEqual({ found: true, value: 1, version: 1 });
  expect(await states.get(session, "k")).toEqual(NOT_THERE);
  expect(await states.set(session, "old", 2, 0)).toMatchObject({ outcome: "version_mismatch" });
  expect(await states.set(session, "old", 2, 1)).toMatchObject({ outcome: "written", version: 2 });
});

test("over another version nothing is written or deleted, and a write says what is there", async () => {
  const { states, document } = await given();
  expect(await states.set(session, "k", "new", 1)).toEqual({
    outcome: "version_mismatch",
    current: NOT_THERE,
  });
  expect(await states.set(session, "k", "new", 0)).toMatchObject({ outcome: "written", version: 1 });
  for (const version of [0, 2]) {
    expect(await states.set(session, "k", "newer", version)).toEqual({
      outcome: "version_mismatch",
      current: { found: true, value: "new", version: 1 },
    });
    expect(await states.delete(session, "k", version)).toEqual({ outcome: "version_mismatch" });
  }
  expect(await document()).toEqual({ k: "new" });
  expect(await states.delete(session, "k", 1)).toEqual({ outcome: "deleted", existed: true });
});

test("a document takes 64 KiB with its keys, and what makes it longer is not written", async () => {
  expect(STATE_LIMIT_BYTES).toBe(65_536);
  const { states, document } = await given();
  const longest = "x".repeat(STATE_LIMIT_BYTES - '{"k": ""}'.length);
  expect(await states.set(session, "k", longest)).toEqual({
    outcome: "written",
    version: 1,
    sizeBytes: STATE_LIMIT_BYTES,
  });
  expect(await states.set(session, "k", `${longest}x`)).toEqual({ outcome: "too_large" });
  expect(await states.set(session, "l", 1)).toEqual({ outcome: "too_large" });
  expect(await document()).toEqual({ k: longest });
});

const everything = ({ query }: TestDatabase, table: string, where: string) =>
  query(`SELECT state, state_version, state_versions, state_writes FROM ${table} WHERE ${where}`);

test("a write or a deletion changes no other session, and no row of another program's table", async () => {
  const { database, states } = await given();
  await states.set({ ...session, key: "b" }, "k", "of b");
  await database.query("CREATE TABLE of_others () INHERITS (mcp_sessions)");
  await database.query(
    `INSERT INTO of_others (session_id, principal, expires_at, state)
     VALUES ('a', 'alice', now() + interval '1 hour', '{"k": "theirs"}')`,
  );
  const others = async () => [
    await everything(database, "ONLY mcp_sessions", "session_id = 'b'"),
    await everything(database, "of_others", "true"),
  ];
  const before = await others();
  expect(await states.set(session, "k", "mine")).toMatchObject({ outcome: "written", version: 1 });
  expect(await others()).toEqual(before);
  expect(await states.get(session, "k")).toMatchObject({ value: "mine" });
  expect(await states.delete(session, "k")).toEqual({ outcome: "deleted", existed: true });
  expect(await others()).toEqual(before);
});

test.each([
  ["has been ended", "UPDATE mcp_sessions SET ended_at = now()"],
  ["has expired", "UPDATE mcp_sessions SET expires_at = now()"],
  ["is older than may be", "UPDATE mcp_sessions SET created_at = now() - interval '1 hour'"],
  ["is of another principal", "UPDATE mcp_sessions SET principal = 'bob'"],
  [
    "is a row of another program's table",
    `WITH moved AS (DELETE FROM mcp_sessions RETURNING *)
     INSERT INTO of_others SELECT * FROM moved WHERE session_id = 'a'`,
  ],
])("of a session that %s there is no document", async (_, change) => {
  const { database, states } = await given(3600);
  await states.set(session, "k", 1);
  await database.query("CREATE TABLE of_others () INHERITS (mcp_sessions)");
  await database.query(change);
  const before = await everything(database, "mcp_sessions", "true");
  expect(await states.get(session, "k")).toBeUndefined();
  expect(await states.set(session, "k", 2)).toEqual({ outcome: "session_ended" });
  expect(await states.delete(session, "k")).toEqual({ outcome: "session_ended" });
  expect(await everything(database, "mcp_sessions", "true")).toEqual(before);
});

test("a write that waits for another one leaves what that has written", async () => {
  const { database, states, document } = await given();
  const theirs = await heldOpen(
    database,
    `UPDATE mcp_sessions SET state = '{"theirs": 1}', state_version = 7, state_versions = '{"theirs": 7}' RETURNING 1`,
  );
  const ours = states.set(session, "ours", 2);
  await theirs.waitedFor();
  await theirs.release();
  expect(await ours).toMatchObject({ outcome: "written", version: 8 });
  expect(await document()).toEqual({ theirs: 1, ours: 2 });
});

/** The write with this number loses its answer, and another program puts this in the place of the document after it. */
async function losing({ query }: TestDatabase, write: number, document: string) {
  await query(`CREATE FUNCTION then_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN UPDATE mcp_sessions SET state = '${document}' WHERE session_id = 'a' AND cardinality(state_writes) = ${write}; RETURN NULL; END $$`);
  await query(
    `CREATE TRIGGER then_change AFTER UPDATE OF state_writes ON mcp_sessions
       FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NEW.state_writes IS NOT NULL) EXECUTE FUNCTION then_change()`,
  );
  await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "state_writes" });
}

test("a read whose answer is lost is sent again", async () => {
  const { states } = await given();
  await states.set(session, "k", 1);
  await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "state ?" });
  expect(await states.get(session, "k")).toEqual({ found: true, value: 1, version: 1 });
});

test("a write that is sent again undoes nothing, and says what the document takes now", async () => {
  const { database, states, document } = await given();
  await losing(database, 1, '{"later": 1}');
  expect(await states.set(session, "k", "mine")).toEqual({
    outcome: "written",
    version: 1,
    sizeBytes: '{"later": 1}'.length,
  });
  expect(await document()).toEqual({ later: 1 });
});

test.each([
  ["of any version", undefined],
  ["of one version", 1],
])(
  "a deletion %s that is sent again has deleted, and leaves what was written since",
  async (_, ifVersion) => {
    const { database, states, document } = await given();
    await states.set(session, "k", "mine");
    await losing(database, 2, '{"k": "later"}');
    expect(await states.delete(session, "k", ifVersion)).toEqual({ outcome: "deleted", existed: true });
    expect(await document()).toEqual({ k: "later" });
  },
);

test("a deletion that is sent again has deleted, also when nothing is there any more", async () => {
  const { states, document } = await given();
  for (const ifVersion of [undefined, 3]) {
    await states.set(session, "k", "mine");
    await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "state_writes" });
    expect(await states.delete(session, "k", ifVersion)).toEqual({ outcome: "deleted", existed: true });
    expect(await document()).toEqual({});
  }
});
