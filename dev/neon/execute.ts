// Runs the statements of one request: a single one in its own implicit transaction (a procedure may COMMIT in
// it), a batch in one transaction. Nothing of a request that failed or whose client left remains.
import type { Connection, ResponseBudget } from "./connection.ts";
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
}

/**
 * Runs a request on a connection of the pool.
 * @returns the JSON text of the response.
 * @throws NeonError of the first failure; the signal's reason when the client left before a statement.
 */
export async function execute(pool: Pool, execution: Execution): Promise<string> {
  const { credentials, signal } = execution;
  const connection = await pool.take(credentials);
  let cancelled: Promise<void> | undefined;
  const cancel = () => {
    cancelled = connection.cancel();
  };
  signal.addEventListener("abort", cancel, { once: true });
  let isFit = false;
  try {
    const body = await runAll(connection, execution);
    isFit = !signal.aborted;
    return body;
  } finally {
    signal.removeEventListener("abort", cancel);
    await cancelled;
    // A CancelRequest may still be on its way to a connection that was cancelled.
    if (isFit) pool.giveBack(credentials, connection);
    else await connection.close();
  }
}

async function runAll(connection: Connection, execution: Execution): Promise<string> {
  const { payload, modes, signal, maxResponseBytes } = execution;
  const budget: ResponseBudget = { bytes: 0, maxBytes: maxResponseBytes };
  if (payload.isBatch) await connection.command(startTransaction(modes));
  const results: string[] = [];
  for (const statement of payload.statements) {
    signal.throwIfAborted();
    results.push(await connection.run(statement, budget));
  }
  if (!payload.isBatch) return results.join();
  signal.throwIfAborted();
  await connection.command("COMMIT");
  return `{"results":[${results.join(",")}]}`;
}

function startTransaction({ isolationLevel, readOnly, deferrable }: TransactionModes): string {
  const modes = [
    ...(isolationLevel === undefined ? [] : [`ISOLATION LEVEL ${ISOLATION_LEVELS[isolationLevel]}`]),
    ...(readOnly ? ["READ ONLY"] : []),
    ...(deferrable ? ["DEFERRABLE"] : []),
  ];
  return `START TRANSACTION ${modes.join(", ")}`.trimEnd();
}
