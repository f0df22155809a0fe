// A live session is never deleted, whatever races with a run.
import { expect, test } from "vitest";
import { runCleanupOnce } from "../../src/cleanup/clean.ts";
import { at, HOUR, poll, runsOf, storeOf } from "../support/cleanup.ts";
import { heldOpen, lockSessions } from "../support/locks.ts";
import { addSessions, createDatabase, remaining } from "../support/worker.ts";

test("a session that is being extended while a run selects it survives, and the run does not wait for it", async () => {
  const database = await createDatabase();
  await addSessions(database, { extended: at(new Date(), -HOUR), expired: at(new Date(), -HOUR) });
  const extension = await heldOpen(
    database,
    `UPDATE mcp_sessions SET expires_at = now() + interval '1 hour' WHERE session_id = 'session-extended' RETURNING 1`,
  );
  expect(await runCleanupOnce(storeOf(database))).toBe(1);
  await extension.release();
  expect(await remaining(database)).toEqual(["extended"]);
});

test("a table that another program has locked makes a run fail within its budget, not hang", async () => {
  const database = await createDatabase();
  await addSessions(database, { expired: at(new Date(), -HOUR) });
  const lock = await lockSessions(database);
  await expect(runCleanupOnce(storeOf(database, { timeBudgetMs: 200 }))).rejects.toThrow("55P03");
  await lock.release();
  expect(await runCleanupOnce(storeOf(database))).toBe(1);
  expect((await runsOf(database)).map(({ outcome }) => outcome)).toEqual(["failed", "completed"]);
});

test("of 2,000 touches against running cleanups, none that succeeded loses its session, none revives one", async () => {
  const SESSIONS = 500;
  const TOUCHES = 2400;
  const CLIENTS = 12;
  const database = await createDatabase();
  // They expire one after the other over the next seconds, so that touches and runs fight for each.
  await database.query(
    `INSERT INTO mcp_sessions (session_id, expires_at)
     SELECT i::text, clock_timestamp() + i * interval '12 ms' FROM generate_series(1, ${SESSIONS}) i`,
  );
  const extended = new Set<string>();
  const gone = new Set<string>();
  const touching = { isDone: false };
  let runs = 0;
  const cleaning = (async () => {
    let deleted = 0;
    while (!touching.isDone) {
      deleted += await runCleanupOnce(storeOf(database, { batchSize: 7 }));
      runs += 1;
    }
    return deleted;
  })();
  const touchAll = async (client: number) => {
    for (let i = 0; i < TOUCHES / CLIENTS; i++) {
      const id = String((((i * CLIENTS + client) * 197) % SESSIONS) + 1);
      const [touched] = await database.query(
        `UPDATE mcp_sessions SET last_active = now(), expires_at = greatest(expires_at, now() + interval '2 ms')
          WHERE session_id = $1 AND expires_at > now() RETURNING expires_at > now() + interval '1 hour' AS is_kept`,
        [id],
      );
      if (touched === undefined) gone.add(id);
      // Every third session that is touched alive is then extended for good.
      else if (Number(id) % 3 === 0 && !touched["is_kept"]) {
        const [kept] = await database.query(
          `UPDATE mcp_sessions SET expires_at = now() + interval '2 hours'
            WHERE session_id = $1 AND expires_at > now() RETURNING 1 AS kept`,
          [id],
        );
        if (kept !== undefined) extended.add(id);
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => touchAll(client)));
  touching.isDone = true;
  let deleted = await cleaning;
  await poll(() =>
    database.query(
      "SELECT 1 WHERE NOT EXISTS (SELECT FROM mcp_sessions WHERE expires_at BETWEEN now() AND now() + interval '1 hour')",
    ),
  );
  // The database caps a time in the future at its own clock, which is finer than this one.
  deleted += await runCleanupOnce(storeOf(database), at(new Date(), 1000));

  expect(extended.size).toBeGreaterThan(20);
  expect(gone.size).toBeGreaterThan(20);
  expect(runs).toBeGreaterThan(5);
  expect(new Set(await remaining(database))).toEqual(extended);
  expect([...gone].filter((id) => extended.has(id))).toEqual([]);
  expect(deleted).toBe(SESSIONS - extended.size);
  const recorded = await database.query("SELECT sum(deleted)::int AS deleted FROM mcp_cleanup_runs");
  expect(recorded).toEqual([{ deleted }]);
});
