// The whole of npm run dev -- --database, as a developer runs it, on the table of another program. It runs in a copy of
// this folder, because there may be one npm run dev for each.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, test } from "vitest";
import { anyFreePort } from "../../dev/ports.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";

const PASSWORD = "s3cr3t-of-the-role";

let postgres: TestPostgres;
let folder: string;
const started: ChildProcess[] = [];
beforeAll(async () => {
  postgres = await startTestPostgres({ fsync: "off" });
  folder = mkdtempSync(join(tmpdir(), "dev-program-"));
  const files = [
    "dev",
    "drizzle",
    "src",
    "package.json",
    "tsconfig.json",
    "wrangler.toml",
    ".dev.vars.example",
  ];
  for (const file of files) cpSync(file, join(folder, file), { recursive: true });
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
});
afterAll(async () => {
  for (const child of started.filter(({ exitCode }) => exitCode === null)) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  await postgres.remove();
  rmSync(folder, { recursive: true });
});

/** What every process of this machine was started with. */
function commandLines(): string {
  if (!existsSync("/proc/self/cmdline"))
    return execFileSync("ps", ["axww", "-o", "args"], { encoding: "utf8" });
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return ""; // It has ended.
      }
    })
    .join("\n");
}

/** Starts it; resolves with all that it has printed when that has `text` in it, or it has ended. */
function start(...args: string[]): { child: ChildProcess; printed: (text: string) => Promise<string> } {
  const child = spawn(process.execPath, ["dev/main.ts", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  let output = "";
  const printed = (text: string) =>
    new Promise<string>((done) => {
      const look = () => {
        if (output.includes(text)) done(output);
      };
      child.stdout.on("data", look);
      child.on("close", () => done(output));
      look();
    });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").prependListener("data", (chunk: string) => (output += chunk));
  }
  return { child, printed };
}

test("adopts the table, serves sessions from it, and shows the password nowhere", async () => {
  const { host, port, user, password } = postgres;
  const admin = { host, port, user, password };
  const ask = (statement: string, database = "copy") =>
    connected({ ...admin, database }, async (client) => (await client.query(statement)).rows);
  await ask(`CREATE ROLE me LOGIN PASSWORD '${PASSWORD}'`, "postgres");
  await ask("CREATE DATABASE copy OWNER me", "postgres");
  await ask(
    `CREATE TABLE mcp_sessions (session_id varchar(255) PRIMARY KEY, created_at timestamptz, last_active timestamptz,
       expires_at timestamptz, capabilities jsonb, client_info jsonb)`,
  );
  await ask("ALTER TABLE mcp_sessions OWNER TO me");
  await ask("INSERT INTO mcp_sessions (session_id) VALUES ('theirs')");

  const url = `postgresql://me:${PASSWORD}@${host}:${port}/copy`;
  const { child, printed } = start("--database", url, "--port", String(await anyFreePort()));
  const output = await printed("Ctrl-C stops everything");
  expect(output).toContain("Would apply 0000_baseline: not applied yet");
  expect(output).toContain(`PostgreSQL  copy on ${host}:${port}`);
  expect(commandLines()).not.toContain(PASSWORD);

  const [, worker] = /Worker {6}(\S+)/.exec(output) ?? [];
  const [, key] = /API key {5}(\S+)/.exec(output) ?? [];
  const response = await fetch(`${worker}/mcp`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${key}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
    }),
  });
  expect(response.status).toBe(200);
  expect(response.headers.get("Mcp-Session-Id")).toMatch(/^\S+$/);
  await response.text();
  expect(await ask("SELECT principal FROM mcp_sessions ORDER BY principal NULLS FIRST")).toEqual([
    { principal: null },
    { principal: "dev" },
  ]);

  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
  expect(await printed("Stopped.")).not.toContain(PASSWORD);
});

test("the embedded database refuses a password as soon as it is replaced, as Neon does", async () => {
  const { child, printed } = start("--port", String(await anyFreePort()));
  const output = await printed("Ctrl-C stops everything");
  const [, dataFolder = ""] = /Making a PostgreSQL in (\S+)\.$/m.exec(output) ?? [];
  const [, endpoint = ""] = /Local Neon +(\S+)/.exec(output) ?? [];
  const [, connectionString = ""] = /PostgreSQL +(postgresql:\S+)/.exec(output) ?? [];
  // The driver takes the name of the endpoint from the host.
  const url = connectionString.replace("@127.0.0.1", "@embedded.localhost");
  neonConfig.fetchEndpoint = endpoint;
  // Leaves a pooled connection, which the old password has opened.
  expect(await neon(url)`SELECT 1 AS one`).toEqual([{ one: 1 }]);
  await connected({ connectionString }, (client) => client.query("ALTER ROLE mcp PASSWORD 'another'"));
  await expect(neon(url)`SELECT 1 AS one`).rejects.toThrow("password authentication failed");
  child.kill("SIGINT");
  await once(child, "exit");
  rmSync(dataFolder, { recursive: true });
});

test("ends with one line when it cannot use the database, and starts nothing", async () => {
  const { child, printed } = start("--database", `postgresql://me:${PASSWORD}@127.0.0.1:1/copy`);
  const [code] = await once(child, "close");
  expect(code).toBe(1);
  expect(await printed("")).toContain(
    "\nPostgreSQL at 127.0.0.1:1 cannot be reached: connect ECONNREFUSED 127.0.0.1:1\n",
  );
  expect(await printed("")).not.toContain(PASSWORD);
});
