// The list of cleanup runs, one run, and the question before one is started.
import { expect, test } from "vitest";
import type { CleanupRun } from "../../src/admin/runs-store.ts";
import { type RunsData, runPage, runQuestion, runsPage } from "../../src/page/runs-page.ts";
import { htmlOf } from "./part.ts";

const run: CleanupRun = {
  run_id: 7,
  tier: "regular",
  trigger: "cron",
  scheduled_at: "2026-11-26T11:00:00.000Z",
  cutoff: "2026-11-26T10:59:00.000Z",
  started_at: "2026-11-26T11:00:01.000Z",
  finished_at: "2026-11-26T11:00:03.000Z",
  outcome: "completed",
  deleted: 1234,
  batches: 1002,
  error_code: null,
  blocked: 0,
  blocked_by: null,
};
const running: CleanupRun = { ...run, outcome: "running", finished_at: null };
const failed: CleanupRun = { ...run, outcome: "failed", error_code: "busy" };

const moment = (text: string) => `<time datetime="2026-11-26T${text}.000Z">2026-11-26 ${text} UTC</time>`;

const listed = (changes: Partial<RunsData> = {}) =>
  htmlOf(runsPage({ query: {}, found: { runs: [run], next: null }, ...changes }));
const cellsOf = (text: string) =>
  [...text.matchAll(/<t[hd](?: [^>]*)?>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell);

/** The cells of the row of a run. */
async function rowOf(changes: Partial<CleanupRun>) {
  const text = await listed({ found: { runs: [{ ...run, ...changes }], next: null } });
  return cellsOf(text.split("<tbody>")[1] ?? "");
}

test("the list leads to a run of each tier", async () => {
  expect(await listed()).toContain(
    '<p class="row"><a class="button" href="/admin/runs/regular">Run regular now…</a><a class="button" href="/admin/runs/immediate">Run immediate now…</a></p>',
  );
});

test("the list has these columns, with the numbers at their ends", async () => {
  const head = /<thead>(.*?)<\/thead>/s.exec(await listed())?.[1] ?? "";
  expect(cellsOf(head)).toEqual(["Run", "Outcome", "Started", "Deleted", "Took", "Tier", "By", "Reason"]);
  expect([...head.matchAll(/class="number">(\w+)</g)].map(([, label]) => label)).toEqual(["Deleted", "Took"]);
  expect(await listed()).toContain("<caption>Cleanup runs, the latest first</caption>");
});

test("a row has all of a run in short", async () => {
  expect(await rowOf({})).toEqual([
    '<a href="/admin/runs/7">7</a>',
    '<span class="badge good">completed</span>',
    moment("11:00:01"),
    "1,234",
    "2 s",
    "regular",
    "cron",
    "",
  ]);
});

test("a row says who has started a run", async () => {
  expect((await rowOf({ trigger: "cron" }))[6]).toBe("cron");
  expect((await rowOf({ trigger: "manual" }))[6]).toBe("an operator");
});

test("a row says why it is not known how long a run took", async () => {
  expect((await rowOf(running))[4]).toBe('<span class="none">not over</span>');
  expect((await rowOf({ started_at: null }))[4]).toBe('<span class="none">not known</span>');
});

test.each<[string, Partial<CleanupRun>, string]>([
  [
    "its code and the first sentence",
    failed,
    '<code><bdi>busy</bdi></code><span class="reason">Another run was at work</span>',
  ],
  [
    "a sentence without a code",
    { outcome: "partial" },
    '<span class="reason">Its time was used up, and there is more to delete</span>',
  ],
  ["what cannot be deleted", { blocked: 1 }, '<span class="reason">Cannot be deleted: 1</span>'],
  [
    "all of that",
    { ...failed, error_code: "duplicate", blocked: 1000 },
    '<code><bdi>duplicate</bdi></code><span class="reason">The same cron event came twice.</span><span class="reason">Cannot be deleted: 1,000</span>',
  ],
])("the reason of a run is %s", async (_what, changes, reason) => {
  expect((await rowOf(changes))[7]).toBe(reason);
});

test("the list has a row for each run, and leads on with what was asked for", async () => {
  const runs = [run, { ...run, run_id: 6 }, { ...run, run_id: 5 }];
  const query = { tier: "regular", outcome: "completed" };
  const text = await listed({ query, found: { runs, next: 5 } });
  expect([...text.matchAll(/<th scope="row"><a href="\/admin\/runs\/(\d)">/g)].map(([, id]) => id)).toEqual([
    "7",
    "6",
    "5",
  ]);
  expect(text).toContain('href="/admin/runs?tier=regular&amp;outcome=completed&amp;before=5" rel="next"');
  expect(await listed({ query, found: { runs, next: null } })).not.toContain('rel="next"');
});

test("the filter has the tiers and the outcomes, with what was chosen", async () => {
  const text = (await listed({ query: { tier: "immediate", outcome: "failed" } })).replaceAll(
    "<option >",
    "<option>",
  );
  const options = [...text.matchAll(/<option(?: value="")?( selected)?>(\w+)</g)].map(
    ([, is, of]) => `${of}${is ?? ""}`,
  );
  const outcomes = ["running", "completed", "partial", "skipped", "failed selected"];
  expect(options).toEqual(["any", "regular", "immediate selected", "any", ...outcomes]);
  expect(text).toContain('<label for="tier">Tier</label><select id="tier" name="tier">');
  expect(text).toContain('<label for="outcome">Outcome</label><select id="outcome" name="outcome">');
});

test("without a run the list says so, and nothing of what could not be asked for", async () => {
  expect(await listed({ found: { runs: [], next: null } })).toContain("No run is like this.");
  const unasked = await listed({ found: undefined });
  expect(unasked).not.toContain("No run is like this.");
  expect(unasked).not.toContain("undefined");
  expect(unasked).toContain('role="search"');
});

const shown = (changes: Partial<CleanupRun>) =>
  htmlOf(runPage({ run: { ...run, ...changes }, again: "/admin/runs/7" }));
const factsIn = (text: string) =>
  [...text.matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd>/g)].map(([, name, value]) => [name, value]);

