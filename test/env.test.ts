import { describe, expect, test } from "vitest";
import * as z from "zod";
import { readConfig, rooms } from "../src/env.ts";
import { manuals } from "../src/settings.ts";
import { problemsIn } from "./support/problems.ts";

const DIGEST = "ab".repeat(32);

const required = {
  DATABASE_URL: "postgresql://mcp:p%40ss@ep-cool-1-pooler.eu-central-1.aws.neon.tech/mcp?sslmode=require",
  API_KEYS: `monitor:health:sha256=${DIGEST}`,
};

const problemsOf = (overrides: object) => problemsIn(() => readConfig({ ...required, ...overrides }));

test("what is not set has its documented default", () => {
  expect(readConfig(required)).toEqual({
    database: { url: required.DATABASE_URL, endpointOverride: "" },
    apiKeys: [{ name: "monitor", scopes: ["health"], secret: { sha256: DIGEST } }],
    cleanup: {
      mode: "standard",
      crons: { regular: "0 * * * *", immediate: "*/10 * * * *" },
      minAgeSeconds: { regular: 0, immediate: 3600 },
      batchSize: 1000,
      timeBudgetMs: 20_000,
      runRetentionDays: 30,
      idleSleep: undefined,
    },
    sessions: {
      ttlSeconds: 86_400,
      initTtlSeconds: 300,
      maxLifetimeSeconds: null,
      touchIntervalSeconds: 60,
      validationIntervalSeconds: 0,
      timeoutMs: 10_000,
      degradedMode: "refuse",
      maxPerPrincipal: 1000,
      initializeRateLimit: undefined,
      clientDataMaxBytes: 16_384,
    },
    eras: "both",
    allowedOrigins: [],
    bodyMaxValues: 25_000,
    health: {
      timeoutMs: 8000,
      maxAgeSeconds: 0,
      expiredRatioMax: 1,
      version: { id: "unknown", tag: "", deployedAt: null },
    },
    page: { isOn: false, signInRateLimit: undefined, differences: [] },
    log: { level: "info", format: "json" },
    server: {},
    unknownVariables: [],
  });
});

test("what is missing is named, all of it at once", () => {
  expect(() => readConfig({})).toThrow(/DATABASE_URL must be set; API_KEYS must be set/);
});

test.each(["true", "TRUE", "True", "1", true, 1])("%o turns aggressive cleanup on", (value) => {
  expect(readConfig({ ...required, MCP_AGGRESSIVE_CLEANUP: value }).cleanup.mode).toBe("aggressive");
});

test.each(["false", "False", "0", false, 0])("%o leaves it off", (value) => {
  expect(readConfig({ ...required, MCP_AGGRESSIVE_CLEANUP: value }).cleanup.mode).toBe("standard");
});

test.each([
  ["MCP_AGGRESSIVE_CLEANUP", ["yes", "on", "", "2", " yes", "null"]],
  ["MCP_IMMEDIATE_CLEANUP_AGE_SECONDS", ["-1", "1.5", "", "1h", "315360001", "1e3", " 5"]],
  ["MCP_CLEANUP_BATCH_SIZE", ["0", "100001", "many"]],
  ["MCP_CLEANUP_TIME_BUDGET_MS", ["99", "600001"]],
  ["MCP_CLEANUP_IDLE_SLEEP", ["yes", ""]],
  ["MCP_CLEANUP_MAX_SLEEP_SECONDS", ["59", "315360001", "1.5"]],
  ["MCP_CLEANUP_RUN_RETENTION_DAYS", ["0", "3651"]],
  ["MCP_DEGRADED_MODE", ["off", "SERVE", ""]],
  ["MCP_MAX_SESSIONS_PER_PRINCIPAL", ["0", "1000001", "none"]],
  ["INITIALIZE_RATE_LIMIT", ["10"]],
  ["MCP_SESSION_TTL_SECONDS", ["0", "60", "-1", "1d", ""]],
  ["MCP_SESSION_INIT_TTL_SECONDS", ["0", "never"]],
  ["MCP_SESSION_MAX_LIFETIME_SECONDS", ["0", "", "none"]],
  ["MCP_SESSION_TOUCH_INTERVAL_SECONDS", ["-1", "1.5"]],
  ["MCP_SESSION_VALIDATION_INTERVAL_SECONDS", ["3601", "-1"]],
  ["MCP_SESSION_TIMEOUT_MS", ["99", "60001"]],
  [
    "ALLOWED_ORIGINS",
    [
      "*",
      "one.example",
      "https://one.example/",
      "https://one.example/path",
      "ftp://a.example",
      "null",
      "moz-extension://",
      "chrome-extension://a/b",
      "extension://b",
      "file://",
      "chrome-extension://*",
    ],
  ],
  ["HEALTH_TIMEOUT_MS", ["0", "99", "60001", "8s"]],
  ["HEALTH_EXPIRED_RATIO_MAX", ["0", "-1", "NaN", "Infinity", "half", ""]],
  ["LOG_LEVEL", ["INFO", "loud", ""]],
  ["LOG_FORMAT", ["pretty", ""]],
  ["MCP_REGULAR_CLEANUP_CRON", ["", "hourly", "0 * * *", "0 0 * * * *", "61 * * * *", "0 0 30 2 *"]],
  ["MCP_IMMEDIATE_CLEANUP_CRON", ["0 * * * *", "every 10 minutes"]],
  [
    "DATABASE_URL",
    [
      "",
      "not a url",
      "mysql://u:p@ep-1.neon.tech/db",
      "postgresql://u@ep-1.neon.tech/db",
      "postgresql://u:p@ep-1.neon.tech",
      "postgresql://u:p@ep-1.neon.tech/",
      "postgresql://u:p@database/db",
    ],
  ],
  [
    "NEON_ENDPOINT_OVERRIDE",
    [
      "https://api.neon.tech/sql",
      "http://evil.example/sql",
      "http://127.0.0.1.evil.example/sql",
      "http://localhost@evil.example/sql",
      "file:///sql",
      "127.0.0.1:80",
    ],
  ],
])("%s refuses any of %o, and never repeats it", (name, values) => {
  for (const value of values) {
    const problems = problemsOf({ [name]: value });
    expect(Object.keys(problems), `${name}=${value}`).toEqual([name]);
    // A value of a letter or two stands in any sentence.
    expect(problems[name]?.includes(value) && value.length > 3).toBe(false);
  }
});

