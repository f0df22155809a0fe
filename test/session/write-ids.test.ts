// The ids of writes that a session's row keeps, so that a write that is sent again is known.
import { expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import { createStateStore } from "../../src/session/state-store.ts";
import { addIdle } from "../support/stores.ts";
import { createDatabase, setFaults } from "../support/worker.ts";

const session = unknownSession("a", "alice", undefined, new Date());

async function given() {
  const database = await createDatabase();
  await addIdle(database, "a");
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const states = createStateStore(connection, { timeoutMs: 10_000, maxLifetimeSeconds: null });
  const kept = async () =>
    (await database.query("SELECT state_writes FROM mcp_sessions"))[0]?.["state_writes"] as string[];
  return { database, states, kept };
}

test("the last 64 are kept, of writes and of deletions, each with its version", async () => {
  const { states, kept } = await given();
  for (let i = 1; i <= 65; i++) await states.set(session, "k", i);
  const versions = async () => (await kept()).map((write) => Number(write.split("/")[1]));
  expect(await versions()).toEqual(Array.from({ length: 64 }, (_, i) => i + 2));
  await states.delete(session, "k");
  expect(await versions()).toEqual(Array.from({ length: 64 }, (_, i) => i + 3));
  expect(new Set(await kept()).size).toBe(64);
});

test("a write that changes nothing takes no place", async () => {
  const { states, kept } = await given();
  await states.set(session, "k", 1);
  const before = await kept();
  expect(await states.set(session, "k", 2, 7)).toMatchObject({ outcome: "version_mismatch" });
  expect(await states.set(session, "k", "x".repeat(65_536))).toEqual({ outcome: "too_large" });
  expect(await states.delete(session, "k", 7)).toEqual({ outcome: "version_mismatch" });
  expect(await states.delete(session, "other")).toEqual({ outcome: "deleted", existed: false });
  expect(await kept()).toEqual(before);
});

test("a write that is sent again is answered as the first was, also when its key was changed or deleted since", async () => {
  const { database, states } = await given();
  for (const change of ['\'{"k": "newer"}\'', "'{}'"]) {
    await database.query("UPDATE mcp_sessions SET state = NULL, state_version = NULL, state_writes = NULL");
    await database.query(`CREATE OR REPLACE FUNCTION then_change() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN UPDATE mcp_sessions SET state = ${change}; RETURN NULL; END $$`);
    await database.query(
      `CREATE OR REPLACE TRIGGER then_change AFTER UPDATE OF state_writes ON mcp_sessions
         FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NEW.state_writes IS NOT NULL) EXECUTE FUNCTION then_change()`,
    );
    await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "state_writes" });
    expect(await states.set(session, "k", "mine")).toMatchObject({ outcome: "written", version: 1 });
    await setFaults();
    expect(await database.query(`SELECT state = ${change} AS is_theirs FROM mcp_sessions`)).toEqual([
      { is_theirs: true },
    ]);
  }
});
