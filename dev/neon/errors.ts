// What the proxy answers when it answers with an error: status, keys and their order as in Neon's
// sql_over_http. Errors that PostgreSQL did not raise carry empty strings as `code` and `severity`.
import { DatabaseError } from "pg";

/** The fields of a PostgreSQL ErrorResponse that go over the wire. */
export type PostgresFields = Partial<Omit<DatabaseError, keyof Error | "length">>;

/** An answer of the local Neon that is not a result. */
export class NeonError extends Error {
  override readonly name = "NeonError";
  readonly status: number;
  readonly fields: PostgresFields;

  constructor(status: number, message: string, fields: PostgresFields = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
  }
}

/** The body of an error: all seventeen keys, always, in this order. */
export function errorBody({ message, fields }: NeonError): string {
  return JSON.stringify({
    message,
    code: fields.code ?? "",
    detail: fields.detail ?? null,
    hint: fields.hint ?? null,
    position: fields.position ?? null,
    internalPosition: fields.internalPosition ?? null,
    internalQuery: fields.internalQuery ?? null,
    severity: fields.severity ?? "",
    where: fields.where ?? null,
    table: fields.table ?? null,
    column: fields.column ?? null,
    schema: fields.schema ?? null,
    dataType: fields.dataType ?? null,
    constraint: fields.constraint ?? null,
    file: fields.file ?? null,
    line: fields.line ?? null,
    routine: fields.routine ?? null,
  });
}

/** Whether nothing listened at the other end, or nobody answered in time. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof DatabaseError || !(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return (
    ["ECONNREFUSED", "EADDRNOTAVAIL", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "ETIMEDOUT"].includes(
      code,
    ) ||
    // What node-postgres says when `connectionTimeoutMillis` has passed.
    /timeout expired|connection timeout/.test(error.message)
  );
}

/**
 * A failed connection: the user's mistakes are 400, everything else 500 (Neon proxy, serverless/backend).
 * @param isRightPassword what is known of the password. Neon checks it itself, before PostgreSQL is asked.
 */
export function connectError(error: unknown, user: string, isRightPassword: boolean | undefined): NeonError {
  if (isUnreachable(error)) return computeUnreachable();
  if (!(error instanceof DatabaseError)) return new NeonError(500, lossOf(error));
  const isUnknownRole = error.code === "28000" && error.message.endsWith("does not exist");
  if (isUnknownRole || (error.code === "28P01" && isRightPassword !== true)) {
    return new NeonError(400, `password authentication failed for user '${user}'`);
  }
  return new NeonError(error.code === "3D000" ? 400 : 500, error.message, error);
}

/** A failed statement or COMMIT: 400 whether PostgreSQL refused it or its connection was lost. */
export function statementError(error: unknown): NeonError {
  if (error instanceof NeonError) return error;
  if (error instanceof DatabaseError) return new NeonError(400, error.message, error);
  return new NeonError(400, lossOf(error));
}

/** How the proxy's client tells a connection that PostgreSQL has closed from one that has broken. */
function lossOf(error: unknown): string {
  const message = messageOf(error);
  const isClosed = /^Connection terminated|is not queryable|was closed/.test(message);
  return isClosed ? "connection closed" : `error communicating with the server: ${message}`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What Neon says when there is a compute, and nothing of it answers. */
export function computeUnreachable(): NeonError {
  return new NeonError(500, "Couldn't connect to compute node");
}
