// One version of the conformance suite, as an npm package that is run. Each scenario gets a process of its own: one that
// hangs or crashes fails alone.
import { type ExecFileException, execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Failure } from "../../dev/failure.ts";
import type { SuiteVersion } from "./known-failures.ts";

export interface Verdict {
  /** As the suite counts: no check has failed. Warnings and skipped checks are not failures. */
  passed: boolean;
  /** What the suite has printed, for people. */
  output: string;
}

export interface Suite {
  /** The names of its server scenarios. */
  scenarios: string[];
  /** @throws the signal's reason when it is aborted. */
  run: (scenario: string, server: URL) => Promise<Verdict>;
}

// The longest scenario waits 10 s for a stream.
const PATIENCE_MS = 300_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** @throws Failure when the package cannot be run. */
export async function openSuite(version: SuiteVersion, signal: AbortSignal): Promise<Suite> {
  const script = fileURLToPath(import.meta.resolve(`conformance-${version}/dist/index.js`));
  const start = async (args: string[]) => {
    const outcome = await run([script, ...args], signal);
    signal.throwIfAborted();
    return outcome;
  };
  const list = await start(["list", "--server"]);
  const scenarios = readScenarioNames(list.output);
  if (!list.passed || scenarios.length === 0) {
    throw new Failure(`The conformance suite ${version} does not list its scenarios:\n${list.output}`);
  }
  return {
    scenarios,
    run: (scenario, server) => start(["server", `--url=${server.href}`, `--scenario=${scenario}`]),
  };
}

/** The names in what `conformance list --server` prints: `  - NAME [REVISIONS]`. */
export function readScenarioNames(list: string): string[] {
  return [...list.matchAll(/^ +- (\S+)/gm)].map(([, name]) => name ?? "");
}

function run(args: string[], signal: AbortSignal): Promise<Verdict> {
  return new Promise((resolve) => {
    const options = {
      signal,
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
      maxBuffer: MAX_OUTPUT_BYTES,
    } as const;
    execFile(process.execPath, args, options, (error: ExecFileException | null, stdout, stderr) => {
      const ending = error?.killed
        ? `It was stopped after ${PATIENCE_MS / 1_000} s, or said too much.\n`
        : "";
      resolve({ passed: error === null, output: stdout + stderr + ending });
    });
  });
}
