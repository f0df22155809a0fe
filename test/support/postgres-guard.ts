// Stops the PostgreSQL of a test file and removes its folder, its argument, when standard input ends: also when the
// test run was killed and could do nothing of it.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const [, , dataDir = ""] = process.argv;
const pidFile = join(dataDir, "cluster", "postmaster.pid");

/** The first line is the server's process; there is no file when it has been stopped. */
function serverPid(): number | undefined {
  try {
    return Number(readFileSync(pidFile, "utf8").split("\n")[0]);
  } catch {
    return undefined;
  }
}

// A terminal's Ctrl-C is for the test run, whose end this one waits for.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
for await (const _ of process.stdin);
const pid = serverPid();
if (pid !== undefined) {
  process.kill(pid, "SIGQUIT"); // an immediate shutdown
  for (let i = 0; i < 100 && serverPid() !== undefined; i++) await sleep(50);
}
rmSync(dataDir, { recursive: true, force: true });
