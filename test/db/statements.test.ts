// What an answer of Neon is read as.
import { sql } from "drizzle-orm";
import { expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createDatabase } from "../support/worker.ts";

test("times of any year are text, as PostgreSQL writes them; other values are what they are", async () => {
  const { url } = await createDatabase();
  const database = connect({ url, endpointOverride: inject("neonEndpoint") });
  const { rows } = await database.run({ name: "reading", budgetMs: 10_000, isIdempotent: true }, (db) =>
    db.execute(sql`SELECT ${"it's"}::text AS text, ${null}::text AS nothing, 7 AS number, 7::bigint AS large, true AS yes,
      '{"a": 1}'::jsonb AS json, ARRAY['a', 'b'] AS list, timestamptz '0044-03-15 12:00:00.123456+00 BC' AS ides,
      timestamptz 'infinity' AS never, date '12026-11-26' AS day, interval '1 day' AS interval,
      ARRAY[timestamptz '2026-11-26 07:00:00+00'] AS times`),
  );
  expect(rows).toEqual([
    {
      text: "it's",
      nothing: null,
      number: 7,
      large: "7",
      yes: true,
      json: { a: 1 },
      list: ["a", "b"],
      ides: "0044-03-15 12:00:00.123456+00 BC",
      never: "infinity",
      day: "12026-11-26",
      interval: "1 day",
      times: '{"2026-11-26 07:00:00+00"}',
    },
  ]);
});
