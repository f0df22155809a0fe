// Seven projects: what runs in workerd, against the embedded PostgreSQL; the runs of cleanup again, behind PgBouncer; what
// runs in Node; the package, which installs from the registry; what needs Prometheus; what needs a browser; and what is
// deployed. PgBouncer, Prometheus and Chromium are not in npm. An eighth, `pure`, is for runs of mutants.
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { guardRun } from "./support/run.ts";

guardRun();

// wrangler.toml requires them; each test makes its own `env` instead.
process.env["DATABASE_URL"] ??= "";
process.env["API_KEYS"] ??= "";

// Ends a test that hangs. A test that only takes long on a busy machine must not fail.
const PATIENCE_MS = 600_000;
const patient = {
  testTimeout: PATIENCE_MS,
  hookTimeout: PATIENCE_MS,
  // Less, so that the failure says what was seen last.
  expect: { poll: { timeout: 300_000 } },
};

const inNode = [
  "test/dev/**/*.test.ts",
  "test/e2e/**/*.test.ts",
  "test/drizzle/**/*.test.ts",
  "test/conformance/**/*.test.ts",
  "test/reference/**/*.test.ts",
  "test/house.test.ts",
  "test/manual/**/*.test.ts",
  "test/mutants/**/*.test.ts",
];

const elsewhere = [...inNode, "test/ops/**", "test/browser/**", "test/deploy/**", "test/package/**"];

// These packages have many modules; as one each they are loaded in half of the time. Packages that import each other must be
// here both or neither, so that there are not two of one.
const asOneModule = [
  "@logtape/logtape",
  "@modelcontextprotocol/server",
  "@neondatabase/serverless",
  "cockatiel",
  "drizzle-orm",
  "drizzle-orm/pg-core",
  "fast-check",
  "jose",
  "lru-cache",
  "prom-client/lib/registry.js",
  "zod",
];

// Set by test/mutants/host.ts.
const isOfMutants = process.env["MUTANTS"] !== undefined;
const switchedBy = isOfMutants ? ["test/mutants/switched/isolate.ts"] : [];

const inWorkerd = (name: string, include: string[], globalSetup: string, exclude: string[] = []) => ({
  plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
  // examples/sign-in imports the package.
  resolve: { tsconfigPaths: true },
  test: {
    name,
    include,
    deps: { optimizer: { ssr: { enabled: true, include: asOneModule } } },
    exclude: [...elsewhere, ...exclude],
    globalSetup: [globalSetup],
    setupFiles: ["test/support/each-file.ts", ...switchedBy],
    // One database server and one switchboard for all files.
    fileParallelism: false,
    // And one isolate: to load every module anew for each of them takes longer than the tests do. But a mutant may be in what
    // a module does when it is loaded.
    isolate: isOfMutants,
    // Vitest wants another group for another number of workers.
    sequence: { groupOrder: 1 },
    ...patient,
  },
});

// The tests in workerd that need nothing of it: one file takes a fraction of the time. Which they are, test/mutants/run.ts finds.
const pure = {
  resolve: { tsconfigPaths: true },
  test: {
    name: "pure",
    include: ["test/**/*.test.ts"],
    exclude: elsewhere,
    setupFiles: ["test/support/each-file.ts"],
    maxWorkers: 1,
    sequence: { groupOrder: 3 },
    ...patient,
  },
};

export default defineConfig({
  test: {
    projects: [
      inWorkerd("worker", ["test/**/*.test.ts"], "test/support/global-setup.ts"),
      inWorkerd("pooler", ["test/cleanup/**/*.test.ts"], "test/support/pooled-setup.ts", [
        "test/cleanup/abandoned.test.ts",
        // What these hold does not depend on how the database is reached.
        "test/cleanup/{cancelled-activity,idle-sleep,run-lines,sleep-records,tiers,wake-time}.test.ts",
      ]),
      {
        test: {
          name: "node",
          include: inNode,
          // A test waits for its database server, or for time to pass. Beside those in workerd, two at once use two cores.
          maxWorkers: isOfMutants ? 1 : 2,
          setupFiles: switchedBy,
          sequence: { groupOrder: 2 },
          ...patient,
        },
      },
      ...(isOfMutants ? [pure] : []),
      ...["ops", "browser", "deploy", "package"].map((name) => ({
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          ...patient,
          // An installation from the registry takes minutes on a busy machine.
          ...(name === "package" && { testTimeout: 2 * PATIENCE_MS, hookTimeout: 2 * PATIENCE_MS }),
          fileParallelism: false,
        },
      })),
    ],
  },
});
