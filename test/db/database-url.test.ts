// A wrong connection string stops the Worker with words that say what to do. No part of it comes out, whoever reads it.
import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { beforeEach, expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { ConnectionStringError, readConnectionString } from "../../src/db/connection-string.ts";
import { DatabaseFault } from "../../src/db/fault.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { elsewhere, HOST, rawPasswords, refused, SECRETS, taken } from "../support/connection-strings.ts";
import { bearer, createDatabase, environment, fire, keys, REGULAR_CRON, send } from "../support/worker.ts";

beforeEach(() => SECRETS.forEach(keepSecret));

const onNeon = (text: string) => environment({ DATABASE_URL: text, NEON_ENDPOINT_OVERRIDE: "" });

test.each([
  ...refused,
  ...elsewhere.map(([host, words]) => [`postgresql://role:${SECRETS[0]}@${host}/db`, words] as const),
])("%j opens no door of the Worker, and the log says why", async (text, words) => {
  const response = await send(onNeon(text), "/session-health", bearer(keys.health));
  expect(response.status).toBe(500);
  await expect(fire(onNeon(text), REGULAR_CRON)).rejects.toThrow("DATABASE_URL");
  expect(logged("The configuration is wrong")).toMatchObject([
    { variables: { DATABASE_URL: expect.stringContaining(words) } },
  ]);
});

test.each(taken)("%j opens the Worker", async (text) => {
  expect((await send(onNeon(text), "/healthz")).status).toBe(200);
});

test("the driver's own words, which repeat the string, come out nowhere", async () => {
  const malformed = [
    ...refused.map(([text]) => text),
    ...rawPasswords.map((password) => `postgresql://${password}`),
  ];
  for (const url of malformed) {
    const database = connect({ url, endpointOverride: inject("neonEndpoint") });
    const failed: unknown = await database
      .run({ name: "a test", budgetMs: 5000, isIdempotent: false, isProbe: true }, (db) =>
        db.execute(sql`SELECT 1`),
      )
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DatabaseFault);
    const { message, stack, cause } = failed as DatabaseFault;
    expect(cause).toBeUndefined();
    for (const secret of SECRETS) expect(`${message} ${stack}`).not.toContain(secret);
  }
});

test("a database is asked with the string as a shell and a copy button leave it", async () => {
  const { url } = await createDatabase();
  for (const text of [
    `psql '${url}?sslmode=require&channel_binding=require'\r\n`,
    `\ufeffexport DATABASE_URL="${url}"`,
  ]) {
    const env = environment({ DATABASE_URL: text, NEON_ENDPOINT_OVERRIDE: inject("neonEndpoint") });
    expect((await send(env, "/session-health", bearer(keys.health))).status).toBe(200);
  }
});

test("a password that the database refuses is a 503, without the string", async () => {
  const { url } = await createDatabase();
  const wrong = url.replace(/:[^:@]*@/, `:${SECRETS[0]}@`);
  const env = environment({ DATABASE_URL: wrong });
  const response = await send(env, "/session-health", bearer(keys.health));
  expect([response.status, await response.json()]).toMatchObject([503, { reason: "permission_denied" }]);
});

test.each([`\ufeffme:mcp:KEY\r\n`, ` me:mcp:KEY, `])("keys from a pipe are read: %j", async (text) => {
  const env = environment({ API_KEYS: text.replace("KEY", keys.alice) });
  expect((await send(env, "/session-health", bearer(keys.alice))).status).toBe(403);
});

test.each([
  `"me:mcp:KEY"`,
  `'me:mcp:KEY'`,
  `“me:mcp:KEY”`,
  `API_KEYS=me:mcp:KEY`,
  `me:mcp:KEY\\n`,
  `me:mcp:KEY\0`,
  `\u200bme:mcp:KEY`,
  `m\0e\0:\0`,
])("keys that a shell has changed are refused by name: %j", async (text) => {
  const env = environment({ API_KEYS: text.replace("KEY", keys.alice) });
  expect((await send(env, "/healthz")).status).toBe(500);
  expect(logged("The configuration is wrong")).toMatchObject([
    { variables: { API_KEYS: expect.stringContaining("entry 1") } },
  ]);
});

const passwords = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });

test("every password comes back as it was, percent-encoded", () => {
  fc.assert(
    fc.property(
      passwords.filter((password) => !password.includes("\0")),
      (password) => {
        const text = `postgresql://role:x${encodeURIComponent(password)}@${HOST}/db`;
        expect(readConnectionString(text)).toMatchObject({ url: text, password: `x${password}`, host: HOST });
      },
    ),
  );
});

const hostile = fc.string({
  unit: fc.constantFrom(...Array.from("ab1/#?@:%[]\\ é&=;'\"`+.\n\t-_~{}|<>,$")),
  minLength: 1,
  maxLength: 12,
});

/** The place and the password that are read of a string, or what is said of it. */
function readingOf(text: string): string[] {
  try {
    const { host, role, password = "", database } = readConnectionString(text);
    return [host, role, password, database];
  } catch (error) {
    return [error instanceof ConnectionStringError ? error.message : String(error)];
  }
}

test("a password as it is, is read as what was typed or not at all", () => {
  fc.assert(
    fc.property(hostile, (typed) => {
      const password = `left${typed}right`;
      const reading = readingOf(`postgresql://role:${password}@${HOST}/db?sslmode=require`);
      const isRefused = reading.length === 1;
      expect(isRefused ? reading.join() : "has nothing").toMatch(/^(has|names|must) (?!.*(left|right))/);
      expect(isRefused ? [] : reading).toEqual(
        isRefused ? [] : [HOST, "role", decodeURIComponent(password), "db"],
      );
    }),
    { numRuns: 2000 },
  );
});

test("every setting that PostgreSQL takes of a client is refused, and nothing that libpq takes itself", async () => {
  const { query } = await createDatabase();
  const settings = await query(
    "SELECT lower(name) AS name FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY name",
  );
  const ofLibpq = ["application_name", "client_encoding", "tcp_user_timeout"];
  const problemOf = (name: string) => {
    try {
      readConnectionString(`postgresql://role:pw@${HOST}/db?${name}=1`);
    } catch (error) {
      return String(error);
    }
    return undefined;
  };
  const names = settings.map(({ name }) => String(name)).filter((name) => !ofLibpq.includes(name));
  expect(names.length).toBeGreaterThan(150);
  const isRefused = (name: string) =>
    [`has the parameter ${name}, `, "has the parameter of a setting, "].some((words) =>
      problemOf(name)?.includes(words),
    );
  expect(names.filter((name) => !isRefused(name))).toEqual([]);
  // What follows the beginning of a name is anybody's text.
  expect(problemOf("jit_a-secret")).toContain("has the parameter of a setting, ");
  expect(problemOf("jit_a-secret")).not.toContain("a-secret");
  // Those of libraries.
  for (const name of [
    "connect_timeout",
    "keepalives_idle",
    "tcp_user_timeout",
    "pool_timeout",
    "idle_timeout",
    "max_lifetime",
  ]) {
    expect(problemOf(name)).toBeUndefined();
  }
});
