// Reads the connection string of --database as libpq does. Nothing here repeats the string, which may have a password in it.
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Failure, reasonOf } from "./failure.ts";

/** TLS as node-postgres takes it; false for none. */
export type Tls = false | ConnectionOptions;

export interface Target {
  host: string;
  port: number;
  user: string;
  /** Undefined when there is none, neither in the string nor in PGPASSWORD. */
  password: string | undefined;
  database: string;
  /** Settings of the session, such as `-c search_path=app`. */
  options: string | undefined;
  sslmode: SslMode;
  /** What to try, in this order. */
  tls: Tls[];
}

export type SslMode = (typeof SSL_MODES)[number];

// libpq's, and no-verify, which is node-postgres's name for what libpq means by require.
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify"] as const;

const FORM = "postgresql://role:password@host:port/database";

/**
 * @param environment for PGPASSWORD
 * @throws Failure that says in one line what is wrong
 */
export function readTarget(text: string, environment: Readonly<Record<string, string | undefined>>): Target {
  if (/^(socket:|postgres(ql)?:\/\/([^@/?]*@)?(\/|\?|%2f|$)|\/)/i.test(text)) {
    throw new Failure(
      `--database names no host. A unix socket cannot be used; PostgreSQL must listen on TCP: ${FORM}`,
    );
  }
  const url = URL.parse(text);
  if (url === null || !["postgres:", "postgresql:"].includes(url.protocol)) {
    throw new Failure(`--database must be a connection string, such as ${FORM}`);
  }
  const { searchParams: parameters } = url;
  const part = (name: string, own: string) => parameters.get(name) ?? decode(own);
  const host = part("host", url.hostname.replace(/^\[(.*)\]$/, "$1"));
  if (host.startsWith("/")) {
    throw new Failure("A unix socket cannot be used for --database: PostgreSQL must listen on TCP.");
  }
  if (host.includes(",")) throw new Failure("--database must name one host, not several.");
  if (/(^|\.)neon\.(tech|build)$/i.test(host)) {
    throw new Failure(
      "--database is a Neon database, which needs no local Neon: write it into .dev.vars as DATABASE_URL, and leave --database out.",
    );
  }
  const user = part("user", url.username);
  if (user === "") throw new Failure(`--database names no role: ${FORM}`);
  const database = part("dbname", url.pathname.slice(1));
  if (database === "") throw new Failure(`--database names no database: ${FORM}`);
  const port = Number(part("port", url.port) || 5432);
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new Failure("The port in --database must be a number from 1 to 65535.");
  }
  const sslmode = SSL_MODES.find((mode) => mode === (parameters.get("sslmode") ?? "prefer"));
  if (sslmode === undefined)
    throw new Failure(`sslmode in --database must be one of ${SSL_MODES.join(", ")}.`);
  return {
    host,
    port,
    user,
    password: part("password", url.password) || environment["PGPASSWORD"] || undefined,
    database,
    options: parameters.get("options") ?? undefined,
    sslmode,
    tls: tlsOf(sslmode, parameters),
  };
}

function tlsOf(sslmode: SslMode, parameters: URLSearchParams): Tls[] {
  const read = (name: string) => fileOf(name, parameters.get(name));
  const ca = parameters.get("sslrootcert") === "system" ? undefined : read("sslrootcert");
  const [cert, key] = [read("sslcert"), read("sslkey")];
  const own = { ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
  const trusted = { ...own, ...(ca !== undefined && { ca }) };
  const anyName = { ...trusted, checkServerIdentity: () => undefined };
  const anybody = { ...own, rejectUnauthorized: false };
  const ways: Record<SslMode, Tls[]> = {
    disable: [false],
    allow: [false, anybody],
    prefer: [anybody, false],
    // With a root certificate it is verify-ca (libpq, "SSL Mode Descriptions").
    require: [ca === undefined ? anybody : anyName],
    "no-verify": [anybody],
    "verify-ca": [anyName],
    "verify-full": [trusted],
  };
  return ways[sslmode];
}

function fileOf(name: string, path: string | null): string | undefined {
  if (path === null || path === "") return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(`${name} in --database cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Failure("--database has a % that is none of a percent-encoded character: write it as %25.");
  }
}
