// Fails when src/db/schema.ts has changed and no migration says so.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
// Inside the project, because drizzle-kit takes no absolute path; .dev is not part of it.
const copy = mkdtempSync(join(root, "node_modules", ".drift-"));
try {
  cpSync(join(root, "drizzle"), copy, { recursive: true });
  const before = readdirSync(copy).length;
  const kit = fileURLToPath(import.meta.resolve("drizzle-kit"));
  const bin = join(kit, "..", "bin.cjs");
  const options = ["--dialect", "postgresql", "--schema", "src/db/schema.ts", "--out", relative(root, copy)];
  execFileSync(process.execPath, [bin, "generate", ...options], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (readdirSync(copy).length !== before) {
    console.error("src/db/schema.ts and the migrations differ: run npm run db:generate");
    process.exitCode = 1;
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
