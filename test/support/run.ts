// The test run as a whole. Whatever it starts inherits its mark and its folder for temporary files, and so does whatever
// that starts. When the run ends, also because it was killed, its guard ends what has the mark, and removes the folder.
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A Node that runs TypeScript: this one, or that of the package `node`. */
export const NODE = process.features.typescript
  ? process.execPath
  : fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

/** The variable with the mark: the folder of the run. */
export const RUN = "TEST_RUN_FOLDER";

/** Marks this process as a test run, unless it is a part of one. */
export function guardRun(): void {
  if (process.env[RUN] !== undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-run-"));
  // PostgreSQL may run as another user.
  chmodSync(folder, 0o755);
  const guard = spawn(NODE, [fileURLToPath(new URL("run-guard.ts", import.meta.url)), folder], {
    // Its input ends with this process.
    stdio: ["pipe", "ignore", "inherit"],
    // Out of reach of the signals that end the run.
    detached: true,
  });
  guard.unref();
  (guard.stdin as Socket).unref();
  process.env[RUN] = folder;
  process.env["TMPDIR"] = folder;
}
