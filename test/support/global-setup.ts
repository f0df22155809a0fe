// Node's side of the tests in workerd: PostgreSQL, the local Neon, and a control server, because a test in workerd
// can start no process and see no file.
import { randomBytes } from "node:crypto";
import { createReadStream, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json, text } from "node:stream/consumers";
import type { TestProject } from "vitest/node";
import { startLocalNeon } from "../../dev/neon/server.ts";
import type { FaultRule } from "../../dev/neon/switchboard.ts";
import { migrate } from "../../drizzle/migrate.ts";
import type { startPooler } from "./pooler.ts";
import { connected, startTestPostgres } from "./postgres.ts";
import { type Page, startWebServer } from "./web-server.ts";

const TEMPLATE = "template_mcp";

export default (project: TestProject) => setUpWith(project);

/** @param startBetween starts what stands between the local Neon and PostgreSQL, for these users. */
export async function setUpWith(
  { provide }: TestProject,
  startBetween?: typeof startPooler,
): Promise<() => Promise<void>> {
  // What is stopped here is PostgreSQL, never the machine: what was written is there after it.
  // Statistics are those that a test makes: after a minute, which a busy machine takes, there would be others.
  const postgres = await startTestPostgres({ fsync: "off", full_page_writes: "off", autovacuum: "off" });
  const admin = {
    host: postgres.host,
    port: postgres.port,
    user: postgres.user,
    password: postgres.password,
  };
  const asAdmin = (statement: string) =>
    connected({ ...admin, database: "postgres" }, (client) => client.query(statement));
  const role = { user: "mcp", password: randomBytes(24).toString("base64url") };
  await asAdmin(`CREATE ROLE mcp LOGIN PASSWORD '${role.password}'`);
  const makeTemplate = async () => {
    await asAdmin(`CREATE DATABASE ${TEMPLATE} OWNER mcp`);
    await migrate({ ...admin, ...role, database: TEMPLATE });
  };
  await makeTemplate();
  const workerRole = "mcp_worker";
  const users = [postgres, role, { user: workerRole, password: role.password }];
  const between = await startBetween?.(postgres, users);
  const neon = await startLocalNeon({
    postgres: between ?? postgres,
    superuser: postgres,
    connectRetries: 0,
  });

  // The role of ops/postgres/worker-role.sql. The script is applied to each database of a test that asks for it.
  await asAdmin(`CREATE ROLE ${workerRole} LOGIN PASSWORD '${role.password}'`);
  const grants = readFileSync("ops/postgres/worker-role.sql", "utf8");

  const web = await startWebServer();

  let databases = 0;
  let lastFile: string | undefined;
  const made: string[] = [];
  /** A routine as a mutant has it. */
  let routine: string | undefined;
  /** How many databases a test file had made before its first mutant: those of all its tests. */
  let ofFile: number | undefined;
  /** How much of the log of PostgreSQL was read. It begins anew when the server starts again. */
  let logRead = 0;
  const asOwner = (database: string, statement: string) =>
    connected({ ...admin, ...role, database }, (client) => client.query(statement));
  /** @param kept how many stay, from the first on. */
  const dropMade = async (kept = 0) => {
    if (kept === 0) ofFile = undefined;
    for (const name of made.splice(kept)) await asAdmin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  };
  const make = async (source: string) => {
    const name = `test_${++databases}`;
    await asAdmin(`CREATE DATABASE ${name} OWNER mcp TEMPLATE ${source}`);
    made.push(name);
    return name;
  };
  const actions: Record<string, (body: never) => unknown> = {
    /** @param file the test file that asks. What others before it have made is dropped: it may be kept in memory. */
    async database({ empty, file }: { empty?: boolean; file: string }) {
      if (file !== lastFile) await dropMade();
      lastFile = file;
      const name = await make(empty ? "template1" : TEMPLATE);
      if (routine !== undefined && !empty) await asOwner(name, routine);
      return `postgresql://mcp:${role.password}@ep-test.localhost/${name}`;
    },
    // For test/mutants: the SQL of drizzle/ has changed, and no test is running.
    async template() {
      await dropMade();
      await asAdmin(`DROP DATABASE IF EXISTS ${TEMPLATE} WITH (FORCE)`);
      await makeTemplate().catch((error: unknown) => {
        throw new Error(`${(error as { code?: string }).code ?? "refused:"} ${String(error)}`);
      });
    },
    /** For test/mutants: puts a text in the place of a routine until there is none; then what has begun with it is ended. */
    async routine({ text: changed, original }: { text: string | null; original: string }) {
      if (ofFile === undefined) {
        await make(TEMPLATE);
        ofFile = made.length;
      }
      routine = changed ?? undefined;
      if (changed === null) {
        await asAdmin(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'mcp%' AND state = 'active'",
        );
        await dropMade(ofFile);
      }
      // The last is of no test: it shows whether PostgreSQL takes the text.
      for (const name of made.slice(0, ofFile).toReversed()) await asOwner(name, changed ?? original);
    },
    /** For test/mutants: what PostgreSQL has written to its log since the last time. */
    async log() {
      const { size } = statSync(postgres.log);
      const start = size < logRead ? 0 : logRead;
      logRead = size;
      return size === start ? "" : text(createReadStream(postgres.log, { start, end: size - 1 }));
    },
    async worker_role({ database, replace }: { database: string; replace?: [string, string] }) {
      const script = replace === undefined ? grants : grants.replace(...replace);
      if (replace !== undefined && script === grants)
        throw new Error(`The script does not have: ${replace[0]}`);
      await asOwner(database, script);
      return `postgresql://${workerRole}:${role.password}@ep-test.localhost/${database}`;
    },
    faults: (rules: FaultRule[]) =>
      rules.length === 0 ? neon.switchboard.clear() : neon.switchboard.set(...rules),
    web_put: (pages: Record<string, Page>) => web.put(pages),
    web_requests: () => web.requests(),
    web_clear: () => web.clear(),
    hits: () => neon.switchboard.hits(),
    requests: () => neon.requests(),
    superuser: ({ database, statement }: { database: string; statement: string }) =>
      connected({ ...admin, database }, async (client) => {
        await client.query(statement);
      }),
    /** Restarts the server as a read replica, or as a primary again. */
    async replica({ isOn }: { isOn: boolean }) {
      await postgres.stop();
      const signal = join(postgres.cluster, "standby.signal");
      if (isOn) writeFileSync(signal, "");
      else rmSync(signal, { force: true });
      await postgres.start();
    },
    stop: () => postgres.stop(),
    start: () => postgres.start(),
  };
  const control = createServer((request, response) => {
    const action = actions[request.url?.slice(1) ?? ""];
    json(request)
      .then((body) => action?.(body as never))
      .then((answer) => response.end(JSON.stringify(answer ?? null)))
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => control.listen(0, "127.0.0.1", resolve));

  provide("control", `http://127.0.0.1:${(control.address() as AddressInfo).port}`);
  provide("neonEndpoint", neon.endpoint);
  provide("databasePassword", role.password);
  provide("webServer", web.url);
  return async () => {
    control.close();
    control.closeAllConnections();
    web.close();
    await neon.close();
    await between?.stop();
    await postgres.remove();
  };
}
