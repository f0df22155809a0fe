// What is in the package, as the tools of its users see it: other bundlers, TypeScript, and a program that only imports it.
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pack, type Packed, run, succeed } from "./packed.ts";

const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
const nameOf = (subpath: string) => `mcp-sessions${subpath.slice(1)}`;
const programs = resolve("node_modules/.bin");
const node = join(programs, "node");

let packed: Packed;
let folder: string;
beforeAll(async () => {
  packed = await pack();
  folder = join(packed.folder, "package");
  // What its users have installed, and the package beside that.
  symlinkSync(resolve("node_modules"), join(packed.folder, "node_modules"), "dir");
});
afterAll(() => packed?.remove());

test("publint finds nothing", async () => {
  expect(await succeed(packed.folder, node, join(programs, "publint"), "--strict", folder)).toContain(
    "All good!",
  );
});

test("are-the-types-wrong finds nothing", async () => {
  const attw = join(programs, "attw");
  // Its exit code says so.
  const found = await succeed(packed.folder, node, attw, "--profile", "esm-only", packed.file);
  expect(found.match(/^bundler: 🟢/gm)).toHaveLength(Object.keys(exports).length);
});

test("it holds modules with types and maps, the SQL, and nothing of this checkout's own", () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  expect(
    files.filter((file) => file.startsWith("drizzle/") && statSync(join(folder, file)).isFile()),
  ).toEqual(
    readdirSync("drizzle", { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".sql"))
      .map((file) => expect.stringMatching(new RegExp(`${file}$`))),
  );
  const others = files.filter((file) => !/^(dist|drizzle)(\/|$)/.test(file));
  expect(others.toSorted()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  // Its code is inside.
  expect(files).toContain("dist/package/hono-openapi.LICENSE");
  const modules = files.filter((file) => file.endsWith(".js"));
  const textOf = (file: string) => readFileSync(join(folder, file), "utf8");
  // A module that only exports what others have needs no map.
  const mapped = modules.filter((file) => existsSync(join(folder, `${file}.map`)));
  expect(mapped.length).toBeGreaterThan(modules.length / 2);
  expect(mapped.filter((file) => !/^\/\/# sourceMappingURL=[\w.-]+\.js\.map$/m.test(textOf(file)))).toEqual(
    [],
  );
  expect(files.filter((file) => /\.(js|ts|map)$/.test(file) && textOf(file).includes(resolve(".")))).toEqual(
    [],
  );
});

test.each(subpaths)("%s does nothing when it is imported", async (subpath) => {
  const script = join(packed.folder, "import.mjs");
  writeFileSync(script, importing(join(folder, exports[subpath].default)));
  expect(JSON.parse(await succeed(packed.folder, node, script))).toEqual({
    touched: [],
    added: [],
    handles: [],
  });
});

test.each(["@cloudflare/workers-types", "node"])(
  "its types hold by themselves, beside those of %s",
  async (types) => {
    const imports = subpaths.map((subpath, i) => `export * as part${i} from "${nameOf(subpath)}";\n`);
    writeFileSync(join(packed.folder, "user.ts"), imports.join(""));
    const paths = subpaths.map((subpath) => [nameOf(subpath), [join(folder, exports[subpath].types)]]);
    const config = {
      compilerOptions: {
        target: "es2024",
        lib: ["es2024"],
        module: "nodenext",
        types: [types],
        paths: Object.fromEntries(paths),
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
      },
      files: ["user.ts"],
    };
    writeFileSync(join(packed.folder, "tsconfig.json"), JSON.stringify(config));
    const { stdout } = await run(packed.folder, node, join(programs, "tsc"), "-p", "tsconfig.json");
    // Packages that it needs have mistakes of their own.
    expect(stdout.split("\n").filter((line) => /^(package|user|error)\b/.test(line))).toEqual([]);
  },
);

/** A program that imports what the host shares, then one subpath, and says what that has touched. */
function importing(module: string): string {
  return `
    const shared = ["hono", "drizzle-orm", "drizzle-orm/pg-core", "drizzle-orm/neon-http", "zod",
      "@modelcontextprotocol/server", "@neondatabase/serverless", "@logtape/logtape", "prom-client/lib/registry.js"];
    for (const name of shared) await import(name);
    const touched = [];
    for (const name of ["fetch", "setTimeout", "setInterval", "setImmediate", "queueMicrotask"]) {
      globalThis[name] = () => touched.push(name);
    }
    const { env } = process;
    process.env = new Proxy(env, { get: (_, name) => void touched.push("env." + String(name)), ownKeys: () => [] });
    Object.defineProperty(globalThis, "process", { value: process });
    const names = () => new Set(Reflect.ownKeys(globalThis).map(String));
    const before = names();
    await import(${JSON.stringify(module)});
    const added = [...names()].filter((name) => !before.has(name));
    const handles = process.getActiveResourcesInfo().filter((name) => /Time|TCP|Immediate/.test(name));
    // Node's loader looks at these itself.
    const own = touched.filter((name) => !/^env\\.(WATCH_REPORT_DEPENDENCIES|NODE_\\w+)$/.test(name));
    process.stdout.write(JSON.stringify({ touched: own, added, handles }));
  `;
}
