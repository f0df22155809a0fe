// The second half of `npm run size`: what an import of each subpath adds to a Worker, as the table of docs/library.md. Minified
// and gzipped, in KiB.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "tsdown";

const root = dirname(import.meta.dirname);
const vendors = join(root, "src/http/schema-vendors.ts");
const { peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
// And what is below them, such as hono/cors.
const shared = Object.keys(peerDependencies).map((name) => new RegExp(`^${name}(/|$)`));

/** The size of a subpath with all that it imports, but for `outside`. */
async function kibibytesOf(subpath: string, outside: RegExp[]): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), "mcp-sessions-size-"));
  try {
    await build({
      config: false,
      cwd: root,
      entry: `src/public/${subpath}.ts`,
      outDir,
      format: "esm",
      platform: "browser",
      dts: false,
      minify: true,
      logLevel: "silent",
      alias: {
        "@standard-community/standard-json": vendors,
        "@standard-community/standard-openapi": vendors,
      },
      deps: {
        alwaysBundle: (name) => !outside.some((pattern) => pattern.test(name)),
        neverBundle: outside,
        onlyBundle: false,
      },
    });
    const modules = readdirSync(outDir).map((file) => readFileSync(join(outDir, file)));
    return (gzipSync(Buffer.concat(modules)).length / 1024).toFixed(1);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

console.log("\n| subpath | alone | with hono, Drizzle, zod and the SDK |\n| --- | ---: | ---: |");
for (const subpath of readdirSync(join(root, "src/public")).map((file) => basename(file, ".ts"))) {
  const name = subpath === "worker" ? "mcp-sessions" : `mcp-sessions/${subpath}`;
  const alone = await kibibytesOf(subpath, shared);
  const whole = await kibibytesOf(subpath, []);
  console.log(`| \`${name}\` | ${alone} | ${whole} |`);
}
