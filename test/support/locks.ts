// Transactions that stay open until the test ends them, and the statements that wait for them.
import { poll } from "./cleanup.ts";
import type { TestDatabase } from "./worker.ts";

// The class of the advisory locks here; nothing else has it.
const GATES = 7001;
let gates = 0;

export interface Held {
  /** Resolves when another statement waits for a lock of this one. */
  waitedFor: () => Promise<void>;
  /** Commits. */
  release: () => Promise<void>;
}

/**
 * Runs a statement in a transaction that stays open, with its locks, until it is released. Then it commits.
 * @param change a statement with RETURNING, or a SELECT, of one row at least.
 */
export async function heldOpen({ query }: TestDatabase, change: string): Promise<Held> {
  const gate = ++gates;
  const keeper = query(
    `/* gate ${gate} */ SELECT pg_sleep(600) FROM pg_advisory_xact_lock(${GATES}, ${gate})`,
  ).catch(() => []);
  const keeperPid = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE $1";
  await poll(() => query(keeperPid, [`/* gate ${gate} */%`]));
  const holder = query(
    `WITH changed AS MATERIALIZED (${change})
     SELECT pg_advisory_xact_lock(${GATES}, ${gate}) FROM (SELECT count(*) FROM changed) AS made`,
  );
  const { pid } = await poll(() =>
    query("SELECT pid FROM pg_locks WHERE NOT granted AND classid = $1 AND objid = $2", [GATES, gate]),
  );
  const waitedFor = async () => {
    await poll(() => query("SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))", [pid]));
  };
  const release = async () => {
    await query(`SELECT pg_cancel_backend(pid) FROM (${keeperPid}) AS keeper`, [`/* gate ${gate} */%`]);
    await Promise.all([keeper, holder]);
  };
  return { waitedFor, release };
}

/** Resolves when so many statements wait for a lock. */
export async function waiting({ query }: TestDatabase, statements: number): Promise<void> {
  await poll(() =>
    query(
      `SELECT FROM pg_locks WHERE NOT granted AND (locktype <> 'advisory' OR classid <> ${GATES})
       HAVING count(DISTINCT pid) >= $1`,
      [statements],
    ),
  );
}

/** Locks the table of the sessions, and lets nobody read or write it until it is released. */
export async function lockSessions(database: TestDatabase): Promise<Held> {
  await database.query(
    "CREATE OR REPLACE FUNCTION lock_sessions() RETURNS void LANGUAGE plpgsql AS 'BEGIN LOCK TABLE mcp_sessions; END'",
  );
  return heldOpen(database, "SELECT lock_sessions()");
}

// Of the class above: what held deletions wait for.
const DELETIONS = 0;

/**
 * From now on the deletion of a session whose id matches waits until it is released, with all that its transaction holds.
 * @param condition on OLD, which is the row of the session.
 */
export async function holdDeletions(database: TestDatabase, condition = "true"): Promise<Held> {
  const held = await heldOpen(database, `SELECT pg_advisory_xact_lock(${GATES}, ${DELETIONS})`);
  // Not by waiting for the lock itself, which a lock_timeout would end.
  await database.query(
    `CREATE FUNCTION be_held() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       WHILE NOT pg_try_advisory_xact_lock_shared(${GATES}, ${DELETIONS}) LOOP PERFORM pg_sleep(0.005); END LOOP;
       RETURN OLD;
     END $$`,
  );
  await database.query(
    `CREATE TRIGGER held BEFORE DELETE ON mcp_sessions FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION be_held()`,
  );
  const waitedFor = async () => {
    await poll(() =>
      database.query(
        "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE 'CALL mcp_cleanup%' AND datname = current_database()",
      ),
    );
  };
  return { ...held, waitedFor };
}
