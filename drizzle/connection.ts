// How the commands of this folder reach the database, and what they say of one that fails.
import { Client, type ClientConfig, DatabaseError } from "pg";
import {
  type ConnectionString,
  ConnectionStringError,
  passwordOf,
  readConnectionString,
} from "../src/db/connection-string.ts";
import { isNeonHost, neonHostProblem } from "../src/db/neon-host.ts";
import { readDevVars } from "./dev-vars.ts";
import { waysOf } from "./tls.ts";

/**
 * DATABASE_URL of the environment, or of .dev.vars.
 * @throws Error that says what is wrong with it, and does not repeat it
 */
export function databaseTarget(): ConnectionString {
  const text = variable("DATABASE_URL");
  if (text === undefined) {
    throw new Error("Set DATABASE_URL, here or in .dev.vars, to the connection string of the Neon database.");
  }
  try {
    const target = readConnectionString(text);
    if (isNeonHost(target.host)) checkForNeon(target);
    return target;
  } catch (error) {
    if (!(error instanceof ConnectionStringError)) throw error;
    throw new Error(`DATABASE_URL ${error.message}.`, { cause: error });
  }
}

function checkForNeon(target: ConnectionString): void {
  const problem = neonHostProblem(target, false);
  if (problem !== undefined) throw new ConnectionStringError(problem);
  // Neon lets nobody in without one. Elsewhere there may be another way, such as ~/.pgpass.
  if (!process.env["PGPASSWORD"]) passwordOf(target);
}

/** A variable of the environment, or of .dev.vars; undefined when it is empty. @throws DevVarsError */
export function variable(name: string): string | undefined {
  return process.env[name] || readDevVars(".dev.vars")?.[name] || undefined;
}

// A suspended compute is awake within seconds.
const CONNECT_TIMEOUT_MS = 30_000;
// A timer of Node that is set for longer goes off at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * How to connect over TCP, past Neon's pooler, which refuses settings such as search_path (Neon, "Connection pooling").
 * @returns what to try, in this order
 * @throws Error when a file with a certificate cannot be read
 */
export function configsOf(target: ConnectionString): ClientConfig[] {
  const { host, port, role, password, database, parameters } = target;
  const name = parameters.get("application_name");
  const seconds = Number(parameters.get("connect_timeout") ?? 0);
  return waysOf(target, process.env).map((ssl) => ({
    // Such a name is always this machine (RFC 6761), but few resolvers know. `npm run dev` has one.
    host: host.endsWith(".localhost") ? "127.0.0.1" : directHost(host),
    port,
    user: role,
    ...(password !== undefined && { password }),
    database,
    ssl,
    // Where the server offers it. Not unasked: node-postgres cannot read every certificate.
    enableChannelBinding: parameters.get("channel_binding")?.toLowerCase() === "require",
    ...(name !== undefined && { application_name: name }),
    // Otherwise a server that says nothing would be waited for, for ever.
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // libpq waits for 2 seconds at least.
    ...(seconds > 0 && { connectionTimeoutMillis: Math.min(Math.max(seconds, 2) * 1000, LONGEST_TIMER_MS) }),
  }));
}

/** The same database without Neon's pooler. Another server may have a name that ends like this, and be no pooler of Neon. */
export const directHost = (host: string) => host.replace(/^(ep-[^.]+)-pooler\./, "$1.");

/** How to connect: the first way that works. When none does, the last, so that its failure tells. */
export async function configOf(target: ConnectionString): Promise<ClientConfig> {
  const configs = configsOf(target);
  for (const config of configs.slice(0, -1)) {
    try {
      await onConnection(config, async () => {});
      return config;
    } catch {
      // The next way may do.
    }
  }
  return configs.at(-1) ?? {};
}

/** There is no connection, and PostgreSQL has not said why. The message says where. */
class NoConnection extends Error {
  override name = "NoConnection";
}

/** An open connection. When the server ends it, the statement in progress fails with the reason. */
export async function connect(config: ClientConfig): Promise<Client> {
  const client = new Client({ fallback_application_name: "mcp-sessions db:migrate", ...config });
  // Without a listener, it would end the process.
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (error) {
    // Without a SQLSTATE it is of node-postgres, which cannot read what has come.
    if (error instanceof DatabaseError && error.code !== undefined) throw error;
    throw new NoConnection(noConnection(config, reasonOf(error)), { cause: error });
  }
  return client;
}

/** @param words of Node or of node-postgres, which name no host */
function noConnection({ host = "", port, connectionTimeoutMillis = 0 }: ClientConfig, words: string) {
  const place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (words.includes("timeout expired"))
    return `PostgreSQL at ${place} has not answered in ${connectionTimeoutMillis / 1000} s`;
  if (/invalid response|error establishing an SSL/.test(words))
    return `what answers at ${place} is not PostgreSQL`;
  if (words.includes("terminated unexpectedly"))
    return `what answers at ${place} ends each connection at once. Is it PostgreSQL, and does it take connections?`;
  const [, reason] = /SSL routines:[^:]*:([^:]+)/.exec(words) ?? [];
  return `no connection to PostgreSQL at ${place}: ${reason === undefined ? words : `TLS fails: ${reason}`}`;
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
  while (cause instanceof Error && cause.cause !== undefined && !(cause instanceof NoConnection)) {
    cause = cause.cause;
  }
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
