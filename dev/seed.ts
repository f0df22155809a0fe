// `npm run dev:seed -- --sessions N`: sessions of mixed ages, so that there is something to see.
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { Client } from "pg";
import { configOf } from "../drizzle/connection.ts";
import { readConnectionString } from "../src/db/connection-string.ts";
import { Failure, reasonOf, report } from "./failure.ts";
import { findInstance } from "./instance.ts";
import { insertSessions } from "./sessions.ts";
import { readVars, remoteDatabaseUrl } from "./vars.ts";

const DEFAULT_SESSIONS = 1_000;
// About 6 GB with its indexes; beyond that it is a benchmark.
const MAX_SESSIONS = 10_000_000;

if (import.meta.main) {
  process.chdir(dirname(import.meta.dirname));
  try {
    await seed(readCount(process.argv.slice(2)));
  } catch (error) {
    report(error);
    process.exitCode = 1;
  }
}

/** @throws Failure with the usage */
export function readCount(args: string[]): number {
  const usage = `Usage: npm run dev:seed -- [--sessions N]   (N: from 1 to ${MAX_SESSIONS}, ${DEFAULT_SESSIONS} when left out)`;
  try {
    const { sessions } = parseArgs({ args, options: { sessions: { type: "string" } } }).values;
    if (sessions === undefined) return DEFAULT_SESSIONS;
    const count = /^\d{1,8}$/.test(sessions) ? Number(sessions) : 0;
    if (count >= 1 && count <= MAX_SESSIONS) return count;
  } catch {
    // An unknown argument, which the usage answers.
  }
  throw new Failure(usage);
}

async function seed(count: number): Promise<void> {
  const target = readConnectionString(await findDatabase());
  const client = new Client(await configOf(target));
  try {
    await client.connect();
    console.log(`Inserting ${count} sessions into ${target.database} on ${target.host}:${target.port}.`);
    const { live, justExpired, longExpired } = await insertSessions(client, count, (inserted) => {
      if (inserted < count) console.log(`${inserted} so far`);
    });
    console.log(
      `${live} live, ${justExpired} expired within the last hour, ${longExpired} expired 1 to 48 hours ago.`,
    );
  } catch (error) {
    throw new Failure(`The sessions could not be inserted: ${reasonOf(error)}`, { cause: error });
  } finally {
    await client.end().catch(() => {}); // It may never have connected.
  }
}

async function findDatabase(): Promise<string> {
  const running = await findInstance();
  if (running?.databaseUrl) return running.databaseUrl;
  if (running !== undefined) throw new Failure("npm run dev is still starting. Try again when it is ready.");
  const remote = remoteDatabaseUrl(readVars("."));
  if (remote !== undefined) return remote;
  throw new Failure(
    "The embedded PostgreSQL runs only while npm run dev does. Start that first, in another terminal.",
  );
}
