// The variables of the sessions.
import { expect, test } from "vitest";
import { sessionSettings } from "../../src/session/settings.ts";
import { readSettings } from "../../src/settings.ts";
import { problemsIn } from "../support/problems.ts";

const read = (env: object) => readSettings(sessionSettings, env);
const problemsOf = (env: object) => problemsIn(() => read(env));

test("without variables a session lives for a day, is touched once a minute, and is asked for each time", () => {
  expect(read({})).toEqual({
    ttlSeconds: 86_400,
    initTtlSeconds: 300,
    maxLifetimeSeconds: null,
    touchIntervalSeconds: 60,
    validationIntervalSeconds: 0,
    timeoutMs: 10_000,
    degradedMode: "refuse",
    maxPerPrincipal: 1000,
    clientDataMaxBytes: 16_384,
    initializeRateLimit: undefined,
  });
});

test.each([
  ["MCP_SESSION_INIT_TTL_SECONDS", "initTtlSeconds", 1, 315_360_000],
  ["MCP_SESSION_MAX_LIFETIME_SECONDS", "maxLifetimeSeconds", 1, 315_360_000],
  ["MCP_SESSION_VALIDATION_INTERVAL_SECONDS", "validationIntervalSeconds", 0, 3600],
  ["MCP_SESSION_TIMEOUT_MS", "timeoutMs", 100, 60_000],
  ["MCP_MAX_SESSIONS_PER_PRINCIPAL", "maxPerPrincipal", 1, 1_000_000],
  ["MCP_CLIENT_DATA_MAX_BYTES", "clientDataMaxBytes", 1024, 262_144],
] as const)("%s has bounds", (variable, member, least, most) => {
  for (const value of [least, most]) expect(read({ [variable]: String(value) })[member]).toBe(value);
  for (const value of [least - 1, most + 1])
    expect(Object.keys(problemsOf({ [variable]: String(value) }))).toEqual([variable]);
});

test.each([
  [160, false],
  [161, true],
])(
  "a session lives longer than both intervals together: %i seconds for 100 and 60, %s",
  (ttlSeconds, isTaken) => {
    const env = {
      MCP_SESSION_TTL_SECONDS: String(ttlSeconds),
      MCP_SESSION_TOUCH_INTERVAL_SECONDS: "100",
      MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60",
    };
    const problem =
      "must be more than MCP_SESSION_TOUCH_INTERVAL_SECONDS and MCP_SESSION_VALIDATION_INTERVAL_SECONDS together, or a session would expire while it is used";
    expect(problemsOf(env)).toEqual(isTaken ? {} : { MCP_SESSION_TTL_SECONDS: problem });
  },
);

test("a request is served degraded, or refused, and nothing else", () => {
  expect(read({ MCP_DEGRADED_MODE: "serve" }).degradedMode).toBe("serve");
  expect(problemsOf({ MCP_DEGRADED_MODE: "ignore" })).toEqual({
    MCP_DEGRADED_MODE: "must be one of refuse, serve",
  });
});

test("the rate limit is a binding that can be asked", () => {
  const limit = { limit: async () => ({ success: true }) };
  expect(read({ INITIALIZE_RATE_LIMIT: limit }).initializeRateLimit).toBe(limit);
  expect(problemsOf({ INITIALIZE_RATE_LIMIT: {} })).toEqual({
    INITIALIZE_RATE_LIMIT: "must be a rate limit binding",
  });
});
