// One connection string, four doors: what one takes the others take, what one refuses the others refuse in the same words.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { readTarget } from "../../dev/connection-string.ts";
import { remoteDatabaseUrl } from "../../dev/vars.ts";
import { configsOf, databaseTarget } from "../../drizzle/connection.ts";
import { readConfig } from "../../src/env.ts";
import { elsewhere, HOST, refused, SECRETS, taken } from "../support/connection-strings.ts";

const API_KEYS = "a:mcp:0123456789abcdefghijklmn";

const doors = {
  worker: (text: string) => readConfig({ DATABASE_URL: text, API_KEYS }).database.url,
  commands(text: string) {
    // An empty one would be looked for in .dev.vars.
    vi.stubEnv("DATABASE_URL", text || " ");
    return databaseTarget().url;
  },
  // An empty one means the embedded database.
  devVars: (text: string) => remoteDatabaseUrl({ DATABASE_URL: text || " " }),
  argument: (text: string) => readTarget(text, {}).database,
};
afterEach(() => vi.unstubAllEnvs());

/** What a door says of a string, without the name that it gives it; "" when it takes it. */
function wordsOf(door: keyof typeof doors, text: string): string {
  try {
    doors[door](text);
    return "";
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    return message
      .replace(/^The configuration is wrong: /, "")
      .replace(/^(?:DATABASE_URL(?: in \.dev\.vars)?|--database) /, "")
      .replace(/\.(?: Leave it empty for the embedded PostgreSQL\.)?$/, "");
  }
}

test.each(refused)("%j is refused by all in the same words", (text, words) => {
  const said = wordsOf("worker", text);
  expect(said).toContain(words);
  expect(SECRETS.filter((secret) => said.includes(secret))).toEqual([]);
  expect(said).not.toContain("\n");
  expect(wordsOf("commands", text)).toBe(said);
  expect(wordsOf("devVars", text)).toBe(said);
  expect(wordsOf("argument", text)).toBe(said);
});

const A_NEON_DATABASE =
  "is a Neon database, which needs no local Neon: write it into .dev.vars as DATABASE_URL, and leave --database out";

test.each(taken)("%j is taken by all, as the same database", (text, url) => {
  expect(doors.worker(text)).toBe(url);
  expect(doors.commands(text)).toBe(url);
  expect(doors.devVars(text)).toBe(url);
  expect(["", A_NEON_DATABASE]).toContain(wordsOf("argument", text));
});

test.each(elsewhere)("the host %s is refused where Neon must be", (host, words) => {
  const text = `postgresql://role:${SECRETS[0]}@${host}/db`;
  const said = wordsOf("worker", text);
  expect(said).toContain(words);
  expect(wordsOf("devVars", text)).toBe(said);
  // Over TCP there are other databases than Neon's.
  const isNeons = /\.neon\.tech(:\d+)?$/.test(host);
  expect(wordsOf("commands", text)).toBe(isNeons ? said : "");
});

test.each(["", ":"])("a Neon database without a password is refused: %j", (colon) => {
  const text = `postgresql://role${colon}@${HOST}/db`;
  for (const door of ["worker", "commands", "devVars"] as const) {
    expect(wordsOf(door, text)).toBe("names no password: postgresql://role:password@host/database");
  }
  vi.stubEnv("PGPASSWORD", "x");
  expect(wordsOf("commands", text)).toBe("");
});

test("in local development the host may be one of this machine", () => {
  const NEON_ENDPOINT_OVERRIDE = "http://127.0.0.1:1/sql";
  for (const host of ["localhost", "ep-x-1.localhost:5487", "db.localtest.me:5433"]) {
    const text = `postgresql://role:pw@${host}/db`;
    expect(readConfig({ DATABASE_URL: text, API_KEYS, NEON_ENDPOINT_OVERRIDE }).database.url).toBe(text);
    expect(remoteDatabaseUrl({ DATABASE_URL: text, NEON_ENDPOINT_OVERRIDE })).toBe(text);
  }
  for (const host of ["127.0.0.1", "[::1]", "database"]) {
    const text = `postgresql://role:pw@${host}/db`;
    expect(() => readConfig({ DATABASE_URL: text, API_KEYS, NEON_ENDPOINT_OVERRIDE })).toThrow(
      "must name a host",
    );
  }
});

describe("over TCP", () => {
  const configOf = (text: string) => {
    vi.stubEnv("DATABASE_URL", text);
    return configsOf(databaseTarget());
  };

  test("a string means the same as over HTTP, past the pooler and with a checked certificate", () => {
    const text = `psql 'postgresql://ro%20le:p%40ss@ep-x-1-pooler.c-2.us-east-2.aws.neon.tech/my%2Fdb?sslmode=require&channel_binding=require&connect_timeout=15'`;
    expect(configOf(text)).toEqual([
      {
        host: "ep-x-1.c-2.us-east-2.aws.neon.tech",
        port: 5432,
        user: "ro le",
        password: "p@ss",
        database: "my/db",
        ssl: {},
        enableChannelBinding: true,
        connectionTimeoutMillis: 15_000,
      },
    ]);
  });

  test("a name that ends like a pooler of Neon is no other server elsewhere", () => {
    expect(configOf("postgresql://role:pw@db-pooler.example.com/db")).toMatchObject([
      { host: "db-pooler.example.com" },
      { host: "db-pooler.example.com" },
    ]);
    expect(
      configOf("postgresql://role:pw@ep-x-1-pooler.us-east-1.postgres.vercel-storage.com/db")[0],
    ).toMatchObject({
      host: "ep-x-1.us-east-1.postgres.vercel-storage.com",
    });
  });

  test.each([
    ["9999999", 2 ** 31 - 1],
    ["1", 2000],
  ])("a connect_timeout of %s s is one that a timer can have", (seconds, expected) => {
    expect(configOf(`postgresql://role:pw@${HOST}/db?connect_timeout=${seconds}`)).toMatchObject([
      { connectionTimeoutMillis: expected },
    ]);
  });

  test.each([
    "",
    "?sslmode=disable",
    "?sslmode=allow",
    "?sslmode=prefer",
    "?sslmode=require",
    "?sslmode=verify-ca",
  ])("Neon is asked with TLS and a checked certificate: %j", (query) => {
    expect(configOf(`postgresql://role:pw@${HOST}/db${query}`)).toMatchObject([{ ssl: {} }]);
  });
});

test.each(["drizzle/migrate.ts", "drizzle/check.ts"])(
  "%s says what is wrong and nothing else",
  async (command) => {
    for (const text of [
      "postgresql://role:a/b@ep-x-1.eu.aws.neon.tech/db",
      "postgresql://role:a#b@ep-x-1.eu.aws.neon.tech/db",
      "postgresql://role:pw@ep-x-1.eu.aws.neon.tech/db?schema=app",
    ]) {
      const env = { ...process.env, DATABASE_URL: text };
      const run = promisify(execFile)(join("node_modules", ".bin", "node"), [command], { env });
      await expect(run).rejects.toMatchObject({
        stdout: "",
        stderr: `DATABASE_URL ${wordsOf("worker", text)}.\n`,
      });
    }
  },
);
