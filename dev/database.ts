// What stands behind the Worker's DATABASE_URL. The embedded one is a PostgreSQL with a role and a database as Neon
// makes them, and the local Neon in front of it; a remote one is left as it is.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Client, escapeIdentifier, escapeLiteral } from "pg";
import { migrate } from "../drizzle/migrate.ts";
import { Failure, reasonOf } from "./failure.ts";
import type { Places } from "./instance.ts";
import { startLocalNeon } from "./neon/server.ts";
import { freePort, portProblem } from "./ports.ts";
import { type EmbeddedPostgres, startPostgres } from "./postgres.ts";
import type { Life } from "./shutdown.ts";
import { folderFor, unprivileged } from "./unprivileged.ts";
import type { Vars } from "./vars.ts";

export interface OpenDatabase {
  /** What the Worker needs to reach it. */
  vars: Vars;
  places: Omit<Places, "workerUrl">;
  /** For the banner: what there is, and where. A password is in it only when it was made here. */
  shown: readonly (readonly [name: string, place: string])[];
  /** What the developer should know. */
  notes: string[];
}

// Beside PostgreSQL's own 5432, which a developer's machine often has in use.
const POSTGRES_PORT = 5487;
export const NEON_PORT = 5488;

const DATA_DIR = folderFor(".dev/postgres", unprivileged());
const PASSWORD_FILE = ".dev/mcp-password";
// The role and the database of the Worker. On Neon too it is an ordinary role that owns its database.
const ROLE = "mcp";
// Neon takes the name of the endpoint from the host, so an address will not do; nothing looks this name up.
const WORKER_HOST = "embedded.localhost";

function withoutPassword(databaseUrl: string): string {
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}

export function openRemote(databaseUrl: string): OpenDatabase {
  return {
    vars: { DATABASE_URL: databaseUrl },
    places: { databaseUrl },
    shown: [["Neon", withoutPassword(databaseUrl)]],
    notes: [
      "The database is the one in .dev.vars, and the crons clean it. To migrate it: npm run db:migrate",
    ],
  };
}

/** @throws Failure with the reason of the part that did not start */
export async function openEmbedded(life: Life): Promise<OpenDatabase> {
  console.log(existsSync(DATA_DIR) ? "Starting PostgreSQL." : `Making a PostgreSQL in ${DATA_DIR}.`);
  const postgres = await openPostgres();
  life.defer("PostgreSQL", (forced) => {
    // Interrupts a gentle stop too; the outcome of that one tells.
    forced.addEventListener("abort", () => void postgres.stop("immediate").catch(() => {}));
    return postgres.stop(forced.aborted ? "immediate" : "fast");
  });
  // For an end without closing: an exception that nothing caught.
  process.on("exit", () => postgres.stopSync());
  life.asked.throwIfAborted();

  const password = await ensureDatabase(postgres);
  const urlOn = (host: string) => `postgresql://${ROLE}:${password}@${host}:${postgres.port}/${ROLE}`;
  await migrateAsWorker(urlOn(postgres.host));
  life.asked.throwIfAborted();

  const { host, port } = postgres;
  const neon = await startLocalNeon({
    postgres: { host, port },
    superuser: postgres,
    port: await freePort(NEON_PORT),
  });
  life.defer("The local Neon", () => neon.close());
  return {
    vars: { DATABASE_URL: urlOn(WORKER_HOST), NEON_ENDPOINT_OVERRIDE: neon.endpoint },
    places: { databaseUrl: urlOn(postgres.host), neonEndpoint: neon.endpoint },
    shown: [
      ["Local Neon", neon.endpoint],
      ["PostgreSQL", urlOn(postgres.host)],
    ],
    notes: [
      ...(port === POSTGRES_PORT ? [] : [`Port ${POSTGRES_PORT} is taken, so PostgreSQL is on ${port}.`]),
      ...(neon.port === NEON_PORT
        ? []
        : [`Port ${NEON_PORT} is taken, so the local Neon is on ${neon.port}.`]),
    ],
  };
}

async function openPostgres(): Promise<EmbeddedPostgres> {
  // A server that a killed run left behind holds its port until startPostgres stops it.
  const port = leftoverPort() === POSTGRES_PORT ? POSTGRES_PORT : await freePort(POSTGRES_PORT);
  try {
    try {
      return await startPostgres({ dataDir: DATA_DIR, port });
    } catch (error) {
      if ((await portProblem(port)) === undefined) throw error;
      return await startPostgres({ dataDir: DATA_DIR, port: await freePort(port) });
    }
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The fourth line of postmaster.pid is the port, also when the server is long dead. */
function leftoverPort(): number | undefined {
  const path = `${DATA_DIR}/cluster/postmaster.pid`;
  return existsSync(path) ? Number(readFileSync(path, "utf8").split("\n")[3]) : undefined;
}

/** Makes the Worker's role and database when they are missing; returns the role's password. */
async function ensureDatabase({ host, port, user, password }: EmbeddedPostgres): Promise<string> {
  if (!existsSync(PASSWORD_FILE)) {
    writeFileSync(PASSWORD_FILE, randomBytes(24).toString("base64url"), { mode: 0o600 });
  }
  const rolePassword = readFileSync(PASSWORD_FILE, "utf8").trim();
  const admin = new Client({ host, port, user, password, database: "postgres" });
  await admin.connect();
  try {
    const role = escapeIdentifier(ROLE);
    const { rowCount: roles } = await admin.query("SELECT FROM pg_roles WHERE rolname = $1", [ROLE]);
    await admin.query(
      `${roles ? "ALTER" : "CREATE"} ROLE ${role} LOGIN PASSWORD ${escapeLiteral(rolePassword)}`,
    );
    const { rowCount: databases } = await admin.query("SELECT FROM pg_database WHERE datname = $1", [ROLE]);
    if (!databases) await admin.query(`CREATE DATABASE ${role} OWNER ${role}`);
  } finally {
    await admin.end();
  }
  return rolePassword;
}

async function migrateAsWorker(connectionString: string): Promise<void> {
  try {
    await migrate({ connectionString });
  } catch (error) {
    throw new Failure(`The migrations failed, and nothing was applied: ${reasonOf(error)}`, { cause: error });
  }
}
