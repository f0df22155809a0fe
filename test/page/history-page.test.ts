// The page of the history: what it draws is what the database has counted, and what is not known is not drawn.
import { afterEach, describe, expect, test } from "vitest";
import { historyPage } from "../../src/page/history-page.ts";
import type { History } from "../../src/page/history-store.ts";
import { open } from "../support/mcp.ts";
import {
  asSuperuser,
  createDatabase,
  databaseRequests,
  fire,
  keys,
  REGULAR_CRON,
  setFaults,
} from "../support/worker.ts";
import { read, signIn } from "./operator.ts";

afterEach(() => setFaults());

const HOUR = 3_600_000;
const START = Date.parse("2026-11-25T05:00:00Z");

const pointsOf = (count: number, hours: number): History["points"] =>
  Array.from({ length: count }, (_, i) => ({
    from: new Date(START + i * hours * HOUR).toISOString(),
    opened: 10 * i,
    ended: i,
    expired: 2 * i,
    deleted: 3 * i,
    runs: 6,
    runsFailed: i === 4 ? 2 : 0,
    runsDeleted: 3 * i,
    longestRunMs: i === 5 ? null : 1500 + i,
  }));

const history: History = {
  points: pointsOf(6, 1),
  since: "2026-11-25T06:30:00.000Z",
  expiredUntil: "2026-11-25T08:59:59.000Z",
  takenAt: "2026-11-25T10:20:00.000Z",
};

const page = async (over: Partial<History> = {}, maySeeRuns = true) =>
  read(
    new Response(
      `<main>${String(await historyPage({ window: "day", history: { ...history, ...over }, maySeeRuns }))}</main>`,
    ),
  );

/** The rows of a table, by its caption, as texts. */
function rowsIn(html: string, caption: string): string[][] {
  const captionOf = (part: string) => /<caption>\s*([^<]*)/.exec(part)?.[1] ?? "";
  const table = html.split("<table").find((part) => captionOf(part).startsWith(caption)) ?? "";
  const rows = (table.split("<tbody")[1] ?? "").split("</tr>").slice(0, -1);
  const textOf = (cell: string) =>
    cell
      .replaceAll(/<[^>]*>/g, "")
      .replaceAll(/\s+/g, " ")
      .trim();
  return rows.map((row) =>
    [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell = ""]) => textOf(cell)),
  );
}

describe("the page", () => {
  test("has the same numbers in its tables, and says what is not known", async () => {
    const { html } = await page();
    const sessions = rowsIn(html, "Sessions, by an hour");
    expect(sessions.slice(0, 3)).toEqual([
      ["2026-11-25 05:00:00 UTC", "not known", "not known", "not known", "not known"],
      ["2026-11-25 06:00:00 UTC", "10", "1", "2", "3"],
      ["2026-11-25 07:00:00 UTC", "20", "2", "4", "6"],
    ]);
    expect(sessions).toHaveLength(6);
    const runs = rowsIn(html, "Cleanup runs, by an hour");
    expect(runs[4]).toEqual(["2026-11-25 09:00:00 UTC", "6", "2", "12", "2 s"]);
    expect(runs[5]).toEqual(["2026-11-25 10:00:00 UTC", "6", "0", "15", "none"]);
  });

  test("sums up what is known, and draws six charts with names of their own", async () => {
    const { html, text } = await page();
    for (const caption of [
      "Sessions opened 150",
      "Sessions ended 15",
      "Sessions expired 30",
      "Sessions deleted 45",
    ])
      expect(text).toContain(caption);
    expect(text).toContain("The longest run 1.5 seconds");
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(html.match(/<svg[^>]*role="img"/g)).toHaveLength(6);
  });

  test("hatches what the cleanup has not counted yet, of what has expired alone", async () => {
    const { html } = await page();
    const hatched = (id: string) => html.split(`fill="url(#${id}-open)"`).length - 1;
    // From 08:00 on: the hour that the last run has not seen to its end.
    expect(hatched("expired")).toBe(3);
    expect(hatched("opened")).toBe(1);
  });

  test("crosses out where runs have failed, and leads to them who may see them", async () => {
    const { html, links } = await page();
    expect(html.match(/class="alarm"/g)).toHaveLength(2);
    expect(html).toContain("2 of 6 runs failed");
    expect(links).toContain("/admin/runs?outcome=failed");
    expect((await page({}, false)).links).not.toContain("/admin/runs?outcome=failed");
  });

  test("draws nothing before anything was counted", async () => {
    const { html, text } = await page({ since: null, expiredUntil: null });
    expect(html).not.toContain("<svg");
    expect(text).toContain("Nothing has been counted yet");
  });

  test("measures runs in milliseconds while none has taken a second", async () => {
    const points = history.points.map((point) => ({ ...point, longestRunMs: 12 }));
    expect((await page({ points })).text).toContain("The longest run 12 milliseconds");
  });

  test.each([
    [999, "The longest run 999 milliseconds"],
    [1000, "The longest run 1 seconds"],
    [1001, "The longest run 1 seconds"],
  ])("measures a longest run of %d ms in what it has", async (longestRunMs, caption) => {
    const points = history.points.map((point, i) => ({ ...point, longestRunMs: i === 2 ? longestRunMs : 7 }));
    expect((await page({ points })).text).toContain(caption);
  });

  test.each(["day", "week", "month"] as const)(
    "has a tab for each window, and marks the %s",
    async (window) => {
      const html = String(await historyPage({ window, history, maySeeRuns: true }));
      const tabs = [
        ...html.matchAll(/<li><a href="\/admin\/history\?window=(\w+)" ?([^>]*)>(\w+)<\/a><\/li>/g),
      ];
      const mark = (name: string) => (name === window ? 'aria-current="true"' : "");
      expect(tabs.map(([, name, current, label]) => [name, current, label])).toEqual([
        ["day", mark("day"), "Day"],
        ["week", mark("week"), "Week"],
        ["month", mark("month"), "Month"],
      ]);
      expect(html).toContain(`<a href="/admin/history?window=${window}">Look again</a>`);
    },
  );

  test("says until when the cleanup has counted what has expired, if it has", async () => {
    expect((await page()).text).toContain(
      "The cleanup counts what has expired, last at 2026-11-25 08:59:59 UTC.",
    );
    expect((await page({ expiredUntil: null })).text).toContain(
      "The cleanup counts what has expired: it has not run yet.",
    );
  });

  test("has a heading for each column of its tables", async () => {
    const { html } = await page();
    const heads = [...html.matchAll(/<thead>(.*?)<\/thead>/gs)].map(([, head = ""]) =>
      [...head.matchAll(/<th scope="col" class="(\w*)">(\w+)<\/th>/g)].map(
        ([, kind, label]) => `${label} ${kind}`,
      ),
    );
    expect(heads).toEqual([
      ["From ", "Opened number", "Ended number", "Expired number", "Deleted number"],
      ["From ", "Runs number", "Failed number", "Deleted number", "Longest number"],
    ]);
  });
});

