// How a line is written, for programs and for people, and which lines are.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { configureLog, configureLogOnce, errorName, logManual, logOf } from "../src/log.ts";

let written: [method: string, line: string][] = [];
beforeEach(() => {
  written = [];
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-01-02T03:04:05.678Z") });
  for (const method of ["debug", "info", "warn", "error"] as const)
    vi.spyOn(console, method).mockImplementation((line: string) => void written.push([method, line.trim()]));
});
afterEach(() => void vi.useRealTimers());

const lines = { "It happened": { meaning: "A test.", fields: ["session", "active", "tier"] } } as const;
const log = logOf("a test", { debug: lines, info: lines, warning: lines, error: lines });
const levels = ["debug", "info", "warning", "error"] as const;
const happen = () =>
  levels.forEach((level) => log[level]("It happened", { active: true, session: undefined }));
const levelsOf = (level: (typeof levels)[number]) => {
  written = [];
  configureLog({ level, format: "json" });
  happen();
  return written.map(([method]) => method);
};

test("programs get one object, without the fields that have nothing to say", () => {
  configureLog({ level: "info", format: "json" });
  log.info("It happened", { active: false, session: undefined, tier: "regular" });
  expect(written.map(([method, line]) => [method, JSON.parse(line)])).toEqual([
    [
      "info",
      {
        "@timestamp": "2026-01-02T03:04:05.678Z",
        level: "INFO",
        logger: "mcp-sessions.a test",
        message: "It happened",
        active: false,
        tier: "regular",
      },
    ],
  ]);
});

test("people get a sentence", () => {
  configureLog({ level: "info", format: "text" });
  log.warning("It happened", { active: true, session: undefined, tier: 'a "b"' });
  log.error("It happened");
  expect(written).toEqual([
    ["warn", '03:04:05.678 WARNING It happened active=true tier="a \\"b\\""'],
    ["error", "03:04:05.678 ERROR It happened"],
  ]);
});

test("what is less severe than the level is not written", () => {
  expect(levels.map((level) => levelsOf(level).length)).toEqual([4, 3, 2, 1]);
  expect(levelsOf("debug")).toEqual(["debug", "info", "warn", "error"]);
});

test("a program that has configured its own lines keeps them", () => {
  configureLog({ level: "error", format: "json" });
  configureLogOnce({ level: "debug", format: "json" });
  happen();
  expect(written).toHaveLength(1);
});

test("the manual has each line with its subject and level", () => {
  const own = logManual.filter(({ subject }) => subject === "a test");
  expect(own).toEqual(
    levels.map((level) => ({ subject: "a test", level, message: "It happened", ...lines["It happened"] })),
  );
});

test("of an error only its name is said", () => {
  expect([new TypeError("a secret"), "a secret", null].map((error) => errorName(error))).toEqual([
    "TypeError",
    "string",
    "object",
  ]);
});
