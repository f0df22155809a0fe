// An empty PostgreSQL for a test file in Node, and connections to it. POSTGRES_BIN, the folder of another server's
// programs, chooses that one instead of the embedded one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, type ClientConfig } from "pg";
import { anyFreePort } from "../../dev/ports.ts";
import { type EmbeddedPostgres, startPostgres } from "../../dev/postgres.ts";
import { folderFor, unprivileged } from "../../dev/unprivileged.ts";
import { CLUSTERS, NODE } from "./run.ts";

export type TestPostgres = EmbeddedPostgres & {
  /** Its data folder. */
  cluster: string;
  /** The path of what it logs. */
  log: string;
  remove: () => Promise<void>;
};

/** Starts a server of its own in a folder of its own; `remove`, or the end of this process, takes both away. */
export async function startTestPostgres(settings: Record<string, string> = {}): Promise<TestPostgres> {
  const dataDir = mkdtempSync(join(process.env[CLUSTERS] ?? tmpdir(), "mcp-sessions-test-"));
  const guard = spawn(NODE, [fileURLToPath(new URL("postgres-guard.ts", import.meta.url)), dataDir], {
    stdio: ["pipe", "ignore", "inherit"],
    // Out of reach of the signals that end the test run.
    detached: true,
  });
  guard.unref();
  const postgres = await startPostgres({
    dataDir,
    port: await anyFreePort(),
    bin: process.env["POSTGRES_BIN"] || undefined,
    // A test may have a hundred requests at once, each with a connection.
    settings: { max_connections: "200", ...settings },
  });
  const remove = async () => {
    // What it waits for does not keep Node running by itself.
    const waiting = setInterval(() => {}, 1000);
    // Nothing is kept, so nothing is written first: on a busy machine that takes minutes.
    await postgres.stop("immediate");
    const removed = once(guard, "exit");
    guard.stdin.end();
    await removed.finally(() => clearInterval(waiting));
  };
  const folder = folderFor(dataDir, unprivileged());
  return { ...postgres, cluster: join(folder, "cluster"), log: join(folder, "server.log"), remove };
}

/** Runs `work` on a connection that is closed afterwards. */
export async function connected<T>(config: ClientConfig, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(config);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
