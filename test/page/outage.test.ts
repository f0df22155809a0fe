// The overview while the database cannot be used: it says why and what to do, and shows what is known.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { logged } from "../support/captured-logs.ts";
import {
  addSessions,
  asSuperuser,
  createDatabase,
  databaseRequests,
  keys,
  nameOf,
  send,
  startPostgres,
  stopPostgres,
  type TestDatabase,
} from "../support/worker.ts";
import { visitor, type Visitor } from "./browser-like.ts";

afterEach(() => {
  vi.useRealTimers();
});

// The numbers that are kept belong to a host, and each test has its own database.
let version = 0;
beforeEach(() => {
  version += 1;
});

async function operatorOf(database: TestDatabase, overrides: Record<string, string> = {}): Promise<Visitor> {
  const env = Object.assign(database.env({ ADMIN_PAGE: "true", ...overrides }), {
    CF_VERSION_METADATA: { id: `outage-${version}`, tag: "", timestamp: "" },
  });
  const person = visitor(env);
  await person.signIn(keys.admin);
  return person;
}

async function overviewOf(person: Visitor): Promise<string> {
  const response = await person.get("/admin");
  expect(response.status).toBe(200);
  return response.text();
}

/** The text of a page as a person reads it. */
const read = (body: string) =>
  body
    .replaceAll(/<(style|script)[\s\S]*?<\/\1>/g, "")
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ");

test("PostgreSQL stops: the page says so, and shows the last numbers with their age", async () => {
  const database = await createDatabase();
  await addSessions(database, { a: null, b: new Date(Date.now() - 1000) });
  const person = await operatorOf(database, { HEALTH_TIMEOUT_MS: "2000" });
  expect(read(await overviewOf(person))).toContain("Healthy");
  try {
    await stopPostgres();
    const text = read(await overviewOf(person));
    expect(text).toContain("Unhealthy");
    expect(text).toContain("database_unreachable");
    expect(text).toContain("Look at the Neon console");
    expect(text).toMatch(/The numbers below are the last that are known: counted [0-9-]+ [0-9:]+ UTC/);
    expect(text).toMatch(/Sessions active .{0,60}1 expired, not yet deleted .{0,60}1 in all 2 /);
    expect(text).toContain("Variables that differ from their defaults");
    expect(logged("Overview not counted")).toMatchObject([{ kind: "database_unreachable" }]);
  } finally {
    await startPostgres();
  }
});

test.each([
  ["before migrating", { empty: true }, undefined, "schema_missing", "npm run db:migrate"],
  [
    "read only",
    {},
    (name: string) => `ALTER DATABASE "${name}" SET default_transaction_read_only = on`,
    "read_only",
    "Lead DATABASE_URL to the primary compute",
  ],
] as const)(
  "a database %s: the page says it, and has a section of the manual",
  async (_n, options, change, reason, todo) => {
    const database = await createDatabase(options);
    if (change !== undefined) await asSuperuser(change(nameOf(database.url)), database);
    const text = read(await overviewOf(await operatorOf(database)));
    expect(text).toContain("Unhealthy");
    expect(text).toContain(reason);
    expect(text).toContain(todo);
    expect(text).toContain("Reasons of a 503");
    // Nothing is known of it, so nothing is said of it; the crons are known.
    expect(text).not.toContain("Round trip");
    expect(text).toContain("Next event");
  },
);

test("an empty database that is migrated is healthy, with zeros", async () => {
  const text = read(await overviewOf(await operatorOf(await createDatabase())));
  expect(text).toContain("Healthy");
  expect(text).toContain("none yet");
});

test("after a failure the next look asks again, though the numbers before it are not old", async () => {
  const database = await createDatabase();
  const person = await operatorOf(database, { HEALTH_MAX_AGE_SECONDS: "3600", HEALTH_TIMEOUT_MS: "2000" });
  expect(read(await overviewOf(person))).toContain("Healthy");
  try {
    await stopPostgres();
    expect(read(await overviewOf(person))).toContain("Healthy");
    await person.post("/admin/ask", {}, { from: "/admin" });
    expect(read(await overviewOf(person))).toContain("Unhealthy");
  } finally {
    await startPostgres();
  }
  const before = await databaseRequests();
  expect(read(await overviewOf(person))).toContain("Healthy");
  expect(await databaseRequests()).toBeGreaterThan(before);
});

test("a configuration that is wrong is said as before, without the page", async () => {
  const database = await createDatabase();
  const response = await send(database.env({ ADMIN_PAGE: "yes" }), "/admin");
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ error: { code: "configuration_invalid" } });
});
