// `npm run test:schemathesis`: sends requests made from /openapi.json, right and wrong ones, to the Worker under `wrangler dev`
// and the embedded PostgreSQL: without a key, and with a key of each scope. Every check of schemathesis holds the answers
// against the document. Exits with 1 when one finds something. Needs Python 3 and PyPI.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startLocalNeon } from "../../dev/neon/server.ts";
import { Failure } from "../../dev/failure.ts";
import { type Life, untilAsked } from "../../dev/shutdown.ts";
import { scopes } from "../../src/auth/api-keys.ts";
import { newKey, startDatabase, startWorker } from "../bench/system.ts";
import { run } from "./run.ts";

const REQUIREMENTS = "test/schemathesis/requirements.txt";
const CONFIGURATION = "test/schemathesis/schemathesis.toml";

// What a shell says of a command that Ctrl-C has ended: a run that did not end has shown nothing.
const INTERRUPTED = 130;

process.chdir(join(import.meta.dirname, "../.."));
let wasAsked = false;
const exitCode = await untilAsked(async (life) => {
  life.asked.addEventListener("abort", () => (wasAsked = true));
  const program = await install(life.asked);
  const keys = Object.fromEntries(scopes.map((scope) => [scope, newKey()]));
  const url = await startServer(life, keys);
  const environment = { MCP_SESSION_ID: await openSession(url, keys["mcp"] ?? "") };
  const failed: string[] = [];
  for (const [name, key] of [["no key", undefined], ...Object.entries(keys)] as const) {
    const startedAt = Date.now();
    const { code, output } = await run(program, argumentsFor(url, key), life.asked, environment);
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    console.log(`${code === 0 ? "pass" : "fail"} ${name}: ${summaryOf(output)}, ${seconds} s`);
    if (code === 0) continue;
    console.error(output);
    failed.push(name);
  }
  if (failed.length > 0) throw new Failure(`schemathesis has found something with: ${failed.join(", ")}`);
});
process.exit(wasAsked ? INTERRUPTED : exitCode);

/** The program in a virtual environment of the pinned packages, which is made once. */
async function install(asked: AbortSignal): Promise<string> {
  const version = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex").slice(0, 12);
  const folder = join(".dev", `schemathesis-${version}`);
  const program = join(folder, "bin", "schemathesis");
  if (existsSync(program)) return program;
  const steps: [string, string[]][] = [
    ["python3", ["-m", "venv", "--clear", folder]],
    [join(folder, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]],
  ];
  for (const [command, args] of steps) {
    const { code, output } = await run(command, args, asked);
    if (code !== 0) throw new Failure(`${output}\n${command} ${args.join(" ")} has failed`);
  }
  return program;
}

/** The Worker that every run asks. */
async function startServer(life: Life, keys: Record<string, string>): Promise<string> {
  const { postgres, databaseUrl } = await startDatabase(life);
  const neon = await startLocalNeon({ postgres, connectRetries: 0 });
  life.defer("The local Neon", () => neon.close());
  const entries = Object.entries(keys).map(([scope, key]) => `${scope}:${scope}:${key}`);
  const { url } = await startWorker(life, {
    secrets: { DATABASE_URL: databaseUrl, API_KEYS: entries.join() },
    vars: {
      NEON_ENDPOINT_OVERRIDE: neon.endpoint,
      LOG_LEVEL: "error",
      MCP_HANDLES: "true",
      MCP_TASKS: "true",
    },
  });
  return url;
}

async function openSession(url: string, key: string): Promise<string> {
  const clientInfo = { name: "schemathesis", version: "1" };
  const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo };
  const response = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
  });
  const id = response.headers.get("Mcp-Session-Id");
  if (id === null) throw new Failure(`initialize was answered with ${response.status}`);
  return id;
}

function argumentsFor(url: string, key: string | undefined): string[] {
  return [
    `--config-file=${CONFIGURATION}`,
    "run",
    "--no-color",
    "--checks=all",
    ...(key === undefined ? [] : ["--header", `Authorization: Bearer ${key}`]),
    `${url}/openapi.json`,
  ];
}

/** The line of the output that says how much was tried. */
function summaryOf(output: string): string {
  return /\d+ generated.*|\d+ test cases.*/i.exec(output)?.[0].trim() ?? "no summary";
}
