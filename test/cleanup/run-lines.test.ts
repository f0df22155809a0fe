// What a run says of itself, whatever the database has answered.
import { expect, test, vi } from "vitest";
import { clean, CleanupFailed, runCleanupOnce, runImmediateCleanup } from "../../src/cleanup/clean.ts";
import type { CleanupReport } from "../../src/cleanup/store.ts";
import { logged } from "../support/captured-logs.ts";

const TIME = new Date("2026-01-01T00:00:00Z");
const done: CleanupReport = {
  runId: 7,
  outcome: "completed",
  deleted: 2,
  batches: 1,
  errorCode: null,
  earliestExpiry: null,
  blocked: 0,
  blockedBy: null,
};
const line = { tier: "regular", duration_ms: 70, run_id: 7, batches: 1 };

/** Runs of 70 ms, which end like this. */
function storeOf(end: Partial<CleanupReport> | Error) {
  let now = 1_000_000;
  vi.spyOn(Date, "now").mockImplementation(() => now);
  const asked: [string, Date][] = [];
  const store = {
    async clean(tier: string, currentTime: Date) {
      asked.push([tier, currentTime]);
      now += 70;
      if (end instanceof Error) throw end;
      return { ...done, ...end };
    },
  };
  return { store, asked };
}

const lines = () => logged().map(({ level, message, ...fields }) => [level, message, fields]);

test("each tier is run as of its time, and tells how many it has deleted", async () => {
  const { store, asked } = storeOf({});
  expect(await runCleanupOnce(store, TIME)).toBe(2);
  expect(await runImmediateCleanup(store, TIME)).toBe(2);
  expect(asked).toEqual([
    ["regular", TIME],
    ["immediate", TIME],
  ]);
});

test.each<[string, Partial<CleanupReport>, string, string, object]>([
  [
    "deleted",
    {},
    "INFO",
    "MCP session cleanup: deleted 2 expired sessions",
    { outcome: "completed", deleted: 2 },
  ],
  [
    "deleted, with more to do",
    { outcome: "partial" },
    "INFO",
    "MCP session cleanup: deleted 2 expired sessions",
    { outcome: "partial", deleted: 2 },
  ],
  [
    "nothing to do",
    { deleted: 0 },
    "DEBUG",
    "MCP session cleanup: no expired sessions to delete",
    { outcome: "completed", deleted: 0 },
  ],
  [
    "skipped",
    { outcome: "skipped", deleted: 0, errorCode: "busy" },
    "INFO",
    "MCP session cleanup: skipped",
    { outcome: "skipped", deleted: 0, reason: "busy" },
  ],
])("one line: %s", async (_, end, level, message, fields) => {
  const { store } = storeOf(end);
  expect(await clean(store, "regular", TIME)).toEqual({ ...done, ...end });
  expect(lines()).toEqual([[level, message, expect.objectContaining({ ...line, ...fields })]]);
  expect(logged()[0]).not.toHaveProperty("blocked");
});

test("sessions that cannot be deleted are a warning beside the line of the run", async () => {
  const { store } = storeOf({ blocked: 3, blockedBy: "23503" });
  await clean(store, "regular", TIME);
  expect(lines()).toEqual([
    [
      "WARN",
      "MCP session cleanup: 3 expired sessions cannot be deleted",
      expect.objectContaining({ tier: "regular", run_id: 7, blocked: 3, blocked_by: "23503" }),
    ],
    ["INFO", "MCP session cleanup: deleted 2 expired sessions", expect.objectContaining(line)],
  ]);
});

test("a run that failed is an error, with what it has deleted", async () => {
  const { store } = storeOf({ outcome: "failed", errorCode: "57014" });
  const error: unknown = await clean(store, "regular", TIME).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CleanupFailed);
  expect(error).toMatchObject({
    name: "CleanupFailed",
    message: "regular cleanup failed after 2 deletions (57014)",
    report: { deleted: 2, outcome: "failed" },
  });
  expect(lines()).toEqual([
    [
      "ERROR",
      "session_cleanup_task_failed",
      expect.objectContaining({
        ...line,
        kind: "run_failed",
        sqlstate: "57014",
        outcome: "failed",
        deleted: 2,
      }),
    ],
  ]);
});

test("what no database has said is an error by its name alone", async () => {
  const { store } = storeOf(new TypeError("with a secret"));
  await expect(clean(store, "immediate", TIME)).rejects.toThrow(TypeError);
  const [own, ...others] = logged();
  expect(others).toEqual([]);
  expect(own).toMatchObject({ level: "ERROR", tier: "immediate", duration_ms: 70, error: "TypeError" });
  expect(JSON.stringify(own)).not.toContain("secret");
});
