// Three projects: what runs in workerd, against the embedded PostgreSQL; what runs in Node; and what also needs
// Prometheus, which npm does not have.
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// wrangler.toml requires them; each test makes its own `env` instead.
process.env["DATABASE_URL"] ??= "";
process.env["API_KEYS"] ??= "";

// Ends a test that hangs. A test that only takes long on a busy machine must not fail.
const PATIENCE_MS = 180_000;

const inNode = [
  "test/dev/**/*.test.ts",
  "test/e2e/**/*.test.ts",
  "test/drizzle/**/*.test.ts",
  "test/conformance/**/*.test.ts",
  "test/reference/**/*.test.ts",
  "test/house.test.ts",
  "test/manual/**/*.test.ts",
];

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: {
          name: "worker",
          include: ["test/**/*.test.ts"],
          exclude: [...inNode, "test/ops/**"],
          globalSetup: ["test/support/global-setup.ts"],
          setupFiles: ["test/support/captured-logs.ts"],
          // One database server and one switchboard for all files.
          fileParallelism: false,
          testTimeout: PATIENCE_MS,
          hookTimeout: PATIENCE_MS,
        },
      },
      { test: { name: "node", include: inNode, testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS } },
      {
        test: {
          name: "ops",
          include: ["test/ops/**/*.test.ts"],
          testTimeout: PATIENCE_MS,
          hookTimeout: PATIENCE_MS,
          fileParallelism: false,
        },
      },
    ],
  },
});
