// Plays the life of a session in a database (mcp_try_session), and says in one sentence what does not work. It changes nothing.
import type { Client } from "pg";
import { type FailedStep, trials, type TrialStep } from "../src/health/trial.ts";
import { causeOf } from "./causes.ts";

/** Runs one statement over any driver, and returns its rows. */
export type RunStatement = (statement: string) => Promise<unknown[]>;

/** The step of a session's life that fails; undefined when none does. @throws what the driver throws */
export async function failedStepOf(run: RunStatement): Promise<FailedStep | undefined> {
  const [row] = await run("SELECT * FROM mcp_try_session()");
  return trials.parse(row);
}

/**
 * Plays a session's life with the rights of the connection, also within its open transaction.
 * @returns what fails, and what to do about it; undefined when everything works.
 * @throws the PostgreSQL error when the trial itself cannot run
 */
export async function tryLife(client: Client): Promise<string | undefined> {
  const failed = await failedStepOf(async (statement) => (await client.query(statement)).rows);
  return failed && `${sentenceOf(failed)}\n  To do: ${causeOf(failed).todo}`;
}

const whatFails = {
  open: "no session can be opened",
  resume: "a session cannot be used after it was opened",
  write_state: "the document of a session cannot be written",
  set_log_level: "the log level of a session cannot be kept",
  end: "a session cannot be ended",
  record_run: "a cleanup run cannot be recorded",
  delete: "an expired session cannot be deleted",
} satisfies Record<TrialStep, string>;

/** Such as: `no session can be opened: column tenant_id of mcp_sessions must be given, … (23502)`. */
export function sentenceOf(failed: FailedStep): string {
  return `${whatFails[failed.step]}: ${causeOf(failed).cause} (${failed.sqlstate ?? failed.symptom})`;
}
