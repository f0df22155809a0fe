// Whatever another program has put into the row of a session, its owner can list it, and use it while it is live.
import { expect, test } from "vitest";
import { callTool, mcp, open, rowsOf } from "../support/mcp.ts";
import { addIdle, fill, storesOf } from "../support/stores.ts";
import { times } from "../support/times.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const MEGABYTE = 1024 * 1024;

/** Opens a session of alice, and changes columns of its row as another program might. */
async function changed(database: TestDatabase, assignments: string) {
  const env = database.env();
  const session = await open(env);
  const [row] = (await rowsOf(database)).toReversed();
  await database.query(`UPDATE mcp_sessions SET ${assignments} WHERE session_id = $1`, [row?.["session_id"]]);
  return session;
}

const own = async (env: Env, session: string) => {
  const { isError, structuredContent } = await callTool(env, session, "list_my_sessions");
  expect(isError).toBeFalsy();
  return structuredContent?.["sessions"] as Record<string, unknown>[];
};

test("list_my_sessions shows any time of a live session right or as null", async () => {
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  const shown = times.map(([, iso]) => iso);
  for (const column of ["created_at", "last_active", "expires_at"]) {
    await database.query("DELETE FROM mcp_sessions WHERE session_id LIKE 'row-%'");
    for (const [i, [time]] of times.entries()) {
      await database.query(
        `INSERT INTO mcp_sessions (session_id, principal, created_at, last_active, expires_at)
         SELECT 'row-' || $1, 'alice', now(), now(), now() + interval '1 hour'`,
        [i],
      );
      await database.query(`UPDATE mcp_sessions SET ${column} = $2 WHERE session_id = 'row-' || $1`, [
        i,
        time,
      ]);
    }
    const listed = (await own(env, session)).filter(({ is_current: isCurrent }) => isCurrent !== true);
    const live = await database.query(
      `SELECT session_id FROM mcp_sessions
        WHERE session_id LIKE 'row-%' AND expires_at > now() AND created_at > '-infinity'`,
    );
    expect(listed.length).toBe(live.length);
    expect(listed.length).toBeGreaterThan(4);
    for (const { [column]: time } of listed) expect(shown).toContain(time);
  }
});

test("a session of which no use is known is listed last, and left out before others are", async () => {
  const database = await createDatabase();
  const { sessions } = storesOf(database);
  await addIdle(database, "a", "b", "c");
  await database.query("UPDATE mcp_sessions SET last_active = NULL WHERE session_id = 'b'");
  const keys = async () => (await sessions.list("alice")).map(({ key }) => key);
  expect(await keys()).toEqual(["c", "a", "b"]);
  await fill(database, "alice", 98);
  expect(await keys()).not.toContain("b");
  expect(await keys()).toHaveLength(100);
});

test.each([
  ["expires_at = 'infinity'", { expires_at: null }],
  ["expires_at = '294276-12-31'", { expires_at: null }],
  ["expires_at = '9999-12-31 23:59:59.999999-05'", { expires_at: null }],
  ["created_at = 'infinity'", { created_at: null }],
  ["created_at = '294276-12-31'", { created_at: null }],
  ["created_at = '4713-11-24 BC'", { created_at: null }],
  ["protocol_version = NULL", { protocol_version: "" }],
  ["protocol_version = repeat('x', 100000)", {}],
  ["log_level = 'no such level'", { log_level: "no such level" }],
  ["client_info = '[1]', capabilities = '[1]'", { client_info: {}, capabilities: {} }],
  [`client_info = '"x"', capabilities = '7'`, { client_info: {}, capabilities: {} }],
  ["client_info = 'null', capabilities = NULL", { client_info: {}, capabilities: {} }],
  [`client_info = '{"name": {"a": [1]}}'`, { client_info: { name: { a: [1] } } }],
])("a session with %s can be used", async (assignments, expected) => {
  const database = await createDatabase();
  // The row is read as it is: touching it would write its times anew.
  const touched = "last_active = now() - interval '1 minute'";
  const session = await changed(database, `${touched}, ${assignments}`);
  const env = database.env({ MCP_SESSION_TOUCH_INTERVAL_SECONDS: "3600" });
  const { structuredContent, isError } = await callTool(env, session, "session_info");
  expect(isError).toBeFalsy();
  expect(structuredContent).toMatchObject(expected);
  expect(await own(env, session)).toHaveLength(1);
});

test.each([["NULL"], ["'infinity'"], ["'294276-12-31'"], ["'-infinity'"], ["'4713-11-24 BC'"]])(
  "a use of a session whose last use is %s is written, and extends it",
  async (lastActive) => {
    const database = await createDatabase();
    const session = await changed(
      database,
      `last_active = ${lastActive}, expires_at = now() + interval '1 second'`,
    );
    expect((await mcp(database.env(), { method: "ping" }, { session })).status).toBe(200);
    expect(
      await database.query(
        "SELECT last_active <= now() AND last_active > now() - interval '1 hour' AS used, expires_at > now() + interval '1 hour' AS extended FROM mcp_sessions",
      ),
    ).toEqual([{ used: true, extended: true }]);
  },
);

test.each(["'infinity'", "'294276-12-31'"])(
  "a maximum lifetime counts for a session that was opened at %s",
  async (createdAt) => {
    const database = await createDatabase();
    const session = await changed(
      database,
      `created_at = ${createdAt}, last_active = now() - interval '2 hours'`,
    );
    const env = database.env({ MCP_SESSION_MAX_LIFETIME_SECONDS: "60" });
    expect((await mcp(env, { method: "ping" }, { session })).status).toBe(200);
    expect(
      await database.query("SELECT FROM mcp_sessions WHERE expires_at > now() + interval '60 s'"),
    ).toEqual([]);
  },
);

test("a hundred sessions whose clients say as much as a request holds make a list all the same", async () => {
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  await database.query(
    `INSERT INTO mcp_sessions (session_id, principal, created_at, last_active, expires_at, client_info)
     SELECT 'row-' || i, 'alice', now(), now() + i * interval '1 ms', now() + interval '1 hour',
            jsonb_build_object('name', repeat('n', 300), 'version', '1', 'more', repeat('x', ${MEGABYTE}))
       FROM generate_series(1, 100) i`,
  );
  const listed = await own(env, session);
  expect(listed).toHaveLength(100);
  expect(listed.at(-1)).toMatchObject({ client: "n".repeat(256) });
});
