// How the commands of this folder reach the database, and what they say of one that fails.
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { DatabaseError } from "pg";

/** DATABASE_URL of the environment, or of .dev.vars. */
export const databaseUrl = () => variable("DATABASE_URL");

/** A variable of the environment, or of .dev.vars. */
export function variable(name: string): string | undefined {
  if (process.env[name]) return process.env[name];
  try {
    return parseEnv(readFileSync(".dev.vars", "utf8"))[name];
  } catch {
    return undefined; // There is no .dev.vars. The caller says what is missing.
  }
}

/** The same database without Neon's pooler, which refuses settings such as search_path (Neon, "Connection pooling"). */
export function directUrl(url: string): string {
  return url.replace(/(@[^./]+)-pooler\./, "$1.");
}

/** Why something failed, in PostgreSQL's words, without the connection string, a statement or the values of a row. */
export function reasonOf(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  if (cause instanceof AggregateError) [cause] = cause.errors;
  if (!(cause instanceof DatabaseError)) return cause instanceof Error ? cause.message : String(cause);
  const { code, detail, hint, where } = cause;
  // The detail of a violated constraint (class 23) shows the row.
  const safeDetail = code?.startsWith("23") === true ? undefined : detail;
  return [`${cause.message}${code ? ` (${code})` : ""}`, safeDetail, hint, where]
    .filter(Boolean)
    .join("\n  ");
}

/** The same in one line, as a part of a sentence. */
export const shortReasonOf = (error: unknown) =>
  reasonOf(error)
    .replaceAll(/\s*\n\s*/g, "; ")
    .replace(/[.;\s]+$/, "");
