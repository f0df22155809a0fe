// `node test/deploy/keep.ts FOLDER`: deploys the checkout in FOLDER to the stand-in, and keeps what was uploaded, and its SQL
// files, as the version before. FOLDER needs its node_modules. To be run when a version is released:
//   git worktree add ../released COMMIT && (cd ../released && npm ci) && node test/deploy/keep.ts ../released
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { deployOnce, runnable } from "./deployed.ts";
import { FORMER, FORMER_SQL } from "./former.ts";

const [, , from = "."] = process.argv;
const {
  script,
  bindings,
  versionId: _,
  ...worker
} = runnable(
  await deployOnce("postgresql://role:password@ep-name-12345678.region.aws.neon.tech/database", {
    from,
    hasTestServer: true,
  }),
);
rmSync(FORMER, { recursive: true, force: true });
mkdirSync(FORMER, { recursive: true });
for (const folder of ["routines", "indexes", ""]) {
  cpSync(join(from, "drizzle", folder), join(FORMER_SQL, folder), {
    recursive: true,
    filter: (path) => !path.endsWith(".ts") && !/\b(meta|check)$/.test(path),
  });
}
writeFileSync(join(FORMER, "worker.js.br"), brotliCompressSync(script));
const commit = execFileSync("git", ["-C", from, "rev-parse", "HEAD"], { encoding: "utf8" }).trim();
const shown = {
  commit,
  ...worker,
  bindings: bindings.map(({ text, ...binding }) =>
    binding.type === "secret_text" ? binding : { ...binding, text },
  ),
};
writeFileSync(join(FORMER, "worker.json"), `${JSON.stringify(shown, undefined, 2)}\n`);
