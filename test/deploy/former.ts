// The version before: the bytes of its Worker, and its SQL files. They stand here, so that no test needs the history of git or
// packages that are no longer installed. `node test/deploy/keep.ts FOLDER` keeps another one.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import * as z from "zod";
import { API_KEYS } from "./deployed.ts";
import type { Runnable } from "./workerd.ts";

export const FORMER = "test/deploy/former";
/** Its migrations, routines and indexes, for `migrate()`. */
export const FORMER_SQL = join(FORMER, "drizzle");

export const formerWorkers = z.object({
  /** The commit that it was built of. */
  commit: z.string(),
  compatibilityDate: z.string(),
  compatibilityFlags: z.array(z.string()),
  /** Without the values of secrets. */
  bindings: z.array(z.looseObject({ name: z.string(), type: z.string(), text: z.string().optional() })),
});

/** With the tests' own server behind `/mcp`, as that version had it. */
export function formerWorker(databaseUrl: string): Runnable {
  const { bindings, ...worker } = formerWorkers.parse(
    JSON.parse(readFileSync(join(FORMER, "worker.json"), "utf8")),
  );
  const secrets: Record<string, string> = { DATABASE_URL: databaseUrl, API_KEYS };
  return {
    ...worker,
    versionId: "the-version-before",
    script: brotliDecompressSync(readFileSync(join(FORMER, "worker.js.br"))),
    bindings: bindings.map((binding) =>
      binding.type === "secret_text" ? { ...binding, text: secrets[binding.name] ?? "" } : binding,
    ),
  };
}
