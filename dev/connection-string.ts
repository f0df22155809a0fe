// The connection string of --database, for any PostgreSQL. Nothing here repeats it: there may be a password in it.
import { type SslMode, sslModeOf, type Tls, waysOf } from "../drizzle/tls.ts";
import {
  type ConnectionString,
  ConnectionStringError,
  readConnectionString,
} from "../src/db/connection-string.ts";
import { isNeonHost } from "../src/db/neon-host.ts";
import { Failure, reasonOf } from "./failure.ts";

export interface Target extends Omit<ConnectionString, "url"> {
  sslmode: SslMode;
  /** What to try, in this order. */
  tls: Tls[];
}

/**
 * @param environment for PGPASSWORD and PGSSLMODE
 * @throws Failure that says in one line what is wrong
 */
export function readTarget(text: string, environment: Readonly<Record<string, string | undefined>>): Target {
  const target = read(text);
  if (isNeonHost(target.host)) {
    throw new Failure(
      "--database is a Neon database, which needs no local Neon: write it into .dev.vars as DATABASE_URL, and leave --database out.",
    );
  }
  const { url: _, ...parts } = target;
  return {
    ...parts,
    password: target.password ?? (environment["PGPASSWORD"] || undefined),
    sslmode: sslModeOf(target, environment),
    tls: tlsOf(target, environment),
  };
}

function read(text: string): ConnectionString {
  try {
    return readConnectionString(text);
  } catch (error) {
    if (!(error instanceof ConnectionStringError)) throw error;
    throw new Failure(`--database ${error.message}.`, { cause: error });
  }
}

function tlsOf(target: ConnectionString, environment: Readonly<Record<string, string | undefined>>): Tls[] {
  try {
    return waysOf(target, environment);
  } catch (error) {
    throw new Failure(`--database: ${error instanceof Error ? error.message : reasonOf(error)}.`, {
      cause: error,
    });
  }
}