// What zod says by itself is of no help to who sets a variable.
const WORDS_OF_ZOD = /invalid|too (?:small|big)|unrecognized|expected/i;

test("each room has its variables", () => {
  expect(Object.keys(rooms)).toEqual([
    "database",
    "auth",
    "cleanup",
    "sessions",
    "mcp",
    "streams",
    "handles",
    "tasks",
    "health",
    "http",
    "page",
    "log",
  ]);
});

test.each(Object.keys(Object.assign({}, ...Object.values(rooms).map(({ shape }) => shape)) as object))(
  "%s is refused in our words, whatever it is",
  (name) => {
    const values = [
      "",
      " ",
      "-1",
      "0",
      "1.5",
      "9999999999",
      "x",
      "\u0000",
      "a b",
      "x".repeat(5000),
      "true",
      {},
    ];
    const refusals = values.flatMap((value) => problemsOf({ [name]: value })[name] ?? []);
    expect(refusals).not.toEqual([]);
    for (const refusal of refusals) {
      expect(refusal).not.toMatch(WORDS_OF_ZOD);
      expect(refusal).toMatch(/[a-z]{3}/);
    }
  },
);

test.each(["http://127.0.0.1:5488/sql", "http://localhost:5488/sql", "http://[::1]:5488/sql", ""])(
  "an endpoint override on this machine is taken: %s",
  (value) => {
    expect(readConfig({ ...required, NEON_ENDPOINT_OVERRIDE: value }).database.endpointOverride).toBe(value);
  },
);

test.each([
  ["https://a.example,http://localhost:3000\n", ["https://a.example", "http://localhost:3000"]],
  [
    " https://a.example , ,  http://b.example\thttps://c.example:8443 ",
    ["https://a.example", "http://b.example", "https://c.example:8443"],
  ],
  [
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ["chrome-extension://abcdefghijklmnopabcdefghijklmnop"],
  ],
  ["safari-web-extension://0A1B-2c", ["safari-web-extension://0A1B-2c"]],
  ["moz-extension://x.y_z-9", ["moz-extension://x.y_z-9"]],
  [" ,", []],
])("origins are separated by commas and white space: %j", (value, origins) => {
  expect(readConfig({ ...required, ALLOWED_ORIGINS: value }).allowedOrigins).toEqual(origins);
});

test.each([
  "https://a.example one.example",
  "one.example https://a.example",
  "x:https://a.example",
  "9-extension://a",
  "a9-extension://b",
  "Chrome-extension://a",
  "chrome-extension://a!",
  "xhttps://a.example",
])("one origin that is none makes the list wrong: %s", (value) => {
  expect(problemsOf({ ALLOWED_ORIGINS: value })).toEqual({
    ALLOWED_ORIGINS:
      "must be origins such as https://app.example.com or chrome-extension://abcdefghijklmnopabcdefghijklmnop, separated by commas",
  });
});

test.each([
  [{ MCP_SESSION_TTL_SECONDS: "61" }, true],
  [{ MCP_SESSION_TTL_SECONDS: "60" }, false],
  [{ MCP_SESSION_TTL_SECONDS: "91", MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "30" }, true],
  [{ MCP_SESSION_TTL_SECONDS: "90", MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "30" }, false],
])("a lifetime in which a session could expire while it is used is refused: %o", (vars, isGood) => {
  expect(Object.keys(problemsOf(vars))).toEqual(isGood ? [] : ["MCP_SESSION_TTL_SECONDS"]);
});

