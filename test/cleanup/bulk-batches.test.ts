// The batches of a run in bulk, one after the other: in which form, how large, and what follows upon trouble.
import { beforeEach, describe, expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { beforeStarted, type Batches, createBatches, raise, STARTED } from "./batches.ts";
import { notedCount, notedSteps } from "./steps.ts";

let batches: Batches;
beforeEach(async () => {
  batches = await createBatches();
});
const bulk = async (form: string) => (await batches.steps()).filter((text) => text.startsWith(form));

// A run of two or four sessions a batch wants a batch in bulk to take 0.04 or 0.08 ms. None does, so each is too slow.
describe("batches of pages", () => {
  const PAGES = 510;
  /** One session on each page, named by it, in no order of their expiry. */
  beforeEach(async () => {
    await batches.database.query("TRUNCATE mcp_sessions");
    await batches.database.query("ALTER TABLE mcp_sessions ALTER client_info SET STORAGE PLAIN");
    await batches.database.query(
      `INSERT INTO mcp_sessions (session_id, principal, created_at, expires_at, client_info)
       SELECT 'on-' || n, 'me', '2025-01-01', timestamptz '2026-01-05' + (n * 37 % ${PAGES}) * interval '1 second',
              jsonb_build_object('name', repeat('x', 5000)) FROM generate_series(0, ${PAGES - 1}) AS n`,
    );
  });

  test("are half as large after one that took long, and follow each other to the end of the table", async () => {
    expect(await batches.run()).toMatchObject({ ending: "completed", is_first: false, deleted: PAGES });
    expect((await batches.steps()).slice(0, 9)).toEqual([
      "counted 2 from -infinity @500",
      "choose",
      "pages 0-16 @10",
      "pages 16-24 @10",
      "pages 24-28 @10",
      "pages 28-30 @10",
      "pages 30-31 @10",
      "pages 31-32 @10",
      "pages 32-33 @10",
    ]);
    // Four until page 30, one for each further page, and two counted ones.
    expect(await notedCount(batches.database)).toBe(2 + 2 * 5 + (4 + PAGES - 30) * 7);
  });

  test.each([
    ["the last two minutes", STARTED, 120],
    ["what is younger than the tier takes", beforeStarted(1000), 1000],
  ])("leave %s to a counted one", async (_, cutoff, seconds) => {
    await batches.run({ cutoff });
    const micros = (Date.parse(STARTED) - seconds * 1000) * 1000 - 1;
    expect((await notedSteps(batches.database)).find(({ text }) => text.startsWith("pages"))?.expiry).toBe(
      micros,
    );
  });

  test("are repeated without what is locked, and do not skip it from then on", async () => {
    const held = await heldOpen(
      batches.database,
      "SELECT FROM mcp_sessions WHERE session_id = 'on-3' FOR UPDATE",
    );
    const ended = await batches.run();
    await held.release();
    expect(ended).toMatchObject({ ending: "completed", deleted: PAGES - 1 });
    expect(await batches.left()).toEqual(["on-3"]);
    expect((await bulk("pages")).slice(0, 3)).toEqual([
      "pages 0-16 @10",
      "pages 0-16 unlocked @500",
      "pages 16-24 @10",
    ]);
    expect(await bulk("find")).toEqual([]);
  });

  test("with one that fails are gone through one by one, and are a fourth from then on, and one at least", async () => {
    const bad = ["on-3", "on-17", "on-20", "on-21"];
    await batches.before(
      "ROW",
      `IF old.session_id IN ('${bad.join("', '")}') THEN ${raise("23503")}; END IF`,
    );
    expect(await batches.run()).toMatchObject({ ending: "completed", deleted: PAGES - 4 });
    expect(await batches.left()).toEqual(bad.toSorted());
    expect((await bulk("pages")).slice(0, 5)).toEqual([
      "pages 0-16 @10",
      "pages 16-20 without listed @10",
      "pages 20-21 without listed @10",
      "pages 21-22 without listed @10",
      "pages 22-23 without listed @10",
    ]);
    expect(await bulk("find")).toEqual([0, 16, 20, 21].map((page) => `find on page ${page} @100`));
  });

  test("with one that waits for a lock in either way are gone through, too", async () => {
    await batches.failFor("on-3", "55P03");
    expect(await batches.run()).toMatchObject({ ending: "completed", deleted: PAGES - 1 });
    expect(await batches.blocked()).toEqual({ "on-3": "55P03" });
    expect((await bulk("pages")).slice(0, 3)).toEqual([
      "pages 0-16 @10",
      "pages 0-16 unlocked @500",
      "pages 16-20 without listed @10",
    ]);
    expect(await bulk("find")).toEqual(["find on page 0 @100"]);
  });
});

describe("batches of ranges", () => {
  /** Ten sessions on each of 500 pages, in the order of their expiry. */
  const fill = (step: string) =>
    batches.database.query(
      `INSERT INTO mcp_sessions (session_id, principal, created_at, expires_at, client_info)
       SELECT 'nth-' || n, 'me', '2025-01-01', timestamptz '2026-01-05' + n * interval '${step}',
              jsonb_build_object('name', repeat('x', 620)) FROM generate_series(1, 5010) AS n`,
    );
  beforeEach(async () => {
    await batches.database.query("TRUNCATE mcp_sessions");
  });
  const ranges = async () =>
    (await notedSteps(batches.database)).filter(({ text }) => text.startsWith("range"));
  const shortly = "clock_timestamp() + interval '100 milliseconds'";

  test("that do not reach their end are followed by a counted one, and are a fourth", async () => {
    await fill("1 second");
    await batches.run({ batchSize: 4, deadline: shortly });
    expect((await batches.steps()).slice(0, 6)).toEqual([
      "counted 4 from -infinity @500",
      "choose",
      "range @10",
      "counted 4 from 2026-01-05T00:00:04.000Z @500",
      "range @10",
      expect.stringContaining("counted 4"),
    ]);
    expect((await ranges()).map(({ width }) => width).slice(0, 8)).toEqual([
      3_000_000, 750_000, 187_500, 46_875, 11_719, 2930, 1000, 1000,
    ]);
  });

  test("begin with a second when the first batch expired in less", async () => {
    await fill("1 microsecond");
    await batches.run({ batchSize: 4, deadline: shortly });
    expect((await ranges())[0]?.width).toBe(1_000_000);
  });

  test("work for twice their time at most, and until all are gone", async () => {
    await fill("1 second");
    await batches.add({ last: beforeStarted(60) });
    expect(await batches.run({ batchSize: 2000 })).toMatchObject({ ending: "completed", deleted: 5011 });
    const [fromNow, fromLease] = (await ranges())[0]?.until ?? [];
    expect(fromNow).toBeLessThanOrEqual(40_000);
    expect(fromLease).toBeGreaterThanOrEqual(40_000);
    expect((await batches.steps()).at(-1)).toBe("counted 2000 from 2026-01-09T23:57:59.999Z @500");
  });

  test("with one that fails leave it to a counted one, and so to its list", async () => {
    await fill("1 second");
    await batches.failFor("nth-6");
    expect(await batches.run({ batchSize: 4, deadline: shortly })).toMatchObject({ failure: null });
    expect(await batches.blocked()).toEqual({ "nth-6": "23503" });
    const done = (await batches.steps()).filter((text) => !text.startsWith("single"));
    expect(done.slice(2, 7)).toEqual([
      "range @10",
      "counted 4 from 2026-01-05T00:00:04.000Z @500",
      "find 4 @100",
      "range without listed @10",
      "counted 4 without listed from 2026-01-05T00:00:04.000Z @500",
    ]);
  });
});
