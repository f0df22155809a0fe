// Runs the script that is its first argument and ends with it. When standard input ends, which is also what
// happens when the process that started this one is killed, the script gets a moment to end by itself. Nothing
// the script started stays behind: they share a process group, and the group is killed.
import { spawn, spawnSync } from "node:child_process";

// wrangler ends within 0.3 s; a workerd that hangs never does.
const GRACE_MS = 5_000;

const child = spawn(process.execPath, ["--no-warnings", ...process.argv.slice(2)], {
  stdio: ["ignore", "inherit", "inherit"],
});
child.on("error", killAll);
child.on("exit", killAll);
process.stdin.on("end", stop).on("error", stop).resume();
// The parent process ends this one by closing its standard input.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

function stop(): void {
  if (process.platform === "win32") return killAll();
  child.kill("SIGTERM");
  setTimeout(killAll, GRACE_MS);
}

function killAll(): void {
  if (process.platform === "win32") {
    spawnSync("taskkill", ["/pid", String(child.pid), "/t", "/f"]);
    process.exit(1);
  }
  process.kill(-process.pid, "SIGKILL");
}