describe("API_KEYS", () => {
  const KEY = "abcdefghijklmnopqrstuvwx";

  test("entries are separated by commas and white space, scopes by plus signs", () => {
    const { apiKeys } = readConfig({
      ...required,
      API_KEYS: `a:health:${KEY},b.2_c-d:mcp+admin:${KEY}==\n\tb.2_c-d:metrics:sha256=${DIGEST} ,`,
    });
    expect(apiKeys).toEqual([
      { name: "a", scopes: ["health"], secret: { key: KEY } },
      { name: "b.2_c-d", scopes: ["mcp", "admin"], secret: { key: `${KEY}==` } },
      { name: "b.2_c-d", scopes: ["metrics"], secret: { sha256: DIGEST } },
    ]);
  });

  test.each([
    ["", "must have an entry name:scopes:key"],
    [" , ,", "must have an entry name:scopes:key"],
    [KEY, "entry 1: must be name:scopes:key"],
    [`a:${KEY}`, "entry 1: must be name:scopes:key"],
    [`a:health:${KEY}:more`, "entry 1: must be name:scopes:key"],
    [
      `a:health:${KEY.slice(1)}`,
      "entry 1: the key must be 24 to 256 token68 characters, or sha256= and 64 hex digits",
    ],
    [
      `a:health:${KEY}é`,
      "entry 1: the key must be 24 to 256 token68 characters, or sha256= and 64 hex digits",
    ],
    [
      `a:health:sha256=${DIGEST}0`,
      "entry 1: the key must be 24 to 256 token68 characters, or sha256= and 64 hex digits",
    ],
    [
      `a:health+root:${KEY}`,
      "entry 1: the scopes must be of health, metrics, mcp, admin, each once, joined with +",
    ],
    [
      `a:health+health:${KEY}`,
      "entry 1: the scopes must be of health, metrics, mcp, admin, each once, joined with +",
    ],
    [`a::${KEY}`, "entry 1: the scopes must be of health, metrics, mcp, admin, each once, joined with +"],
    [
      `a:health:${KEY},:health:${KEY}`,
      "entry 2: the name must be 1 to 64 letters, digits, dots, dashes or underscores",
    ],
    [
      `x!:health:${KEY},b`,
      "entry 1: the name must be 1 to 64 letters, digits, dots, dashes or underscores, entry 2: must be name:scopes:key",
    ],
  ])("%o is refused by the position of the entry", (value, problem) => {
    expect(problemsOf({ API_KEYS: value })).toEqual({ API_KEYS: problem });
  });
});

test("the manual names each default as it is", () => {
  const words: Record<string, unknown> = { none: [], empty: "", "no limit": null, "not set": undefined };
  for (const [name, schema] of Object.values(rooms).flatMap(({ shape }) => Object.entries(shape))) {
    const stated = manuals.get(schema)?.default?.replaceAll("`", "") ?? undefined;
    const actual: unknown = schema.safeParse(undefined).data;
    const isWord = stated !== undefined && stated in words;
    expect([name, isWord || stated === undefined ? actual : String(actual)]).toEqual([
      name,
      isWord ? words[stated] : stated,
    ]);
  }
});

test("a variable that looks like ours and is not is named with the nearest one", () => {
  const { unknownVariables } = readConfig(
    {
      ...required,
      MCP_AGRESSIVE_CLEANUP: "true",
      HEALTH_TIMEOUT: "1",
      LOG_LEVLE: "info",
      MCP_LIMI: "",
      ADMIN_PAGES: "",
      ADMIN_EMAIL: "",
      OAUTH_ISSUER: "",
      OAUTH_CLIENT_ID_OF_MINE: "",
      ACCESS_LOG: "",
      OTHER: "",
    },
    { MCP_LIMIT: z.string().optional() },
  );
  expect(unknownVariables).toEqual([
    { name: "ADMIN_PAGES", nearest: "ADMIN_PAGE" },
    { name: "HEALTH_TIMEOUT", nearest: "HEALTH_TIMEOUT_MS" },
    { name: "LOG_LEVLE", nearest: "LOG_LEVEL" },
    { name: "MCP_AGRESSIVE_CLEANUP", nearest: "MCP_AGGRESSIVE_CLEANUP" },
    { name: "MCP_LIMI", nearest: "MCP_LIMIT" },
    { name: "OAUTH_ISSUER", nearest: "OAUTH_ISSUERS" },
  ]);
});

test("what the author's server declares is known, checked and typed", () => {
  const variables = { MCP_LIMIT: z.coerce.number({ error: "must be a number" }) };
  const { server, unknownVariables } = readConfig({ ...required, MCP_LIMIT: "7" }, variables);
  expect([server.MCP_LIMIT, unknownVariables]).toEqual([7, []]);
  expect(() => readConfig({ ...required, MCP_LIMIT: "many" }, variables)).toThrow(
    "MCP_LIMIT must be a number",
  );
  // With a variable of ours that is wrong, both are named.
  expect(() => readConfig({ ...required, MCP_LIMIT: "many", LOG_LEVEL: "loud" }, variables)).toThrow(
    /LOG_LEVEL must be one of .*MCP_LIMIT must be a number/,
  );
});
