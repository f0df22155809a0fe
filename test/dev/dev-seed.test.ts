// The sessions that `npm run dev:seed` makes up.
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCount } from "../../dev/seed.ts";
import { insertSessions } from "../../dev/sessions.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { startTestPostgres } from "../support/postgres.ts";

describe("the arguments", () => {
  test.each([
    [[], 1_000],
    [["--sessions", "1"], 1],
    [["--sessions=10000000"], 10_000_000],
  ])("%j mean %i sessions", (args, count) => {
    expect(readCount(args)).toBe(count);
  });

  test.each([
    [["--sessions", "0"]],
    [["--sessions", "10000001"]],
    [["--sessions", "-1"]],
    [["--sessions", "1.5"]],
    [["--sessions", "1e3"]],
    [["--sessions", ""]],
    [["--sessions"]],
    [["--count", "5"]],
    [["1000"]],
  ])("%j are answered with the usage", (args) => {
    expect(() => readCount(args)).toThrow(/^Usage: npm run dev:seed -- \[--sessions N\]/);
  });
});

describe("the sessions", () => {
  let postgres: Awaited<ReturnType<typeof startTestPostgres>>;
  let client: Client;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    const { host, port, user, password } = postgres;
    const config = { host, port, user, password, database: "postgres" };
    await migrate(config);
    client = new Client(config);
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await postgres.remove();
  });

  const insert = async (count: number) => {
    await client.query("TRUNCATE mcp_sessions");
    const progress: number[] = [];
    return { ages: await insertSessions(client, count, (inserted) => progress.push(inserted)), progress };
  };
  const count = async (condition: string) => {
    const sql = `SELECT count(*)::int AS count FROM mcp_sessions WHERE ${condition}`;
    return (await client.query<{ count: number }>(sql)).rows[0]?.count;
  };

  test("are half live, a quarter just expired and a quarter expired for hours", async () => {
    const { ages } = await insert(1_000);
    expect(ages).toEqual({ live: 500, justExpired: 250, longExpired: 250 });
    expect(await count("expires_at > now() AND expires_at < now() + interval '24 hours'")).toBe(500);
    expect(await count("expires_at <= now() AND expires_at > now() - interval '1 hour'")).toBe(250);
    expect(
      await count("expires_at <= now() - interval '1 hour' AND expires_at > now() - interval '49 hours'"),
    ).toBe(250);
  });

  test("stay of their age for the ten minutes that one looks at them", async () => {
    await insert(1_000);
    const later = "(now() + interval '9 minutes 30 seconds')";
    expect(await count(`expires_at > ${later}`)).toBe(500);
    expect(await count(`expires_at <= ${later} - interval '1 hour'`)).toBe(250);
  });

  test.each([
    [1, { live: 1, justExpired: 0, longExpired: 0 }],
    [4, { live: 2, justExpired: 1, longExpired: 1 }],
    [7, { live: 4, justExpired: 2, longExpired: 1 }],
  ])("are as many as were asked for: %i", async (wanted, ages) => {
    expect((await insert(wanted)).ages).toEqual(ages);
    expect(await count("true")).toBe(wanted);
  });

  test("are complete across chunks, each with an id of 256 bits of its own", async () => {
    const { ages, progress } = await insert(50_001);
    expect(progress).toEqual([50_000, 50_001]);
    expect(ages).toEqual({ live: 25_001, justExpired: 12_500, longExpired: 12_500 });
    expect(await count("session_id ~ '^[0-9a-f]{64}$'")).toBe(50_001);
  });

  test("have times in order and a client with capabilities", async () => {
    await insert(100);
    expect(
      await count("created_at <= last_active AND last_active <= now() AND last_active < expires_at"),
    ).toBe(100);
    expect(await count("client_info->>'name' <> '' AND capabilities ? 'roots'")).toBe(100);
    expect(await count("length(capabilities::text || client_info::text) BETWEEN 200 AND 400")).toBe(100);
  });
});
