// How the commands of this folder reach the database, and what they say of one that fails.
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { Client, type ClientConfig, DatabaseError } from "pg";

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

/** An open connection. When the server ends it, the statement in progress fails with the reason. */
export async function connect(config: ClientConfig): Promise<Client> {
  const client = new Client({ fallback_application_name: "mcp-sessions db:migrate", ...config });
  // Without a listener, it would end the process.
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Runs `work` on a connection that is closed afterwards. What was not committed is rolled back. */
export async function onConnection<T>(
  config: ClientConfig,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(config);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Whether the connection was lost, so that it is not known what became of the last statement. */
export const isLost = (error: unknown) =>
  !(error instanceof DatabaseError) || /^(08|57P)/.test(error.code ?? "");

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