describe("of a Worker", () => {
  test.each([
    ["", 25],
    ["?window=day", 25],
    ["?window=week", 29],
    ["?window=month", 31],
  ])("%s has what has happened, in one statement", async (query, bars) => {
    const database = await createDatabase();
    const env = database.env({ ADMIN_PAGE: "true" });
    await open(env);
    await open(env, { key: keys.bob });
    await fire(env, REGULAR_CRON);
    const operator = await signIn(env);
    const before = await databaseRequests();
    const { html, text, status } = await operator.get(`/admin/history${query}`);
    expect((await databaseRequests()) - before).toBe(1);
    expect(status).toBe(200);
    expect(text).toContain("Sessions opened 2");
    expect(rowsIn(html, "Sessions, by")).toHaveLength(bars);
    expect(rowsIn(html, "Sessions, by").at(-1)).toEqual([expect.any(String), "2", "0", "0", "0"]);
    expect(rowsIn(html, "Cleanup runs, by").at(-1)?.[1]).toBe("1");
  });

  test("is open to a key with the scope health, without the way to the runs", async () => {
    const database = await createDatabase();
    const monitor = await signIn(database.env({ ADMIN_PAGE: "true" }), keys.health);
    const { status, links } = await monitor.get("/admin/history");
    expect(status).toBe(200);
    expect(links.filter((link) => link.startsWith("/admin/runs"))).toEqual([]);
  });

  test("says what is wrong with another window, and does not ask the database", async () => {
    const database = await createDatabase();
    const operator = await signIn(database.env({ ADMIN_PAGE: "true" }));
    const before = await databaseRequests();
    const { status, text } = await operator.get("/admin/history?window=year");
    expect(status).toBe(400);
    expect(text).toContain("window must be one of day, week, month");
    expect((await databaseRequests()) - before).toBe(0);
  });

  test("says why while the database cannot be asked, and what is missing before it is migrated", async () => {
    const database = await createDatabase();
    const operator = await signIn(database.env({ ADMIN_PAGE: "true" }));
    await setFaults({ fault: { kind: "quota" } });
    const outage = await operator.get("/admin/history");
    expect(outage.status).toBe(503);
    expect(outage.text).toContain("quota_exceeded");
    await setFaults();
    await asSuperuser("DROP TABLE mcp_session_totals CASCADE", database);
    const unmigrated = await operator.get("/admin/history");
    expect(unmigrated.status).toBe(503);
    expect(unmigrated.text).toContain("npm run db:migrate");
  });
});
