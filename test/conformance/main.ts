// `npm run conformance [-- VERSION]`: every server scenario of the conformance suite against the Worker under `wrangler dev`
// and the embedded PostgreSQL. Prints `pass NAME` or `fail NAME` for each. Exits with 1 when one fails that is not in
// known-failures.ts, or one passes that is.
import { join } from "node:path";
import { startLocalNeon } from "../../dev/neon/server.ts";
import { Failure } from "../../dev/failure.ts";
import { type Life, untilAsked } from "../../dev/shutdown.ts";
import { newKey, startDatabase, startWorker } from "../bench/system.ts";
import {
  isSuiteVersion,
  knownFailures,
  type SuiteVersion,
  suiteVersions,
  surprisesOf,
} from "./known-failures.ts";
import { startKeyProxy } from "./proxy.ts";
import { openSuite } from "./suite.ts";

// What a shell says of a command that Ctrl-C has ended: a run that did not end has shown nothing.
const INTERRUPTED = 130;

process.chdir(join(import.meta.dirname, "../.."));
let wasAsked = false;
const exitCode = await untilAsked(async (life) => {
  life.asked.addEventListener("abort", () => (wasAsked = true));
  const versions = readVersions(process.argv.slice(2));
  const server = await startServer(life);
  const surprises: string[] = [];
  for (const version of versions) {
    const found = await runSuite(version, server, life.asked);
    surprises.push(...found.map((surprise) => `${version}: ${surprise}`));
  }
  if (surprises.length > 0) throw new Failure(surprises.join("\n"));
});
process.exit(wasAsked ? INTERRUPTED : exitCode);

function readVersions(args: string[]): readonly SuiteVersion[] {
  if (args.length === 0) return suiteVersions;
  return args.map((arg) => {
    if (isSuiteVersion(arg)) return arg;
    throw new Failure(`There is no version ${arg} here. npm run conformance -- ${suiteVersions.join(" | ")}`);
  });
}

/** The fixture server's MCP endpoint, which needs no key. */
async function startServer(life: Life): Promise<URL> {
  const { postgres, databaseUrl } = await startDatabase(life);
  const neon = await startLocalNeon({ postgres, connectRetries: 0 });
  life.defer("The local Neon", () => neon.close());
  const key = newKey();
  const { url } = await startWorker(life, {
    script: "test/conformance/server/index.ts",
    secrets: { DATABASE_URL: databaseUrl, API_KEYS: `conformance:mcp:${key}` },
    // wrangler hands on only those secrets that wrangler.toml names; this key is good for one run.
    vars: {
      NEON_ENDPOINT_OVERRIDE: neon.endpoint,
      REQUEST_STATE_KEY: newKey(),
      MCP_STREAMS: "true",
      MCP_TASKS: "true",
    },
  });
  const proxy = await startKeyProxy(new URL("/mcp", url), key);
  life.defer("The proxy", proxy.close);
  return proxy.url;
}

/** Runs all scenarios of a version, one after the other. The answer is what the list of known failures did not expect. */
async function runSuite(version: SuiteVersion, server: URL, asked: AbortSignal): Promise<string[]> {
  const suite = await openSuite(version, asked);
  const known: Record<string, string> = knownFailures[version];
  const passed = new Map<string, boolean>();
  for (const scenario of suite.scenarios) {
    const verdict = await suite.run(scenario, server);
    passed.set(scenario, verdict.passed);
    console.log(`${verdict.passed ? "pass" : "fail"} ${scenario}`);
    if (!verdict.passed && !Object.hasOwn(known, scenario)) console.error(verdict.output);
  }
  const count = [...passed.values()].filter(Boolean).length;
  console.log(`${version}: ${count} of ${passed.size} pass`);
  return surprisesOf(passed, known);
}
