// What is wrong with the variables of wrangler.toml and .dev.vars, found before the Worker starts.
// `npm run check` runs this file by itself.
import { dirname } from "node:path";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import { readConfig, rooms } from "../src/env.ts";
import { ConfigurationError } from "../src/settings.ts";
import { findUnknownVariables } from "../src/unknown-variables.ts";
import { report } from "./failure.ts";
import { generateApiKeys, readVars, remoteDatabaseUrl, type Vars } from "./vars.ts";

export interface VariableReport {
  /** One line each: the Worker would not start. */
  problems: string[];
  /** One line each: a variable that looks like ours and is not. */
  warnings: string[];
}

// The Worker gets its bindings from Cloudflare. Here something stands for each, so that their variables can be judged.
const bindings = { CLEANUP_SLEEP: { put() {} }, INITIALIZE_RATE_LIMIT: { limit() {} } };

/** @param vars without those that the dev loop sets itself: the database and the keys have stand-ins. */
export async function checkVariables(vars: Readonly<Record<string, unknown>>): Promise<VariableReport> {
  const secrets = {
    DATABASE_URL: "postgresql://role:password@ep-name-12345678.region.aws.neon.tech/database",
    API_KEYS: generateApiKeys(),
  };
  const known = [
    ...Object.values(rooms).flatMap(({ shape }) => Object.keys(shape)),
    ...(await serverVariables()),
  ];
  const warnings = findUnknownVariables(Object.keys(vars), known).map(({ name, nearest }) =>
    nearest === null
      ? `${name} is not a variable of this Worker.`
      : `${name} is not a variable of this Worker. Did you mean ${nearest}?`,
  );
  try {
    readConfig({ ...bindings, ...secrets, ...vars });
    return { problems: [], warnings };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const problems = Object.entries(error.problems).map(([name, problem]) => `${name} ${problem}.`);
    return { problems, warnings };
  }
}

/** The names that the author's server declares; none where it can be loaded only on Workers. */
async function serverVariables(): Promise<string[]> {
  try {
    const { default: server } = await import("../src/server/index.ts");
    return Object.keys(server.variables ?? {});
  } catch {
    return [];
  }
}

/** `npm run check`: wrong values fail, unknown names warn. */
async function main(): Promise<void> {
  process.chdir(dirname(import.meta.dirname));
  const { vars } = readWranglerConfig({ config: "wrangler.toml" }, { hideWarnings: true });
  const local = readVars(".");
  remoteDatabaseUrl(local);
  const { DATABASE_URL: _database, ...others } = local;
  const merged: Vars = { ...vars, ...others };
  const { problems, warnings } = await checkVariables(merged);
  for (const warning of warnings) console.warn(`Warning: ${warning}`);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    report(error);
    process.exitCode = 1;
  });
}
