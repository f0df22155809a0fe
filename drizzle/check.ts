// npm run db:check: tries whether the Worker can work with a database, and looks around for what will stop it. It changes
// nothing. The exit code is 1 when the Worker cannot work, and 2 when nothing was checked.
import { parseArgs } from "node:util";
import { Client, type ClientConfig } from "pg";
import * as z from "zod";
import { DatabaseFault } from "../src/db/fault.ts";
import { readConnectionString } from "../src/db/connection-string.ts";
import { databaseSettings } from "../src/db/settings.ts";
import { overHttp } from "./check/connections.ts";
import { lookAtCounts } from "./check/counts.ts";
import { type Finding, ordered, textOf, works } from "./check/finding.ts";
import { lookAtForeignKeys } from "./check/foreign-keys.ts";
import { lookAtDrift, lookAtLife } from "./check/life.ts";
import { lookAtPolicies, lookAtRules, lookAtTriggers } from "./check/outsiders.ts";
import { comparePlaces, lookForOthers } from "./check/places.ts";
import { lookAtPublications, lookAtSubscriptions } from "./check/publications.ts";
import { lookAtRights } from "./check/rights.ts";
import { lookAtServer } from "./check/server.ts";
import { findSubject } from "./check/subject.ts";
import { lookAtFamily, lookAtIndexes, lookAtKind, lookAtStorage } from "./check/table.ts";
import { configOf, databaseTarget, shortReasonOf, variable } from "./connection.ts";
import { checkout, type Terminal, usageOf } from "./terminal.ts";
import type { RunStatement } from "./trial.ts";

/**
 * What stops the Worker in the database of a connection string, and what may stop it later.
 * @param endpoint NEON_ENDPOINT_OVERRIDE
 * @returns errors first; empty when all is well
 * @throws ConnectionStringError
 */
export async function check(
  connectionString: string,
  endpoint?: string,
  folder = import.meta.dirname,
): Promise<Finding[]> {
  const target = readConnectionString(connectionString);
  const reachable = overHttp(target, endpoint);
  const refusals = reachable === undefined ? [httpWasNotTried] : refusedByWorker(connectionString, endpoint);
  // What the Worker refuses, it does not ask.
  const http = refusals.length === 0 ? reachable : undefined;
  let config: ClientConfig;
  let client: Client;
  try {
    config = await configOf(target);
    client = new Client(config);
    await client.connect();
    // A role or a database may have this on. Definitions are compared by their text.
    await client.query("SET quote_all_identifiers = off");
  } catch (error) {
    return [cannotConnect(error)];
  }
  try {
    const subject = await findSubject(client);
    const findings = [
      ...refusals,
      ...(await noting("the server", () => lookAtServer(client, target))),
      ...(await noting("other tables", () => lookForOthers(client))),
      ...(await noting("the search_path", () => comparePlaces(subject?.schema, http))),
    ];
    if (subject === undefined) return ordered([noTable, ...findings]);
    const looks = {
      "the kind of the table": lookAtKind,
      "tables that inherit": lookAtFamily,
      storage: lookAtStorage,
      indexes: lookAtIndexes,
      "foreign keys": lookAtForeignKeys,
      triggers: lookAtTriggers(folder),
      rules: lookAtRules,
      policies: lookAtPolicies,
      publications: lookAtPublications,
      subscriptions: lookAtSubscriptions,
      rights: lookAtRights,
      counts: lookAtCounts,
    };
    for (const [name, look] of Object.entries(looks)) {
      findings.push(...(await noting(name, () => look(subject))));
    }
    const tcp: RunStatement = async (statement) => (await client.query(statement)).rows;
    return ordered([
      ...(await lookAtLife(tcp, http)),
      ...findings,
      ...(await noting("the schema", () => lookAtDrift(config, folder))),
    ]);
  } finally {
    await client.end();
  }
}

/** A look that fails says so, and the others go on. */
async function noting(name: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [
      {
        level: "note",
        about: "not_looked_at",
        what: `This could not be looked at: ${name}. ${whyOf(error)}.`,
        means: "",
        todo: "",
      },
    ];
  }
}

/** A fault of the Worker's client has its kind instead of a message, which could hold the password. */
const whyOf = (error: unknown) => (error instanceof DatabaseFault ? error.message : shortReasonOf(error));

const cannotConnect = (error: unknown): Finding => ({
  level: "error",
  about: "connection",
  what: `The database cannot be reached: ${shortReasonOf(error)}.`,
  means: "Nothing else was looked at.",
  todo: "Check DATABASE_URL: the host, the role, the password and the database.",
});

const noTable: Finding = {
  level: "error",
  about: "drift",
  what: "There is no mcp_sessions where the Worker looks for it.",
  means: "Every request needs it: health is 503, schema_missing.",
  todo: "npm run db:migrate",
};

const httpWasNotTried: Finding = {
  level: "note",
  about: "http",
  what: "HTTP was not tried, because the host is not one of Neon's and NEON_ENDPOINT_OVERRIDE is not set.",
  means: "The Worker speaks Neon's SQL over HTTP. This check has spoken TCP only.",
  todo: "",
};

/** The Worker checks its variables before it does anything. */
function refusedByWorker(connectionString: string, endpoint: string | undefined): Finding[] {
  const variables = { DATABASE_URL: connectionString, NEON_ENDPOINT_OVERRIDE: endpoint };
  const { data, error } = z.object(databaseSettings.shape).safeParse(variables);
  const broken = data === undefined ? [] : (databaseSettings.rules ?? []).filter(({ holds }) => !holds(data));
  const problems = [
    ...(error?.issues ?? []).map(({ path, message }) => `${String(path[0])} ${message}`),
    ...broken.map(({ variable: name, problem }) => `${name} ${problem}`),
  ];
  return problems.map((problem) => ({
    level: "error",
    about: "configuration",
    what: `The Worker refuses these variables: ${problem}.`,
    means: "Every route answers with 500, configuration_invalid.",
    todo: "Change the variable.",
  }));
}

/**
 * The command.
 * @returns the exit code: 1 when the Worker cannot work, 2 when nothing was checked
 */
export async function runCheck(args: string[], { folder, usage, log, error }: Terminal): Promise<number> {
  let isJson: boolean | undefined;
  try {
    isJson = parseArgs({ args, options: { json: { type: "boolean" } } }).values.json;
  } catch {
    error(usageOf(usage));
    return 2;
  }
  let url: string;
  let endpoint: string | undefined;
  try {
    ({ url } = databaseTarget());
    endpoint = variable("NEON_ENDPOINT_OVERRIDE");
  } catch (problem) {
    error(problem instanceof Error ? problem.message : String(problem));
    return 2;
  }
  const findings = await check(url, endpoint, folder);
  log(isJson === true ? JSON.stringify({ works: works(findings), findings }, null, 2) : textOf(findings));
  return works(findings) ? 0 : 1;
}

if (import.meta.main) {
  const usage = "npm run db:check [-- --json]";
  const code = await runCheck(process.argv.slice(2), checkout(import.meta.dirname, usage));
  // A connection that has failed may still be open.
  if (code > 0) process.exit(code);
}