test("the page of a run that has ended has all of it, and is not loaded again", async () => {
  const text = await shown({});
  expect(factsIn(text)).toEqual([
    ["Outcome", '<span class="badge good">completed</span>'],
    ["Tier", "regular"],
    ["Deleted", "1,234"],
    ["Transactions", "1,002"],
    ["Started", moment("11:00:01")],
    ["Ended", moment("11:00:03")],
    ["Took", "2 s"],
    ["Started by", "cron"],
    ["Expired before", moment("10:59:00")],
  ]);
  expect(text).toMatch(
    /^<section class="sheet narrow" id="run" aria-label="The run" aria-live="polite" >\n<dl/,
  );
  expect(text).toMatch(/<\/dl><p><a href="\/admin\/runs">All runs<\/a><\/p><\/section>$/);
});

test("the page of a run that goes on says so, and where to look again", async () => {
  const text = await shown(running);
  expect(text).toMatch(
    /^<section [^>]* data-again="\/admin\/runs\/7"><p><strong>It is at work\.<\/strong> <a href="\/admin\/runs\/7">Look again<\/a><\/p>\n<dl/,
  );
  expect(factsIn(text).filter(([name]) => name === "Ended" || name === "Took")).toEqual([
    ["Ended", '<span class="none">not yet</span>'],
    ["Took", '<span class="none">not over</span>'],
  ]);
});

test("the page of a run has its code, its reason with the manual, and what cannot be deleted", async () => {
  const text = await shown({ ...failed, error_code: "busy", blocked: 2, blocked_by: "<23503>" });
  expect(factsIn(text).at(-1)).toEqual(["Code", "<code><bdi>busy</bdi></code>"]);
  expect(text).toContain(
    "<p>Another run was at work. It does what this one would have done. " +
      '<span class="manual"><code>docs/operate.md</code>, “Runs are skipped as busy”</span></p>' +
      "<p>2 expired sessions cannot be deleted: <bdi>&lt;23503&gt;</bdi>. ",
  );
  expect(await shown({ blocked: 1 })).toMatch(/<\/dl><p>1 expired session cannot be deleted\. /);
});

test("a question says what the tier deletes, and for how long it works", async () => {
  const text = await htmlOf(runQuestion("regular", 20, "the-token"));
  expect(text).toContain(
    "<p>The regular tier deletes every session that has expired. No active session is touched. What is deleted cannot be brought back.</p>",
  );
  expect(text).toContain("<p>It works for 20 seconds at most, ");
  expect(text).toContain(
    '<form method="post" action="/admin/runs/regular" class="row"><input type="hidden" name="csrf" value="the-token" /><button type="submit" class="primary">Run regular now</button> <a href="/admin/runs">Leave it</a></form>',
  );
  expect(await htmlOf(runQuestion("immediate", 1, ""))).toContain("<p>It works for 1 second at most, ");
  expect(await htmlOf(runQuestion("immediate", 1000, ""))).toContain("1,000 seconds at most");
});
