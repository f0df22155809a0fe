// The variables of the database. Which strings are taken and refused, and their words: connection-string.test.ts, neon-host.test.ts.
import { expect, test } from "vitest";
import { databaseSettings } from "../../src/db/settings.ts";
import { readSettings } from "../../src/settings.ts";
import { problemsIn } from "../support/problems.ts";

const URL = "postgresql://role:pw@ep-1.eu.neon.tech/db";
const LOCAL = "postgresql://role:pw@localhost:6543/db";
const read = (variables: object) => readSettings(databaseSettings, variables);
const problemsOf = (variables: object) => problemsIn(() => read(variables));

test("without an override the statements go to Neon", () => {
  expect(read({ DATABASE_URL: URL })).toEqual({ url: URL, endpointOverride: "" });
  expect(read({ DATABASE_URL: URL, NEON_ENDPOINT_OVERRIDE: "" })).toEqual({ url: URL, endpointOverride: "" });
});

test("with an override they go there, and the host may be this machine at any port", () => {
  const endpointOverride = "http://127.0.0.1:4444/sql";
  expect(read({ DATABASE_URL: LOCAL, NEON_ENDPOINT_OVERRIDE: endpointOverride })).toEqual({
    url: LOCAL,
    endpointOverride,
  });
});

test.each([
  [{}, "must be set"],
  [{ DATABASE_URL: LOCAL }, "must not lead to this machine"],
  [{ DATABASE_URL: URL.replace("ep-1.eu.neon.tech", "10.0.0.1") }, "must name a host, not an IP address"],
  [{ DATABASE_URL: URL.replace("ep-1.eu.neon.tech", "database") }, "must name a host of Neon"],
  [{ DATABASE_URL: URL.replace("/db", ":6543/db") }, "must have the port 5432 or none"],
  [{ DATABASE_URL: URL.replace(":pw", "") }, "password"],
])("the string of %j is refused: it %s", (variables, words) => {
  const problems = problemsOf(variables);
  expect(Object.keys(problems)).toEqual(["DATABASE_URL"]);
  expect(problems["DATABASE_URL"]).toContain(words);
});

test.each(["http://127.0.0.1", "http://localhost:1/sql", "http://[::1]:1"])("%s is an override", (value) => {
  expect(read({ DATABASE_URL: URL, NEON_ENDPOINT_OVERRIDE: value }).endpointOverride).toBe(value);
});

test.each(["https://127.0.0.1", "http://127.0.0.2", "http://localhost.example.com", "127.0.0.1", "x", " "])(
  "%j is no override",
  (value) => {
    expect(problemsOf({ DATABASE_URL: URL, NEON_ENDPOINT_OVERRIDE: value })).toEqual({
      NEON_ENDPOINT_OVERRIDE: "must be empty, or an http URL whose host is 127.0.0.1, localhost or [::1]",
    });
  },
);
