// How a cleanup run is written.
import { html } from "hono/html";
import { expect, test } from "vitest";
import { blockedOf, durationOf, outcomeOf, reasonOf } from "../../src/page/run-words.ts";
import { htmlOf } from "./part.ts";

test.each([
  ["running", "plain"],
  ["completed", "good"],
  ["partial", "warning"],
  ["skipped", "plain"],
  ["failed", "bad"],
] as const)("%s is %s", async (outcome, colour) => {
  expect(await htmlOf(outcomeOf({ outcome }))).toBe(`<span class="badge ${colour}">${outcome}</span>`);
});

const reasonFor = (code: string | null) => reasonOf({ outcome: "failed", error_code: code });

test("a run that has done all of its work, or goes on, has no reason", () => {
  expect(reasonOf({ outcome: "completed", error_code: null })).toBeUndefined();
  expect(reasonOf({ outcome: "running", error_code: null })).toBeUndefined();
});

test.each([
  ["busy", "Another run was at work", "Runs are skipped as busy"],
  ["duplicate", "came twice", "Cleanup"],
  ["interrupted", "The run died", "Are my crons running?"],
  ["57014", "statement_timeout of the role", "A run failed with 57014"],
])("%s is told in words", (code, text, section) => {
  const reason = reasonFor(code);
  expect(reason?.text).toContain(text);
  expect(reason?.section).toBe(section);
});

test("one that ran out of time says so, whatever its code is", () => {
  for (const code of [null, "57014"])
    expect(reasonOf({ outcome: "partial", error_code: code })).toEqual({
      text: expect.stringContaining("Its time was used up"),
      section: "Runs end as partial",
    });
});

test.each([
  // A SQLSTATE of its own, one of a class, one with other meanings by its text, and one that no rule knows.
  ["42P01", "npm run db:migrate"],
  ["53100", "A larger compute helps"],
  ["23503", "A constraint, a trigger"],
  ["XX000", "Look up the SQLSTATE"],
  ["ZZ999", "The SQLSTATE says which"],
])("of %s it says what to do", (code, todo) => {
  const reason = reasonFor(code);
  expect(reason?.text).toContain(todo);
  expect(reason?.section).toBe("Reasons of a 503");
});

test("what cannot be deleted is told with what keeps it", async () => {
  const shown = async (blocked: number, by: string | null) =>
    htmlOf(blockedOf({ blocked, blocked_by: by }) ?? html``);
  expect(await shown(0, "23503")).toBe("");
  expect(await shown(1, null)).toMatch(/^1 expired session cannot be deleted\. /);
  expect(await shown(1200, "23503")).toMatch(
    /^1,200 expired sessions cannot be deleted: <bdi>23503<\/bdi>\. /,
  );
});

test("how long it took is known when both times are", () => {
  const started = "2026-11-26T11:00:00.000Z";
  const finished = "2026-11-26T11:00:02.000Z";
  expect(durationOf({ started_at: started, finished_at: finished })).toBe("2 s");
  expect(durationOf({ started_at: started, finished_at: null })).toBeUndefined();
  expect(durationOf({ started_at: null, finished_at: finished })).toBeUndefined();
});
