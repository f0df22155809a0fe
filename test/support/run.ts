// The test run as a whole. Whatever it starts inherits its mark and its folder for temporary files, and so does whatever
// that starts. When the run ends, also because it was killed, its guard ends what has the mark, and removes its folders.
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, statfsSync } from "node:fs";
import type { Socket } from "node:net";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A Node that runs TypeScript: this one, or that of the package `node`. */
export const NODE = process.features.typescript
  ? process.execPath
  : fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

/** The variable with the mark: the folder of the run. */
export const RUN = "TEST_RUN_FOLDER";

/** The variable with the folder for the clusters of PostgreSQL. Without it they are with the other temporary files. */
export const CLUSTERS = "TEST_CLUSTERS_FOLDER";

// A database is 300 files, which a disk makes in five to ten times as long.
const MEMORY = "/dev/shm";
const ENOUGH_BYTES = 4 * 1024 ** 3;

function hasRoomInMemory(): boolean {
  if (!existsSync(MEMORY)) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return Math.min(bavail * bsize, freemem()) >= ENOUGH_BYTES;
}

/** Marks this process as a test run, unless it is a part of one. */
export function guardRun(): void {
  if (process.env[RUN] !== undefined) return;
  const folder = ofRun(tmpdir());
  const clusters = hasRoomInMemory() ? ofRun(MEMORY) : folder;
  const guard = spawn(NODE, [fileURLToPath(new URL("run-guard.ts", import.meta.url)), folder, clusters], {
    // Its input ends with this process.
    stdio: ["pipe", "ignore", "inherit"],
    // Out of reach of the signals that end the run.
    detached: true,
  });
  guard.unref();
  (guard.stdin as Socket).unref();
  process.env[RUN] = folder;
  process.env["TMPDIR"] = folder;
  process.env[CLUSTERS] = clusters;
}

function ofRun(parent: string): string {
  const folder = mkdtempSync(join(parent, "mcp-sessions-run-"));
  // PostgreSQL may run as another user.
  chmodSync(folder, 0o755);
  return folder;
}
