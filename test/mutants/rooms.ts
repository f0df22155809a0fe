// Which files are mutated, and which tests concern each: the mirror of the room, and what this table adds.
import { globSync, readdirSync } from "node:fs";

export interface Room {
  name: string;
  files: string[];
  /** Test files; the likely killers first. What has killed before is tried first, in any case. */
  testsOf: (file: string) => string[];
}

/** Tests of a room of src beside those in test/ROOM. A folder means all test files in it. */
const ALSO: Record<string, string[]> = {
  admin: [
    "test/manual",
    "test/app.test.ts",
    "test/page",
    "test/rpc",
    "test/parts/entrypoint.test.ts",
    "test/http/document.test.ts",
    "test/http/routes.test.ts",
    "test/recovery/lost-answers.test.ts",
    "test/e2e/openapi.test.ts",
  ],
  auth: ["test/app.test.ts", "test/mcp/gate.test.ts", "test/env.test.ts", "test/http"],
  cleanup: [
    "test/cron.test.ts",
    "test/env.test.ts",
    "test/health/endpoint.test.ts",
    "test/admin/cleanup.test.ts",
    "test/recovery/lost-answers.test.ts",
    "test/recovery/circuit.test.ts",
  ],
  db: [
    "test/recovery",
    "test/env.test.ts",
    "test/health/unhealthy.test.ts",
    "test/drizzle/drift.test.ts",
    "test/drizzle/lists.test.ts",
    "test/drizzle/rights.test.ts",
  ],
  health: [
    "test/http/document.test.ts",
    "test/recovery",
    "test/cleanup/blocked.test.ts",
    "test/env.test.ts",
    "test/e2e/openapi.test.ts",
  ],
  http: [
    "test/app.test.ts",
    "test/fuzz.test.ts",
    "test/mcp",
    "test/admin",
    "test/env.test.ts",
    "test/e2e/openapi.test.ts",
  ],
  mcp: [
    "test/app.test.ts",
    "test/session/middleware.test.ts",
    "test/streams",
    "test/tasks",
    "test/hostile.test.ts",
    "test/fuzz.test.ts",
    "test/http/document.test.ts",
  ],
  metrics: [
    "test/http/document.test.ts",
    "test/cleanup/clean.test.ts",
    "test/health/kept.test.ts",
    "test/cleanup/idle-sleep.test.ts",
    "test/streams/sweep.test.ts",
    "test/fuzz.test.ts",
    "test/e2e/openapi.test.ts",
  ],
  page: ["test/env.test.ts", "test/recovery/lost-answers.test.ts", "test/manual/connect.test.ts"],
  parts: [
    "test/app.test.ts",
    "test/cron.test.ts",
    "test/mcp/gate.test.ts",
    "test/recovery/degraded.test.ts",
    "test/tasks/cron.test.ts",
  ],
  public: ["test/parts"],
  rpc: ["test/parts"],
  server: [
    "test/mcp/state.test.ts",
    "test/session/cached-store.test.ts",
    "test/session/foreign-rows.test.ts",
    "test/recovery/degraded.test.ts",
    "test/auth/people.test.ts",
  ],
  streams: ["test/mcp", "test/env.test.ts"],
  handles: ["test/recovery/handles.test.ts", "test/examples/basket.test.ts", "test/env.test.ts"],
  tasks: [
    "test/env.test.ts",
    "test/recovery/tasks.test.ts",
    "test/e2e/tasks.test.ts",
    "test/e2e/task-runners.test.ts",
  ],
  session: ["test/mcp", "test/env.test.ts", "test/recovery/degraded.test.ts", "test/admin/sessions.test.ts"],
};

const AT_THE_DOORS = [
  "test/cleanup/idle-sleep.test.ts",
  "test/parts",
  "test/page/home-page.test.ts",
  "test/page/runs.test.ts",
  "test/streams/replay.test.ts",
  "test/reference",
  "test/mcp/gate.test.ts",
  "test/mcp/eras.test.ts",
  "test/http",
  "test/auth",
  "test/page/sign-in.test.ts",
  "test/page/overview.test.ts",
  "test/streams/asking.test.ts",
  "test/tasks/cron.test.ts",
  "test/health/endpoint.test.ts",
  "test/recovery",
];

const OF_WHAT_IS_KEPT = [
  "test/health/kept.test.ts",
  "test/health/kept-instants.test.ts",
  "test/cleanup/sweeps.test.ts",
];

