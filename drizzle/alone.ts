// One db:migrate at a time in a database. The lock is one of the connection, because building indexes takes several
// transactions; it ends with the connection, so a command that was killed leaves none.
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { describe, Wait, type Waiting } from "./waiting.ts";

// Any constant does. ASCII "mcps".
const MIGRATION_LOCK = 0x6d637073;

// The other one takes seconds as a rule.
const POLL_MS = 200;

// A statement that its command has left ends about this much later, and with it the locks that it holds.
const LEFT_AFTER_MS = 1000;

/**
 * Waits until no other db:migrate is at work, and makes the connection ready for work that takes long.
 * @returns the process id of the connection's backend.
 * @throws Error when another one is at work for longer than `waiting` allows.
 */
export async function untilAlone(client: Client, waiting: Waiting): Promise<number> {
  await prepare(client);
  const wait = new Wait("for another db:migrate", waiting);
  // Asks again and again, and does not wait in a statement: that one's snapshot would keep the other command waiting
  // while it builds an index.
  for (;;) {
    const { rows } = await client.query<{ pid: number; is_alone: boolean }>(
      "SELECT pg_backend_pid() AS pid, pg_try_advisory_lock($1) AS is_alone",
      [MIGRATION_LOCK],
    );
    if (rows[0]?.is_alone) return rows[0].pid;
    wait.heldBy(await describe(client, await holders(client)));
    if (wait.leftMs() === 0) throw wait.inVain();
    await sleep(Math.min(POLL_MS, wait.leftMs()));
  }
}

/** Takes everything back that belongs to the connection: a pooler may give it to another program. */
export async function leave(client: Client): Promise<void> {
  try {
    await client.query("ROLLBACK");
    await client.query("DISCARD ALL");
  } catch {
    // The connection is lost, and all of that with it.
  }
}

async function prepare(client: Client): Promise<void> {
  // A role's own limits are for requests. What is waited for has limits here.
  await client.query(
    `SELECT set_config(name, '0', false) FROM pg_settings
      WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')`,
  );
  await client.query("SET client_min_messages = warning");
  // An index is built by one process. More would take a small server's cores from requests.
  await client.query("SET max_parallel_maintenance_workers = 0");
  await client.query(`SET client_connection_check_interval = ${LEFT_AFTER_MS}`).catch(() => {
    // The server's system cannot do it. A statement that was left ends by itself.
  });
}

async function holders(client: Client): Promise<number[]> {
  const { rows } = await client.query<{ pid: number }>(
    `SELECT pid FROM pg_locks
      WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid::bigint = 0 AND objid::bigint = $1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [MIGRATION_LOCK],
  );
  return rows.map(({ pid }) => pid);
}
