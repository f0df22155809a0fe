// Runs something that stays until it is asked to stop, and closes what it opened, last first, however it ends.
import { setTimeout as sleep } from "node:timers/promises";
import { report } from "./failure.ts";

export interface Life {
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP. */
  asked: AbortSignal;
  /** Registers what closes a part; a second Ctrl-C aborts `forced`, which means at once instead of gently. */
  defer: (part: string, close: (forced: AbortSignal) => Promise<void> | void) => void;
}

// A terminal's Ctrl-C reaches this process twice under npm, from the terminal and passed on by npm.
const SAME_CTRL_C_MS = 1_000;
const PARENT_CHECK_MS = 250;
// A stop that was itself interrupted by a Ctrl-C is tried again.
const CLOSE_ATTEMPTS = 3;

/** The exit code: 0 when `live` ended because it was asked to. */
export async function untilAsked(live: (life: Life) => Promise<void>): Promise<0 | 1> {
  const asked = new AbortController();
  const forced = new AbortController();
  let askedAt = Infinity;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!asked.signal.aborted) {
        askedAt = performance.now();
        console.log("\nStopping. Ctrl-C again stops at once.");
        asked.abort();
      } else if (performance.now() - askedAt > SAME_CTRL_C_MS) {
        forced.abort();
      }
    });
  }
  // npm, or the shell between it and this process, may die without passing a signal on.
  if (process.env["npm_lifecycle_event"] !== undefined) onceOrphaned(() => asked.abort());
  // The terminal may be gone, which is a reason to stop but not to fail on a message.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => asked.abort());

  let exitCode: 0 | 1 = 0;
  const open: { part: string; close: (forced: AbortSignal) => Promise<void> | void }[] = [];
  try {
    await live({ asked: asked.signal, defer: (part, close) => void open.unshift({ part, close }) });
  } catch (error) {
    // What a stop interrupted has not failed.
    if (!asked.signal.aborted) {
      report(error);
      exitCode = 1;
    }
  }
  for (const { part, close } of open) {
    if (!(await isClosed(part, () => close(forced.signal)))) exitCode = 1;
  }
  if (exitCode === 0) console.log("Stopped.");
  return exitCode;
}

function onceOrphaned(stop: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) stop();
  }, PARENT_CHECK_MS);
  timer.unref();
}

async function isClosed(part: string, close: () => Promise<void> | void): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await close();
      return true;
    } catch (error) {
      if (attempt === CLOSE_ATTEMPTS) {
        console.error(`${part} did not stop:`, error);
        return false;
      }
      await sleep(200);
    }
  }
}
