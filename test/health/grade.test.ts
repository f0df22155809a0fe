import { expect, test } from "vitest";
import { parseCron } from "../../src/cleanup/tiers.ts";
import {
  type Census,
  degradations,
  grade,
  type LastRun,
  overdueSeconds,
  possibleDegradations,
} from "../../src/health/grade.ts";

const quiet = { lastRun: null, failuresInARow: 0, lastSuccessAt: null };

const blocking: LastRun = {
  outcome: "completed",
  trigger: "cron",
  scheduled_at: null,
  started_at: null,
  finished_at: null,
  deleted: 0,
  batches: 0,
  error_code: null,
  blocked: 1,
};

const census = (over: Partial<Census> = {}): Census => ({
  total: 1000,
  expired: 0,
  expiredAtLeast: 0,
  wakesAt: undefined,
  isOverdue: false,
  oldestExpiredAt: null,
  totals: {},
  mayHideRows: false,
  history: { regular: quiet, immediate: quiet },
  ...over,
});

const limits = {
  expiredRatioMax: 1,
  activeTiers: ["regular"],
  crons: { regular: parseCron("0 * * * *"), immediate: parseCron("*/10 * * * *") },
} as const;

test.each([
  ["nothing", census(), []],
  ["a ratio at its limit", census({ total: 400, expired: 200 }), []],
  ["a ratio above its limit", census({ total: 401, expired: 201 }), ["expired_ratio_high"]],
  ["no active session beside 100 expired ones", census({ total: 100, expired: 100 }), []],
  ["no active session beside 101 expired ones", census({ total: 101, expired: 101 }), ["expired_ratio_high"]],
  ["an overdue session", census({ expired: 1, isOverdue: true }), ["cleanup_overdue"]],
  ["two failures", census({ history: { regular: { ...quiet, failuresInARow: 2 }, immediate: quiet } }), []],
  [
    "three failures",
    census({ history: { regular: { ...quiet, failuresInARow: 3 }, immediate: quiet } }),
    ["cleanup_failing"],
  ],
  [
    "failures of a tier that is off",
    census({ history: { regular: quiet, immediate: { ...quiet, failuresInARow: 9 } } }),
    [],
  ],
  [
    "a blocked session",
    census({ history: { regular: { ...quiet, lastRun: blocking }, immediate: quiet } }),
    ["cleanup_blocked"],
  ],
  [
    "a blocked session of a tier that is off",
    census({ history: { regular: quiet, immediate: { ...quiet, lastRun: blocking } } }),
    [],
  ],
  ["rows that may be hidden", census({ mayHideRows: true }), ["rows_hidden"]],
  [
    "everything at once",
    census({
      total: 300,
      expired: 200,
      isOverdue: true,
      history: { regular: { ...quiet, failuresInARow: 4 }, immediate: quiet },
    }),
    ["cleanup_overdue", "cleanup_failing", "expired_ratio_high"],
  ],
] as const)("%s", (_, given, reasons) => {
  expect(grade(given, limits)).toEqual(reasons);
});

test.each([
  ["cleanup_failing", { ...quiet, failuresInARow: 3 }],
  ["cleanup_blocked", { ...quiet, lastRun: blocking }],
] as const)("%s is about either of two active tiers", (reason, history) => {
  const both = { ...limits, activeTiers: ["regular", "immediate"] } as const;
  expect(grade(census({ history: { regular: quiet, immediate: history } }), both)).toEqual([reason]);
  expect(grade(census({ history: { regular: history, immediate: quiet } }), both)).toEqual([reason]);
});

test("cleanup is overdue after two intervals of its cron", () => {
  expect(overdueSeconds(limits, new Date("2026-11-23T10:30:00Z"))).toBe(7200);
});

test("tasks are overdue when the database says so", () => {
  for (const [isOverdue, reasons] of [
    [true, ["tasks_overdue"]],
    [false, []],
    [undefined, []],
  ] as const)
    expect(grade(census({ kept: { is_overdue: isOverdue } }), limits)).toEqual(reasons);
});

test("without tasks none can be overdue, and every other reason can be", () => {
  const tasks = {
    working: 0,
    input_required: 0,
    ended: 0,
    expired: 0,
    due: 0,
    oldest_due_at: null,
    oldest_expired_at: null,
  };
  const others = [
    "cleanup_overdue",
    "cleanup_failing",
    "cleanup_blocked",
    "expired_ratio_high",
    "rows_hidden",
  ];
  expect(possibleDegradations({})).toEqual(others);
  expect(possibleDegradations({ kept: {} })).toEqual(others);
  expect(possibleDegradations({ kept: { tasks } })).toEqual([...others, "tasks_overdue"]);
  expect(degradations).toEqual([...others, "tasks_overdue"]);
});
