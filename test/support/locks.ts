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