/** The routines, by their names, and the tests that reach them. The first that fits counts. */
const ROUTINES: [room: string, names: RegExp, tests: string[]][] = [
  [
    "sql tasks",
    /^mcp_.*tasks?$/,
    ["test/tasks", ...OF_WHAT_IS_KEPT, "test/recovery/tasks.test.ts", "test/e2e/tasks.test.ts"],
  ],
  [
    "sql sessions",
    /^mcp_(open|resume|.*total)/,
    [
      "test/drizzle/hours.test.ts",
      "test/drizzle/fold.test.ts",
      "test/drizzle/fold-concurrently.test.ts",
      "test/session",
      "test/mcp",
      "test/metrics",
      "test/admin",
    ],
  ],
  [
    "sql handles",
    /^mcp_.*_handle(s)?$/,
    ["test/handles", ...OF_WHAT_IS_KEPT, "test/recovery/handles.test.ts"],
  ],
  [
    "sql streams",
    /^mcp_(answer|append|cancel|make|replay|sweep)/,
    ["test/streams", "test/cleanup/sweeps.test.ts", "test/e2e/streams.test.ts"],
  ],
  [
    "sql trial",
    /^mcp_.*(try|trial)/,
    ["test/health/trial.test.ts", "test/recovery", "test/health", "test/drizzle/trial.test.ts"],
  ],
  [
    "sql counts",
    /^mcp_(count|merge|recount)/,
    [
      "test/drizzle/hours.test.ts",
      "test/health/counts.test.ts",
      "test/metrics",
      "test/health",
      "test/cleanup",
      "test/db/worker-role.test.ts",
      "test/drizzle/foreign.test.ts",
      "test/drizzle/rights.test.ts",
    ],
  ],
  [
    "sql cleanup",
    /./,
    ["test/cleanup", "test/metrics", "test/cron.test.ts", "test/health", "test/admin/cleanup.test.ts"],
  ],
];

/** Tables, columns and constraints. */
const MIGRATIONS = [
  "test/drizzle/definitions.test.ts",
  "test/drizzle/lists.test.ts",
  "test/drizzle/migrate.test.ts",
  "test/drizzle/former.test.ts",
  "test/drizzle/foreign.test.ts",
  "test/drizzle/rights.test.ts",
  "test/drizzle/repair.test.ts",
  "test/drizzle/adoption.test.ts",
  "test/cleanup",
  "test/health",
];

const ts = (pattern: string) =>
  globSync(pattern, { exclude: (name) => name.endsWith(".d.ts") })
    .map((file) => file.replaceAll("\\", "/"))
    .toSorted();

/** The test files of a list of files and folders; what is not there is left out. */
const expanded = (tests: string[]) => [
  ...new Set(tests.flatMap((test) => (test.endsWith(".test.ts") ? ts(test) : ts(`${test}/*.test.ts`)))),
];

export function rooms(): Room[] {
  const inSrc = readdirSync("src", { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({
      name,
      files: ts(`src/${name}/**/*.ts`),
      testsOf: (file: string) => expanded([namesake(file), `test/${name}`, ...(ALSO[name] ?? [])]),
    }));
  const doors = {
    name: "doors",
    files: ts("src/*.ts"),
    testsOf: (file: string) => expanded([namesake(file), "test", ...AT_THE_DOORS]),
  };
  const inNode = ["drizzle", "dev"].map((name) => ({
    name,
    files: ts(`${name}/**/*.ts`).filter((file) => !file.startsWith("dev/reference/")),
    testsOf: (file: string) => expanded([namesake(file), `test/${name}`]),
  }));
  const routines = ts("drizzle/routines/*.sql");
  const inSql = ROUTINES.map(([name, , tests]) => ({
    name,
    files: routines.filter((file) => roomOf(file) === name),
    testsOf: () => expanded(tests),
  }));
  const tables = { name: "sql tables", files: ts("drizzle/*.sql"), testsOf: () => expanded(MIGRATIONS) };
  return [...inSrc, doors, ...inNode, ...inSql, tables].filter(({ files }) => files.length > 0);
}

const roomOf = (file: string) =>
  ROUTINES.find(([, names]) => names.test(file.replace("drizzle/routines/", "").replace(".sql", "")))?.[0];

/** The test of the same name: test/session/json.test.ts of src/session/json.ts. */
const namesake = (file: string) => file.replace(/^(?:src\/)?/, "test/").replace(/\.ts$/, ".test.ts");

/** The project of test/vitest.config.ts that a test file belongs to. */
export const projectOf = (test: string) =>
  /^test\/(dev|e2e|drizzle|conformance|reference|manual|mutants)\/|^test\/house/.test(test)
    ? "node"
    : "worker";
