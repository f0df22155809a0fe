// What is shown when something goes wrong: an expected failure is one message, anything else keeps its stack.

/** A failure the developer can act on; its message says how. */
export class Failure extends Error {
  override name = "Failure";
}

/** The innermost reason, which is PostgreSQL's or the system's own words. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (error.cause !== undefined) return reasonOf(error.cause);
  return error.message;
}

export function report(error: unknown): void {
  if (error instanceof Failure) console.error(`\n${error.message}`);
  else console.error("\nThis is a defect of the dev loop:", error);
}
