// Runs the statements of one request: a single one in its own implicit transaction (a procedure may COMMIT in
// it), a batch in one transaction. Nothing of a request that failed or whose client left remains, unless a fault says so.
import type { Connection, ResponseBudget } from "./connection.ts";
import { NeonError } from "./errors.ts";
import type { Pool } from "./pool.ts";
import type { Credentials, Payload, TransactionModes } from "./request.ts";
import { ISOLATION_LEVELS } from "./request.ts";

export interface Execution {
  credentials: Credentials;
  payload: Payload;
  modes: TransactionModes;
  maxResponseBytes: number;
  /** Aborted when the client is gone. */
  signal: AbortSignal;
  /** It fails after it has run, and is rolled back when this is aborted. */
  lingerUntil?: AbortSignal;
}

/** What came of a request, and whether Neon's proxy would use its connection again. */
type Outcome = ({ body: string } | { error: unknown }) & { isFit: boolean };

/**
 * Runs a request on a connection of the pool.
 * @returns the JSON text of the response.
 * @throws NeonError of the first failure; the signal's reason when the client left before a statement.
 */
export async function execute(pool: Pool, execution: Execution): Promise<string> {
  const { credentials, payload, signal, lingerUntil } = execution;
  const connection = await pool.take(credentials, signal);
  let cancelled: Promise<void> | undefined;
  const cancel = () => {
    cancelled = connection.cancel();
  };
  signal.addEventListener("abort", cancel, { once: true });
  const run = lingerUntil !== undefined ? runInVain : payload.isBatch ? runBatch : runSingle;
  const outcome = await run(connection, execution);
  signal.removeEventListener("abort", cancel);
  await cancelled;
  if (lingerUntil !== undefined) onceAborted(lingerUntil, () => void connection.close());
  else if (outcome.isFit) pool.giveBack(credentials, connection);
  else await connection.close();
  if ("error" in outcome) throw outcome.error;
  return outcome.body;
}

async function runSingle(connection: Connection, execution: Execution): Promise<Outcome> {
  const { signal } = execution;
  try {
    const results = await runEach(connection, execution, "");
    // A CancelRequest may still be on its way to a connection that was cancelled.
    return { body: results.join(), isFit: !signal.aborted };
  } catch (error) {
    // This one has arrived.
    const isCancelled = error instanceof NeonError && error.fields.code === "57014";
    return { error, isFit: signal.aborted && isCancelled };
  }
}

async function runBatch(connection: Connection, execution: Execution): Promise<Outcome> {
  const { modes, signal } = execution;
  const head = '{"results":[';
  let results: string[];
  try {
    await connection.command(startTransaction(modes));
  } catch (error) {
    return { error, isFit: false };
  }
  try {
    results = await runEach(connection, execution, head);
  } catch (error) {
    return { error, isFit: !signal.aborted && (await isRolledBack(connection)) };
  }
  try {
    signal.throwIfAborted();
    await connection.command("COMMIT");
  } catch (error) {
    return { error, isFit: false };
  }
  return { body: `${head}${results.join(",")}]}`, isFit: !signal.aborted };
}

/** Runs the statements, but never commits. A CALL is not run: it would commit by itself. */
async function runInVain(connection: Connection, execution: Execution): Promise<Outcome> {
  try {
    if (!execution.payload.statements.some(({ query }) => /^\s*call\b/i.test(query))) {
      await connection.command("BEGIN");
      await runEach(connection, execution, "");
    }
  } catch (error) {
    return { error, isFit: false };
  }
  const fields = { code: "40001", severity: "ERROR" };
  const message = "could not serialize access due to concurrent update";
  return { error: new NeonError(400, message, fields), isFit: false };
}

/** The results as JSON. `head` is what stands before them in the response: its limit is for the whole JSON. */
async function runEach(
  connection: Connection,
  { payload, signal, maxResponseBytes }: Execution,
  head: string,
): Promise<string[]> {
  const budget: ResponseBudget = { bytes: head.length, maxBytes: maxResponseBytes };
  const results: string[] = [];
  for (const statement of payload.statements) {
    signal.throwIfAborted();
    if (results.length > 0) budget.bytes += ",".length;
    results.push(await connection.run(statement, budget));
  }
  return results;
}

function onceAborted(signal: AbortSignal, work: () => void): void {
  if (signal.aborted) work();
  else signal.addEventListener("abort", work, { once: true });
}

async function isRolledBack(connection: Connection): Promise<boolean> {
  return connection.command("ROLLBACK").then(
    () => true,
    () => false,
  );
}

function startTransaction({ isolationLevel, readOnly, deferrable }: TransactionModes): string {
  const modes = [
    ...(isolationLevel === undefined ? [] : [`ISOLATION LEVEL ${ISOLATION_LEVELS[isolationLevel]}`]),
    ...(readOnly ? ["READ ONLY"] : []),
    ...(deferrable ? ["DEFERRABLE"] : []),
  ];
  return `START TRANSACTION ${modes.join(", ")}`.trimEnd();
}
