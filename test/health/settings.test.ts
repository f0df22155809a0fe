// The variables of health: what each takes, and what holds without it.
import { expect, test } from "vitest";
import { healthSettings } from "../../src/health/settings.ts";
import { readSettings } from "../../src/settings.ts";
import { problemsIn } from "../support/problems.ts";

const read = (variables: object = {}) => readSettings(healthSettings, variables);
const problemsOf = (variables: object) => problemsIn(() => read(variables));

test("without variables there is a time limit of eight seconds, and nothing is shared", () => {
  expect(read()).toEqual({
    timeoutMs: 8000,
    maxAgeSeconds: 0,
    expiredRatioMax: 1,
    version: { id: "unknown", tag: "", deployedAt: null },
  });
});

test("each variable is read", () => {
  expect(
    read({
      HEALTH_TIMEOUT_MS: "100",
      HEALTH_MAX_AGE_SECONDS: "3600",
      HEALTH_EXPIRED_RATIO_MAX: "2.5",
      CF_VERSION_METADATA: { id: "an id", tag: "a tag", timestamp: "2026-11-26T12:00:00Z" },
    }),
  ).toEqual({
    timeoutMs: 100,
    maxAgeSeconds: 3600,
    expiredRatioMax: 2.5,
    version: { id: "an id", tag: "a tag", deployedAt: "2026-11-26T12:00:00Z" },
  });
});

test.each([
  ["12", 12],
  ["1.25", 1.25],
  ["0.000000001", 1e-9],
  ["123456789.5", 123_456_789.5],
  ["0.123456789", 0.123_456_789],
  [3, 3],
])("a ratio of %j is taken", (value, ratio) => {
  expect(read({ HEALTH_EXPIRED_RATIO_MAX: value }).expiredRatioMax).toBe(ratio);
});

test.each(["0", "0.0", "-1", "+1", " 1", "1 ", "1.", ".5", "1e3", "1234567890", "0.1234567890", "1,5", ""])(
  "a ratio of %j is none",
  (value) => {
    expect(problemsOf({ HEALTH_EXPIRED_RATIO_MAX: value })).toEqual({
      HEALTH_EXPIRED_RATIO_MAX: "must be a number above 0",
    });
  },
);

test.each([
  ["99", "60001", "HEALTH_TIMEOUT_MS", "must be a whole number from 100 to 60000"],
  ["-1", "3601", "HEALTH_MAX_AGE_SECONDS", "must be a whole number from 0 to 3600"],
])("%s and %s are no %s", (below, above, name, problem) => {
  for (const value of [below, above]) expect(problemsOf({ [name]: value })).toEqual({ [name]: problem });
});

test.each([
  "a text",
  { id: "an id", tag: "a tag" },
  { id: 1, tag: "a tag", timestamp: "a time" },
  { id: "an id", tag: null, timestamp: "a time" },
])("%j is no version metadata", (value) => {
  expect(problemsOf({ CF_VERSION_METADATA: value })).toEqual({
    CF_VERSION_METADATA: "must be version metadata",
  });
});
