import { expect, test } from "vitest";
import { mergeActivity, wakeTime } from "../../src/cleanup/wake-time.ts";

// Seconds, to be read easily.
const s = (seconds: number) => seconds * 1000;
const run = { versionId: "1", ranAt: s(1000), earliestExpiry: s(5000) };
const day = { ageSeconds: 0, maxSleepSeconds: 86_400 };

test.each([
  ["when the first session expires", undefined, day, 5000],
  ["when it has been expired for the age of the tier", undefined, { ...day, ageSeconds: 60 }, 5060],
  ["after the longest sleep at most", undefined, { ...day, maxSleepSeconds: 300 }, 1300],
  ["an activity that ended before the run changes nothing", { since: s(10), until: s(1000) - 1 }, day, 5000],
  ["one that ended when the run began may be unseen", { since: s(10), until: s(1000) }, day, 1000],
  ["one that began after the run counts from its beginning", { since: s(1500), until: s(1900) }, day, 1500],
  ["one after the first expiry changes nothing", { since: s(6000), until: s(6300) }, day, 5000],
  [
    "what an activity opened is as old as the tier wants it, too",
    { since: s(1500), until: s(1900) },
    { ...day, ageSeconds: 60 },
    1560,
  ],
])("a tier wakes: %s", (_, activity, limits, seconds) => {
  expect(wakeTime(run, activity, limits)).toBe(s(seconds));
});

const activity = { since: s(2000), until: s(2300) };

test.each([
  ["nothing earlier", undefined, run, 2000],
  ["one that the run has seen", { since: s(100), until: s(1000) - 1 }, run, 2000],
  ["one that the run may not have seen", { since: s(100), until: s(1000) }, run, 100],
  ["one of which no run is known", { since: s(100), until: s(200) }, undefined, 100],
  ["one that began later, by another clock", { since: s(2100), until: s(2500) }, run, 2000],
])("an activity is joined with %s", (_, earlier, lastRun, since) => {
  expect(mergeActivity(earlier, lastRun, activity)).toEqual({ since: s(since), until: s(2300) });
});
