// What the overview says of numbers as they can be.
import { expect, test } from "vitest";
import type { Census, LastRun } from "../../src/health/grade.ts";
import { overviewPage, type OverviewData } from "../../src/page/overview-page.ts";

const now = new Date("2026-11-26T12:00:00Z");
const at = (text: string) => new Date(`2026-11-${text}Z`);

const run = (changes: Partial<LastRun> = {}): LastRun => ({
  outcome: "completed",
  trigger: "cron",
  scheduled_at: "2026-11-26T11:00:00Z",
  started_at: "2026-11-26T11:00:01.000Z",
  finished_at: "2026-11-26T11:00:03.000Z",
  deleted: 1234,
  batches: 2,
  error_code: null,
  blocked: 0,
  ...changes,
});
const never = { lastRun: null, failuresInARow: 0, lastSuccessAt: null };

const census = (changes: Partial<Census> = {}): Census => ({
  total: 1_234_567,
  expired: 500,
  expiredAtLeast: 500,
  isOverdue: false,
  oldestExpiredAt: null,
  history: { regular: never, immediate: never },
  mayHideRows: false,
  wakesAt: undefined,
  totals: {},
  ...changes,
});

async function textOf(changes: Partial<Census>, data: Partial<OverviewData> = {}): Promise<string> {
  const viewer = { label: "ops", scopes: ["admin"] as const, isSignedIn: true };
  const frame = { title: "Overview", path: "/admin", nonce: "n", csrf: "c", viewer };
  const overview = {
    census: census(changes),
    figures: {
      oldestActive: { lastActive: at("25T11:00:00"), expiresAt: at("27T00:00:00") },
      awakeSeconds: 5400,
    },
    tookMs: 12,
    takenAt: at("26T11:58:00"),
  };
  const page = await overviewPage(frame, {
    now,
    overview,
    fault: undefined,
    reasons: [],
    schedules: {
      regular: { isOn: true, cron: "0 * * * *", next: at("26T13:00:00") },
      immediate: { isOn: false, cron: "*/10 * * * *", next: at("26T12:10:00") },
    },
    maxAgeSeconds: 900,
    cuHours: (seconds) => seconds / 14_400,
    setup: { version: { id: "v", tag: "", deployedAt: null }, differences: [], unknownVariables: [] },
    ...data,
  });
  return String(page)
    .replaceAll(/<head>[\s\S]*<\/head>/g, "")
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ");
}

test("numbers have their age, and say for how long they are shared", async () => {
  const text = await textOf({});
  expect(text).toContain("Counted 2026-11-26 11:58:00 UTC , 2 min ago. Numbers are shared for 15 min");
  expect(text).toContain("Healthy");
});

test("sessions have the ages of the oldest", async () => {
  const text = await textOf({ oldestExpiredAt: at("26T11:59:00") });
  expect(text).toContain("active the oldest was last used 1 d 1 h ago 1,234,067");
  expect(text).toContain("expired, not yet deleted the oldest expired 1 min ago 500");
  expect(text).toContain("in all 1,234,567");
});

test("an estimate is called one, with what is certain", async () => {
  const text = await textOf({ expired: 400_000, expiredAtLeast: 100_000 });
  expect(text).toContain("about 400,000");
  expect(text).toContain("at least 100,000 have expired");
});

test("a run says how it ended, how long it took and why; the last success stands beside a failure", async () => {
  const failed = run({ outcome: "failed", error_code: "57014", blocked: 7 });
  const text = await textOf({
    history: {
      regular: { lastRun: failed, failuresInARow: 4, lastSuccessAt: at("26T07:00:00") },
      immediate: {
        lastRun: run({ outcome: "running", finished_at: null }),
        failuresInARow: 0,
        lastSuccessAt: null,
      },
    },
  });
  expect(text).toContain("failed 2026-11-26 11:00:01 UTC deleted 1,234 in 2 s, reason 57014, 7 blocked");
  expect(text).toContain("Last success 2026-11-26 07:00:00 UTC 5 h ago");
  expect(text).toContain("Failures in a row 4");
  expect(text).toContain("running 2026-11-26 11:00:01 UTC deleted 1,234 Failures");
});

