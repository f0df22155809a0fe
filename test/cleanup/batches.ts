// A run's batches by themselves, what is put in their way, and what they leave.
import { expect } from "vitest";
import { createDatabase, type TestDatabase } from "../support/worker.ts";
import { stepsOf, writeDownSteps } from "./steps.ts";

/** When each run here began: what expires before that is to be deleted. */
export const STARTED = "2026-01-10T00:00:00Z";
export const beforeStarted = (seconds: number) =>
  new Date(Date.parse(STARTED) - seconds * 1000).toISOString();

export const raise = (code: string) => `RAISE EXCEPTION 'no' USING ERRCODE = '${code}'`;

/** A database whose runs write down their steps. */
export async function createBatches() {
  const database = await createDatabase();
  await writeDownSteps(database);
  return { database, ...batchesOf(database) };
}
export type Batches = Awaited<ReturnType<typeof createBatches>>;

function batchesOf(database: TestDatabase) {
  /** Runs all batches of a run of its own. @returns how it ended, and its record; another run's must be as it was. */
  async function run({
    batchSize = 2,
    budgetMs = 60_000,
    isAnyListed = false,
    mayBeKept = false,
    cutoff = STARTED,
    deadline = "clock_timestamp() + interval '5 minutes'",
    outcome = "running",
  } = {}) {
    const [, own] = await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, renewed_at, outcome, finished_at)
       SELECT 'regular', 'manual', now(), now(), now(), '2026-01-01', o, CASE WHEN o <> 'running' THEN now() END FROM unnest($1::text[]) AS o RETURNING run_id`,
      [["running", outcome]],
    );
    const [ended] = await database.query(
      `CALL mcp_delete_in_batches(${String(own?.["run_id"])}, '${STARTED}', '${STARTED}', '${cutoff}',
         ${deadline}, ${budgetMs}, ${batchSize}, ${isAnyListed}, ${mayBeKept}, NULL, NULL, NULL)`,
    );
    const records = await database.query(
      "SELECT deleted::int, batches, renewed_at > '2026-01-02' AS renewed FROM mcp_cleanup_runs ORDER BY run_id",
    );
    expect(records[0]).toEqual({ deleted: 0, batches: 0, renewed: false });
    return { ...ended, ...records[1] };
  }
  const add = (expiries: Record<string, string>) =>
    database.query(
      "INSERT INTO mcp_sessions (session_id, principal, created_at, expires_at) SELECT key, 'me', '2025-01-01', value::timestamptz FROM jsonb_each_text($1)",
      [JSON.stringify(expiries)],
    );
  const old = (...ids: string[]) => add(Object.fromEntries(ids.map((id) => [id, "2026-01-05"])));
  const left = async () =>
    (await database.query("SELECT session_id AS id FROM ONLY mcp_sessions ORDER BY 1")).map(({ id }) => id);
  const blocked = async () =>
    Object.fromEntries(
      (await database.query("SELECT session_id AS id, reason FROM mcp_cleanup_blocked")).map(
        ({ id, reason }) => [id, reason],
      ),
    );
  const list = (id: string, at = "2026-01-01") =>
    database.query(
      "INSERT INTO mcp_cleanup_blocked (session_id, reason, tried_at) VALUES ($1, '23503', $2)",
      [id, at],
    );
  /** From now on this happens before each deletion of a session, or before each statement that deletes. */
  const before = async (each: "ROW" | "STATEMENT", body: string) => {
    await database.query(
      `CREATE FUNCTION before_${each}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN old; END $$`,
    );
    await database.query(
      `CREATE TRIGGER before_${each} BEFORE DELETE ON mcp_sessions FOR EACH ${each} EXECUTE FUNCTION before_${each}()`,
    );
  };
  const failFor = (id: string, code = "23503") =>
    before("ROW", `IF old.session_id = '${id}' THEN ${raise(code)}; END IF`);

  return { run, add, old, left, blocked, list, before, failFor, steps: () => stepsOf(database) };
}
