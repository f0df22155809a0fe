// A PostgreSQL that the developer gives with --database, and the local Neon in front of it. It is migrated, as with
// db:migrate, and then used. Nothing here prints its password.
import { Client, type ClientConfig, DatabaseError } from "pg";
import { driftOf, migrate } from "../drizzle/migrate.ts";
import type { Tls } from "../drizzle/tls.ts";
import { readTarget, type Target } from "./connection-string.ts";
import type { OpenDatabase } from "./database.ts";
import { Failure, reasonOf } from "./failure.ts";
import { startLocalNeon } from "./neon/server.ts";
import { freePort } from "./ports.ts";
import type { Life } from "./shutdown.ts";

// A server on another continent answers within a second.
const CONNECT_TIMEOUT_MS = 10_000;
// The driver wants a password, also where PostgreSQL asks for none.
const NO_PASSWORD = "none";
// Neon takes the name of the endpoint from the host. Nothing looks this name up.
const WORKER_HOST = "given.localhost";

/**
 * Says what it does to the database, and does it.
 * @param text the connection string
 * @throws Failure with the reason, and without the password
 */
export async function openGiven(
  life: Life,
  text: string,
  { convert, neonPort }: { convert: boolean; neonPort: number },
): Promise<OpenDatabase> {
  const target = readTarget(text, process.env);
  const { host, port, role, database } = target;
  const { config, tls } = await reach(target);
  const place = `${database} on ${placeOf(target)}`;
  console.log(
    `This uses the database ${place}, as the role ${role}. It is migrated now. Then the crons delete its expired ` +
      "sessions. So let it be a copy of a real one.",
  );
  await migrateGiven(config, place, convert);
  life.asked.throwIfAborted();

  const neon = await startLocalNeon({ postgres: { host, port, tls }, port: await freePort(neonPort) });
  life.defer("The local Neon", () => neon.close());
  return {
    vars: { DATABASE_URL: urlOf(target, WORKER_HOST), NEON_ENDPOINT_OVERRIDE: neon.endpoint },
    places: { databaseUrl: urlForTcp(target, tls), neonEndpoint: neon.endpoint },
    shown: [
      ["Local Neon", neon.endpoint],
      ["PostgreSQL", place],
    ],
    notes: ["The crons delete the expired sessions of this database."],
  };
}

/**
 * Connects once.
 * @returns how to connect, and the TLS that worked
 * @throws Failure with the reason why not
 */
export async function reach(target: Target): Promise<{ config: ClientConfig; tls: Tls }> {
  const { host, port, role, password = NO_PASSWORD, database } = target;
  const failures: unknown[] = [];
  for (const tls of target.tls) {
    const config = {
      host,
      port,
      user: role,
      password,
      database,
      ssl: tls,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    };
    const client = new Client(config);
    client.on("error", () => {}); // connect() tells.
    try {
      await client.connect();
      return { config, tls };
    } catch (error) {
      failures.push(error);
      // What the other way of connecting may change: TLS, and pg_hba.conf, which can ask for it.
      if (isSystemError(error) || (isRefusal(error) && error.code !== "28000")) break;
    } finally {
      await client.end().catch(() => {}); // It may never have connected.
    }
  }
  throw new Failure(reasonFor(failures.at(-1), target), { cause: failures });
}

const isRefusal = (error: unknown) => error instanceof DatabaseError;
const isSystemError = (error: unknown) =>
  error instanceof AggregateError || (error instanceof Error && "syscall" in error);

/** Why a connection has failed, in one line. */
function reasonFor(error: unknown, target: Target): string {
  const place = placeOf(target);
  const reason = reasonOf(error);
  if (isSystemError(error)) return `PostgreSQL at ${place} cannot be reached: ${reason}`;
  if (!isRefusal(error)) {
    return reason.includes("timeout")
      ? `PostgreSQL at ${place} has not answered in ${CONNECT_TIMEOUT_MS / 1000} s.`
      : `No connection to PostgreSQL at ${place} with sslmode=${target.sslmode}: ${reason}`;
  }
  if (error.code === "28P01" && target.password === undefined) {
    return `PostgreSQL at ${place} wants a password. Write it into the URL of --database, or set PGPASSWORD.`;
  }
  return `PostgreSQL at ${place} refuses: ${reason} (${error.code})`;
}

async function migrateGiven(config: ClientConfig, place: string, convert: boolean): Promise<void> {
  try {
    const lines = await driftOf(config, undefined, { convert });
    console.log(lines.length === 0 ? "It is up to date." : lines.map((line) => `  ${line}`).join("\n"));
    await migrate(config, undefined, { convert });
  } catch (error) {
    throw new Failure(`The database ${place} was not migrated, and nothing was changed: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

const placeOf = ({ host, port }: Pick<Target, "host" | "port">) => `${hostInUrl(host)}:${port}`;

const hostInUrl = (host: string) => (host.includes(":") ? `[${host}]` : host);

function urlOf({ role, password = NO_PASSWORD, port, database }: Target, host: string): string {
  const [user, secret, name] = [role, password, database].map(encodeURIComponent);
  return `postgresql://${user}:${secret}@${host}:${port}/${name}`;
}

/** For node-postgres, which reads sslmode in its own way, and takes every sslrootcert for a file. */
function urlForTcp(target: Target, tls: Tls): string {
  const url = urlOf(target, hostInUrl(target.host));
  if (tls === false) return `${url}?sslmode=disable`;
  if (tls.rejectUnauthorized === false) return `${url}?sslmode=no-verify`;
  if (target.parameters.get("sslrootcert") === "system") return `${url}?sslmode=verify-full`;
  const parameters = new URLSearchParams({ uselibpqcompat: "true", sslmode: target.sslmode });
  for (const [name, value] of target.parameters) if (name.startsWith("ssl")) parameters.set(name, value);
  return `${url}?${parameters.toString()}`;
}
