// A session that has ended, has expired or is too old is dead to every statement, not only to the one that resumes it.
import { expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import { createStateStore } from "../../src/session/state-store.ts";
import { sessionsOf } from "../support/mcp.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const maxLifetimeSeconds = 3600;

/** Adds two sessions of alice that differ in nothing but what makes one of them dead. */
async function addPair({ query }: TestDatabase, death: string): Promise<void> {
  await query(
    `INSERT INTO mcp_sessions (session_id, principal, protocol_version, created_at, last_active, expires_at,
                               log_level, state, state_version, state_versions)
     SELECT id, 'alice', '2025-11-25', now() - interval '10 minutes', now() - interval '5 minutes', now() + interval '1 day',
            'info', '{"k": 1}', 1, '{"k": 1}'
       FROM unnest(ARRAY['dead', 'live']) AS id`,
  );
  await query(`UPDATE mcp_sessions SET ${death} WHERE session_id = 'dead'`);
}

const deaths: Record<string, string> = {
  "has expired": "expires_at = now()",
  // Ending sets expires_at, too. Another program may not.
  "has been ended": "ended_at = now(), end_reason = 'client'",
  "is older than its maximum lifetime": `created_at = now() - interval '${maxLifetimeSeconds} seconds'`,
  "never expires": "expires_at = NULL",
  "is of another principal": "principal = 'bob'",
};

const dead = unknownSession("dead", "alice", undefined, new Date());
const live = unknownSession("live", "alice", undefined, new Date());

async function given(death: string) {
  const database = await createDatabase();
  await addPair(database, death);
  // As text, so that no parser comes between.
  const row = async (key: string) =>
    (await database.query("SELECT s::text, log_level FROM mcp_sessions s WHERE session_id = $1", [key]))[0];
  const options = { timeoutMs: 10_000, maxLifetimeSeconds };
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  return {
    row,
    before: await row("dead"),
    sessions: sessionsOf(database, options),
    states: createStateStore(connection, options),
  };
}

test.each(Object.entries(deaths))("the document of a session that %s is out of reach", async (_, death) => {
  const { row, before, states } = await given(death);
  expect(await states.get(dead, "k")).toBeUndefined();
  expect(await states.get(live, "k")).toEqual({ found: true, value: 1, version: 1 });
  expect(await states.set(dead, "k", 2)).toEqual({ outcome: "session_ended" });
  expect(await states.set(live, "k", 2)).toMatchObject({ outcome: "written", version: 2 });
  expect(await states.delete(dead, "k")).toEqual({ outcome: "session_ended" });
  expect(await states.delete(live, "k")).toEqual({ outcome: "deleted", existed: true });
  expect(await row("dead")).toEqual(before);
});

test.each(Object.entries(deaths))(
  "a session that %s is neither used, listed nor ended, and keeps its log level",
  async (_, death) => {
    const { row, before, sessions } = await given(death);
    expect(await sessions.resume("dead", "alice")).toBeUndefined();
    expect(await sessions.resume("live", "alice")).toMatchObject({ key: "live" });
    await sessions.setLogLevel(dead, "error");
    await sessions.setLogLevel(live, "error");
    expect(await row("live")).toMatchObject({ log_level: "error" });
    expect((await sessions.list("alice")).map(({ key }) => key)).toEqual(["live"]);
    expect(await sessions.endOthers("alice", "live")).toBe(0);
    expect(await sessions.end("dead", "alice")).toBe(false);
    expect(await sessions.end("live", "alice")).toBe(true);
    expect(await row("dead")).toEqual(before);
  },
);

test("a session of its maximum lifetime minus a minute is alive to all of them", async () => {
  const { sessions, states } = await given(
    `created_at = now() - interval '${maxLifetimeSeconds - 60} seconds'`,
  );
  expect(await states.set(dead, "k", 2)).toMatchObject({ outcome: "written" });
  expect(await sessions.list("alice")).toHaveLength(2);
  expect(await sessions.resume("dead", "alice")).toMatchObject({ key: "dead" });
  expect(await sessions.endOthers("alice", "live")).toBe(1);
});
