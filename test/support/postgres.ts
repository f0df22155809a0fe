// An empty PostgreSQL for a test file in Node, and connections to it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientConfig } from "pg";
import { anyFreePort } from "../../dev/ports.ts";
import { type EmbeddedPostgres, startPostgres } from "../../dev/postgres.ts";

export type TestPostgres = EmbeddedPostgres & { remove: () => Promise<void> };

/** Starts a server of its own in a folder of its own; `remove` stops it and takes the folder away. */
export async function startTestPostgres(settings: Record<string, string> = {}): Promise<TestPostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), "mcp-sessions-test-"));
  const postgres = await startPostgres({
    dataDir,
    port: await anyFreePort(),
    // A test may have a hundred requests at once, each with a connection.
    settings: { max_connections: "200", ...settings },
  });
  // A run that is interrupted tears nothing down, but it does exit.
  process.once("exit", postgres.stopSync);
  const remove = async () => {
    await postgres.stop();
    process.off("exit", postgres.stopSync);
    rmSync(dataDir, { recursive: true, force: true });
  };
  return { ...postgres, remove };
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
