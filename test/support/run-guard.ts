// Waits for the end of a test run. Then it ends every process that has the run's mark, and removes the folders of the
// run, its arguments: the first is the mark.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { RUN } from "./run.ts";

const [, , folder = "", ...others] = process.argv;
// A PostgreSQL that is ended at once frees its shared memory in less.
const GRACE_MS = 5000;
const PAUSE_MS = 50;

/** What has the mark. Empty where the system does not show the variables of other processes as Linux does. */
function marked(): { pid: number; name: string }[] {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid)
      .flatMap((pid) => {
        const variables = read(`/proc/${pid}/environ`).split("\0");
        const [name = ""] = read(`/proc/${pid}/comm`).split("\n");
        return variables.includes(`${RUN}=${folder}`) ? [{ pid, name }] : [];
      });
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It has ended, or is another user's.
  }
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

// A terminal's Ctrl-C is for the run, whose end this one waits for.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
for await (const _ of process.stdin);
// SIGQUIT is PostgreSQL's immediate shutdown.
for (const { pid, name } of marked()) end(pid, name === "postgres" ? "SIGQUIT" : "SIGKILL");
for (let waited = 0; waited < GRACE_MS && marked().length > 0; waited += PAUSE_MS) await sleep(PAUSE_MS);
for (const { pid } of marked()) end(pid, "SIGKILL");
for (const left of [folder, ...others]) rmSync(left, { recursive: true, force: true, maxRetries: 10 });
