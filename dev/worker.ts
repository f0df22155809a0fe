// The Worker under `wrangler dev`, as a child that cannot outlive this process.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { devNull } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Failure } from "./failure.ts";
import { holdOutput } from "./output.ts";
import type { Vars } from "./vars.ts";

export interface WorkerOptions {
  port: number;
  inspectorPort: number;
  /** Passed through the environment: a command line can be read by every user of the machine. */
  secrets: Vars;
  vars: Vars;
  /** Names that the Worker must not get from the developer's shell. */
  foreign: readonly string[];
  /** What runs instead of `main` in wrangler.toml. */
  script?: string;
  /** What is read instead of wrangler.toml. */
  config?: string;
  /** For a Worker beside others in one folder: where wrangler keeps its state, which it locks. */
  stateDir?: string;
  /** Where Workers with bindings to each other find each other; a folder of their own keeps others out. */
  registryDir?: string;
}

export interface DevWorker {
  url: string;
  /** Resolves when wrangler has ended, however that came about. */
  ended: Promise<unknown>;
  /**
   * Resolves when the Worker answers; its output is shown from then on.
   * @throws Failure with wrangler's output when it does not come to that
   */
  untilReady: (asked: AbortSignal) => Promise<void>;
  /** Stops wrangler and workerd, at once when `forced` says so. */
  close: (forced: AbortSignal) => Promise<void>;
}

// A cold start takes 3 s on an idle machine and many times that on a loaded one.
const READY_TIMEOUT_MS = 90_000;
// wrangler holds requests until the Worker runs, so an answer other than 200 is the Worker's own; one may come from
// a port that somebody else is just giving up.
const WRONG_ANSWERS = 2;
const POLL_MS = 150;
// The leash gives wrangler 5 s before it kills it.
const CLOSE_TIMEOUT_MS = 8_000;

export function launchWorker(options: WorkerOptions): DevWorker {
  const { port, inspectorPort, secrets, vars, foreign, stateDir, script, config = "wrangler.toml" } = options;
  const registryDir = options.registryDir ?? (stateDir && join(stateDir, "registry"));
  const own = Object.entries(process.env).filter(([name]) => !foreign.includes(name));
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL("leash.ts", import.meta.url)),
      fileURLToPath(import.meta.resolve("wrangler")),
      "dev",
      ...(script === undefined ? [] : [script]),
      `--config=${config}`,
      "--ip=127.0.0.1",
      `--port=${port}`,
      `--inspector-port=${inspectorPort}`,
      // No file: by itself wrangler reads .dev.vars, with the empty DATABASE_URL in it.
      `--env-file=${devNull}`,
      ...(stateDir === undefined ? [] : [`--persist-to=${stateDir}`]),
      ...Object.entries(vars).map(([name, value]) => `--var=${name}:${value}`),
    ],
    {
      stdio: ["pipe", "pipe", "pipe"],
      // Its own process group, which the terminal's Ctrl-C does not reach: the order of stopping is decided here.
      detached: process.platform !== "win32",
      windowsHide: true,
      env: {
        ...Object.fromEntries(own),
        ...secrets,
        CLOUDFLARE_INCLUDE_PROCESS_ENV: "true",
        // Otherwise Request.cf is fetched from the internet.
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_SEND_ERROR_REPORTS: "false",
        WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
        WRANGLER_HIDE_BANNER: "true",
        ...(registryDir !== undefined && { WRANGLER_REGISTRY_PATH: registryDir }),
      },
    },
  );
  child.stdin.on("error", () => {}); // wrangler is gone, which `ended` tells.
  const ended = once(child, "close");
  const output = holdOutput(child);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    ended,
    async untilReady(asked) {
      const problem = await Promise.race([
        answerProblem(`${url}/healthz`, asked),
        ended.then(() => "wrangler ended before the Worker was ready."),
      ]);
      if (problem !== undefined) throw new Failure([...output.held(), problem].join("\n"));
      output.release();
    },
    async close(forced) {
      child.stdin.end();
      const patience = AbortSignal.any([forced, AbortSignal.timeout(CLOSE_TIMEOUT_MS)]);
      patience.addEventListener("abort", () => killGroup(child));
      if (patience.aborted) killGroup(child);
      await ended;
    },
  };
}

/** Why `url` did not come to answer 200; undefined when it did. */
async function answerProblem(url: string, asked: AbortSignal): Promise<string | undefined> {
  const late = AbortSignal.timeout(READY_TIMEOUT_MS);
  let wrongAnswers = 0;
  while (!late.aborted) {
    asked.throwIfAborted();
    try {
      const response = await fetch(url, { signal: AbortSignal.any([asked, late]) });
      if (response.ok) return undefined;
      wrongAnswers += 1;
      const body = (await response.text()).slice(0, 500);
      if (wrongAnswers === WRONG_ANSWERS)
        return `The Worker is not well. ${url} says ${response.status}: ${body}`;
    } catch {
      // Nothing listens yet.
    }
    await sleep(POLL_MS);
  }
  return `The Worker is not ready: ${url} has not answered in ${READY_TIMEOUT_MS / 1_000} s.`;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (process.platform === "win32") spawnSync("taskkill", ["/pid", String(child.pid), "/t", "/f"]);
  else process.kill(-child.pid, "SIGKILL");
}
