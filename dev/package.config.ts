// How `npm run build:package` makes the package: one module with types for each file of src/public, and the command. ESM alone.
import { copyFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { defineConfig, type UserConfig } from "tsdown";

const root = dirname(import.meta.dirname);
const vendors = join(root, "src/http/schema-vendors.ts");

const subpaths = readdirSync(join(root, "src/public")).map((file) => basename(file, ".ts"));

const shared = {
  cwd: root,
  outDir: "dist/package",
  format: "esm",
  target: "node20",
  fixedExtension: false,
  sourcemap: true,
  report: false,
} satisfies UserConfig;

export default defineConfig([
  {
    ...shared,
    entry: Object.fromEntries(subpaths.map((name) => [name, `src/public/${name}.ts`])),
    platform: "neutral",
    dts: true,
    // What the alias of wrangler.toml does: hono-openapi would bring every schema library there is. So it travels inside.
    alias: {
      "@standard-community/standard-json": vendors,
      "@standard-community/standard-openapi": vendors,
    },
    deps: { onlyBundle: ["hono-openapi", "@hono/standard-validator"] },
    hooks: {
      "build:done": () =>
        copyFileSync(
          join(root, "node_modules/hono-openapi/LICENSE"),
          join(root, "dist/package/hono-openapi.LICENSE"),
        ),
    },
  },
  {
    ...shared,
    entry: { command: "drizzle/command.ts" },
    platform: "node",
    clean: false,
    dts: false,
    // The command says what runs.
    define: { "import.meta.main": "false" },
  },
]);
