// What a bench runs against, on this machine: PostgreSQL, the local Neon, and one Worker, whose log goes to a file.
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import { Failure } from "../../dev/failure.ts";
import { anyFreePort } from "../../dev/ports.ts";
import type { Life } from "../../dev/shutdown.ts";
import type { Vars } from "../../dev/vars.ts";
import type { WorkerOptions } from "../../dev/worker.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";
import type { HostMessage } from "./worker-host.ts";

export interface BenchDatabase {
  postgres: TestPostgres;
  /** Where PostgreSQL keeps its cluster. */
  cluster: string;
  /** Of the Worker's role; its host is only a name, as Neon takes it. */
  databaseUrl: string;
  /** Asks PostgreSQL directly, as its superuser. */
  ask: <Row extends object>(text: string, params?: unknown[]) => Promise<Row[]>;
}

/** A role and a database as Neon makes them, migrated. What is committed survives a killed server, not the machine. */
export async function startDatabase(life: Life): Promise<BenchDatabase> {
  const postgres = await startTestPostgres({ fsync: "off" });
  life.defer("PostgreSQL", () => postgres.remove());
  const { host, port, user, password } = postgres;
  const askIn = <Row extends object>(database: string, text: string, params: unknown[]) =>
    connected(
      { host, port, user, password, database },
      async (client) => (await client.query<Row>(text, params)).rows,
    );
  const role = { user: "mcp", password: newKey() };
  await askIn("postgres", `CREATE ROLE mcp LOGIN PASSWORD '${role.password}'`, []);
  await askIn("postgres", "CREATE DATABASE mcp OWNER mcp", []);
  await migrate({ host, port, ...role, database: "mcp" });
  const [setting] = await askIn<{ data_directory: string }>("postgres", "SHOW data_directory", []);
  return {
    postgres,
    cluster: setting?.data_directory ?? "",
    databaseUrl: `postgresql://mcp:${role.password}@ep-bench.localhost/mcp`,
    ask: (text, params = []) => askIn("mcp", text, params),
  };
}

export interface BenchWorker {
  url: string;
  /** Everything the Worker has logged. */
  logFile: string;
  inspectorPort: number;
}

/** One Worker in one isolate, under `wrangler dev`. @throws Failure with wrangler's output when it does not start */
export async function startWorker(
  life: Life,
  { secrets, vars, script = "test/support/main.ts" }: { secrets: Vars; vars: Vars; script?: string },
): Promise<BenchWorker> {
  const config = readWranglerConfig({ config: "wrangler.toml" }, { hideWarnings: true });
  const stateDir = mkdtempSync(join(tmpdir(), "mcp-sessions-bench-"));
  life.defer("The folder of the Worker", () => rmSync(stateDir, { recursive: true, force: true }));
  const options: WorkerOptions = {
    port: await anyFreePort(),
    inspectorPort: await anyFreePort(),
    secrets,
    vars,
    foreign: [config.vars, vars, secrets].flatMap(Object.keys),
    stateDir,
    script,
  };
  const logFile = join(stateDir, "worker.log");
  const log = openSync(logFile, "w");
  const host = fork(fileURLToPath(new URL("worker-host.ts", import.meta.url)), [], {
    stdio: ["ignore", log, log, "ipc"],
    // Out of reach of a terminal's Ctrl-C: the order of stopping is decided here.
    detached: true,
  });
  closeSync(log);
  const ended = once(host, "exit");
  life.defer("The Worker", async () => {
    if (host.connected) host.disconnect();
    await ended;
  });
  host.send(options);
  const answers = async (): Promise<HostMessage> => (await once(host, "message"))[0];
  const message = await Promise.race([
    answers(),
    ended.then((): HostMessage => ({ failure: "The Worker's process ended before it was ready." })),
    interrupted(life.asked),
  ]);
  if ("failure" in message) throw new Failure(message.failure);
  return { url: message.url, logFile, inspectorPort: options.inspectorPort };
}

/** A new bearer key. */
export function newKey(): string {
  return randomBytes(32).toString("base64url");
}

async function interrupted(asked: AbortSignal): Promise<HostMessage> {
  if (!asked.aborted) await once(asked, "abort");
  return { failure: "Interrupted." };
}
