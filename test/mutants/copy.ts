// A copy of the working tree that mutants may be written to. node_modules is a link, everything else is a file of its own.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

// A test run has a folder for temporary files of its own, and changes TMPDIR when it begins: test/support/run.ts.
const PREFIX = join(tmpdir(), "mcp-sessions-mutants-");

/** Copies what Git has or would add: no .dev.vars, nothing that is ignored. */
export function makeCopy(): string {
  const copy = mkdtempSync(PREFIX);
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  })
    .split("\0")
    .filter((file) => file !== "" && existsSync(file));
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(file, join(copy, file), { verbatimSymlinks: true });
  }
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
  return copy;
}

/** @throws Error for a folder that is no copy. */
export function removeCopy(copy: string): void {
  if (!copy.startsWith(PREFIX)) throw new Error(`${copy} is no copy`);
  rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
}
