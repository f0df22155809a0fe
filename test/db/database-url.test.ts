// A wrong connection string stops the Worker with words that say what to do. No part of it comes out, whoever reads it.
import { sql } from "drizzle-orm";
import { beforeEach, expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { DatabaseFault } from "../../src/db/fault.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { elsewhere, rawPasswords, refused, SECRETS, taken } from "../support/connection-strings.ts";
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
