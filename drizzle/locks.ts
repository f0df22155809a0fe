// The locks of a migration. They are taken in short attempts, so that nobody waits behind one for long, and only when they
// are needed. What is changed under them takes milliseconds.
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, DatabaseError, escapeIdentifier } from "pg";
import type { Plan, State } from "./plan.ts";
import { isFormerHandle } from "./takeover.ts";
import type { Observer, Wait } from "./waiting.ts";

export interface Lock {
  table: string;
  mode: "ACCESS EXCLUSIVE" | "SHARE ROW EXCLUSIVE";
}

// Everybody else queues behind an attempt. With this, and the milliseconds of the changes, they wait for less than 100 ms;
// and a transaction of two or three statements over a network has ended by then.
export const ATTEMPT_MS = 75;

// Four times as long as an attempt, so four of five requests meet none.
const PAUSE_MS = 300;

// Longer than PostgreSQL's deadlock_timeout (1 s): after that, an autovacuum gives way to whoever waits for it.
const SETTLE_MS = 3000;

// Beyond the limit, while nobody was seen yet: on a busy machine the question can come after a short attempt has ended.
const MORE_ATTEMPTS = 5;

const LOCK_NOT_AVAILABLE = "55P03";

/** The locks that the plan's statements need on tables that are there, in the order in which requests take them. */
export function locksOf(plan: Plan, { catalog }: State): Lock[] {
  const isThere = (name: string) => catalog.tables.some((table) => table.name === name);
  const sessions = sessionsLock(plan, catalog.tables);
  const others = plan.migrations.length > 0 ? (["ACCESS EXCLUSIVE"] as const) : [];
  return [
    ...(sessions === undefined ? [] : [{ table: "mcp_sessions", mode: sessions }]),
    ...["mcp_session_changes", "mcp_cleanup_runs", "mcp_session_totals"].flatMap((table) =>
      others.map((mode) => ({ table, mode })),
    ),
  ].filter(({ table }) => isThere(table));
}

/** What changes the table needs it alone. While triggers are made, it may be read. */
function sessionsLock(
  { conversions, missing, migrations, drops, uncounted }: Plan,
  tables: State["catalog"]["tables"],
): Lock["mode"] | undefined {
  const isMissing = missing.parts.some((part) => part.startsWith("mcp_sessions."));
  const hasFormer = tables.some(({ indexes }) => indexes.some(isFormerHandle));
  const losesTrigger = drops.some(({ subject }) =>
    subject.routines.some(
      ({ kind, identity }) => kind === "trigger" && identity.endsWith(" ON mcp_sessions"),
    ),
  );
  if (conversions.length > 0 || isMissing || losesTrigger || (hasFormer && migrations.length > 0))
    return "ACCESS EXCLUSIVE";
  return uncounted ? "SHARE ROW EXCLUSIVE" : undefined;
}

/**
 * Statements that take the locks, and let no later statement of the same message wait for longer than an attempt. They must
 * be sent together with those: the attempt begins when the message arrives.
 */
export const lockStatements = (locks: Lock[]) => [
  ...locks.flatMap(({ table, mode }) => [
    `SELECT set_config('lock_timeout', greatest(
       ${ATTEMPT_MS} - extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000, 1)::int::text, true)`,
    `LOCK TABLE ${escapeIdentifier(table)} IN ${mode} MODE`,
  ]),
  `SET LOCAL lock_timeout = ${ATTEMPT_MS}`,
];

/**
 * Waits until nothing is at work on the table that keeps a migration out and no request: a vacuum, an index that is being
 * built. It lets readers and writers in meanwhile, and keeps the others away until the transaction ends.
 */
export async function settle(client: Client, table: string, context: LockContext): Promise<void> {
  await repeatedly(client, SETTLE_MS, context, async () => {
    await client.query(`SET LOCAL lock_timeout = ${SETTLE_MS}`);
    await client.query(`LOCK TABLE ${escapeIdentifier(table)} IN SHARE UPDATE EXCLUSIVE MODE`);
  });
}

/** Repeats `change` until no lock that it needs is taken. What it did in vain is rolled back each time. */
export const inAttempts = <T>(client: Client, context: LockContext, change: () => Promise<T>) =>
  repeatedly(client, ATTEMPT_MS, context, change);

export interface LockContext {
  pid: number;
  wait: Wait;
  observer: Observer;
}

async function repeatedly<T>(
  client: Client,
  attemptMs: number,
  { pid, wait, observer }: LockContext,
  change: () => Promise<T>,
): Promise<T> {
  // A third of it, so that the question arrives while the attempt is waiting.
  const question = { pid, firstMs: attemptMs / 3, everyMs: attemptMs / 3 };
  const observed = () => observer.during(question, (found) => wait.heldBy(found), change);
  let moreAttempts = attemptMs === ATTEMPT_MS ? MORE_ATTEMPTS : 0;
  for (let isFirst = true; ; isFirst = false) {
    await client.query("SAVEPOINT before_attempt");
    try {
      // The first attempt does as a rule. There is no second connection then.
      return await (isFirst && wait.leftMs() > 0 ? change() : observed());
    } catch (error) {
      if (!(error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE)) throw error;
      // The transactions that wait for a lock of this attempt get it now.
      await client.query("ROLLBACK TO SAVEPOINT before_attempt");
      if (wait.leftMs() === 0) {
        await observer.answered();
        if (wait.holders.length > 0 || moreAttempts === 0) throw wait.inVain();
        moreAttempts -= 1;
      }
    }
    await sleep(Math.min(PAUSE_MS, wait.leftMs() || PAUSE_MS));
  }
}