test("a tier that is off has no next event; one that is asleep says until when", async () => {
  const wakesAt = { regular: at("26T18:00:00"), immediate: at("26T18:00:00") };
  const text = await textOf({ wakesAt });
  expect(text).toContain("Cleanup: regular asleep");
  expect(text).toContain("Next event 2026-11-26 13:00:00 UTC in 1 h");
  expect(text).toContain("Asleep until 2026-11-26 18:00:00 UTC");
  expect(text).toContain("Cleanup: immediate off Cron */10 * * * * Next event none: the tier is off");
  expect(text.match(/Asleep until/g)).toHaveLength(1);
  expect(await textOf({ wakesAt: { ...wakesAt, regular: at("26T12:00:00") } })).not.toContain("Asleep until");
});

test("what the compute used is in minutes and CU-hours, as a lower bound", async () => {
  const text = await textOf({});
  expect(text).toContain("Awake, last 24 hours 90 min at least");
  expect(text).toContain("0.38 CU-hours at 0.25 CU, at least");
});

test("reasons come with what to do, and the section of the manual", async () => {
  const text = await textOf({}, { reasons: ["cleanup_blocked", "rows_hidden"] });
  expect(text).toContain("Degraded");
  expect(text).toContain(
    "Ask the table mcp_cleanup_blocked what does. cleanup_blocked docs/operate.md , “Expired sessions",
  );
  expect(text).toContain("rows_hidden");
});

test("nothing is said of what is not known", async () => {
  const text = await textOf({}, { overview: undefined });
  expect(text).toContain("Not known Ask now Nobody has asked the database yet.");
  expect(text).not.toContain("Counted");
  expect(text).not.toContain("Last run");
});

const handles = { active: 12_345, expired: 2, oldest_expired_at: "2026-11-26T11:00:00.000Z" };
const tasks = {
  working: 1,
  due: 2,
  oldest_due_at: "2026-11-26T11:59:00.000Z",
  input_required: 3,
  ended: 4,
  expired: 5,
  oldest_expired_at: "2026-11-25T12:00:00.000Z",
};

test("handles and tasks are counted where they are kept, with the ages of the oldest", async () => {
  const ofHandles = "Handles active 12,345 expired, not yet deleted the oldest expired 1 h ago 2";
  const ofTasks =
    "Tasks working 1 wait to be run the oldest since 1 min ago 2 wait for their client 3 ended 4 " +
    "expired, not yet deleted the oldest expired 1 d ago 5";
  const both = await textOf({ kept: { handles, tasks } });
  expect(both).toContain(`${ofHandles} ${ofTasks}`);
  expect(await textOf({ kept: { handles } })).not.toContain("Tasks");
  expect(await textOf({ kept: { tasks } })).not.toContain("Handles");
  expect(await textOf({})).not.toMatch(/Handles|Tasks|undefined/);
});

test("without an oldest handle or task nothing is said of its age", async () => {
  const text = await textOf({
    kept: {
      handles: { ...handles, oldest_expired_at: null },
      tasks: { ...tasks, oldest_due_at: null, oldest_expired_at: null },
    },
  });
  expect(text).toContain("Handles active 12,345 expired, not yet deleted 2");
  expect(text).toContain("wait to be run 2 wait for their client 3 ended 4 expired, not yet deleted 5");
});

test("in an outage it is said that the numbers are old, why, and what to do", async () => {
  const fault = { kind: "quota_exceeded", sqlstate: "53400" } as const;
  const text = await textOf({}, { fault });
  expect(text).toContain(
    "Unhealthy Ask now The database cannot be used. Clients are refused with 503. What the plan includes is used up.",
  );
  expect(text).toContain("The numbers below are the last that are known: counted 2026-11-26 11:58:00 UTC");
  const unknown = await textOf({}, { fault, overview: undefined });
  expect(unknown).toContain("Unhealthy");
  expect(unknown).not.toContain("The numbers below");
  expect(await textOf({})).not.toContain("The numbers below");
});

test.each([
  [0, "Each look at this page asks the database once."],
  [1, "Numbers are shared for 1 s, so that a look costs nothing."],
  [60, "Numbers are shared for 1 min, so that a look costs nothing."],
])("numbers that are shared for %d seconds say so", async (maxAgeSeconds, sentence) => {
  const text = await textOf({}, { maxAgeSeconds });
  expect(text).toContain(`2 min ago. ${sentence}`);
  expect(text.match(/Each look|Numbers are shared/g)).toHaveLength(1);
});

test.each([
  [0, "just now"],
  [1999, "just now"],
  [2000, "2 s ago"],
  [-5000, "just now"],
])("what was %d ms ago was %s", async (ms, words) => {
  const later = new Date(at("26T11:58:00").getTime() + ms);
  expect(await textOf({}, { now: later })).toContain(`Counted 2026-11-26 11:58:00 UTC , ${words}. `);
});
