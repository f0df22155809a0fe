import { expect, test } from "vitest";
import { intervalSeconds, parseCron, runsIn, tierForCron, UnknownCron } from "../../src/cleanup/tiers.ts";

const crons = { regular: "0 * * * *", immediate: "*/10 * * * *" };

test("a cron starts the tier that has exactly its string", () => {
  expect(tierForCron("0 * * * *", crons)).toBe("regular");
  expect(tierForCron("*/10 * * * *", crons)).toBe("immediate");
});

test.each(["", "0 * * * * ", "0  * * * *", "*/5 * * * *", "toString"])("%o starts no tier", (cron) => {
  expect(() => tierForCron(cron, crons)).toThrow(UnknownCron);
});

test("a cron of no tier says which variables must be the same", () => {
  expect(() => tierForCron("5 5 * * *", crons)).toThrow(
    'No cleanup tier has the cron "5 5 * * *": MCP_REGULAR_CLEANUP_CRON and MCP_IMMEDIATE_CLEANUP_CRON must say the same as the triggers in wrangler.toml',
  );
});

test("the regular tier runs in both modes, the immediate one in aggressive mode only", () => {
  expect(runsIn("regular", "standard")).toBe(true);
  expect(runsIn("regular", "aggressive")).toBe(true);
  expect(runsIn("immediate", "standard")).toBe(false);
  expect(runsIn("immediate", "aggressive")).toBe(true);
});

test.each([
  ["*/10 * * * *", "2026-11-23T10:35:00Z", 600],
  ["0 * * * *", "2026-11-23T10:30:00Z", 3600],
  ["30 2 * * *", "2026-11-23T10:30:00Z", 86_400],
  // The night is over: the next interval is short, the last one was long.
  ["0 9-17 * * *", "2026-11-23T09:00:01Z", 16 * 3600],
  ["0 9-17 * * *", "2026-11-23T12:30:00Z", 3600],
  ["0 9-17 * * *", "2026-11-23T20:00:00Z", 16 * 3600],
  // Cloudflare counts weekdays from Sunday = 1, so 2-6 is Monday to Friday; the 22nd is a Sunday.
  ["0 0 * * 2-6", "2026-11-22T12:00:00Z", 3 * 86_400],
  ["0 0 * * 2-6", "2026-11-24T12:00:00Z", 86_400],
  ["0 0 * * 2-6", "2026-11-28T12:00:00Z", 3 * 86_400],
  ["0 0 * * MON-FRI", "2026-11-22T12:00:00Z", 3 * 86_400],
  ["0 0 1 * *", "2026-11-23T10:30:00Z", 31 * 86_400],
])("around an event of %s, at %s, the interval is %i s", (cron, now, seconds) => {
  expect(intervalSeconds(parseCron(cron), new Date(now))).toBe(seconds);
});

test.each(["", "hourly", "0 * * *", "0 0 * * * *", "61 * * * *", "0 0 30 2 *"])("%o is no cron", (cron) => {
  expect(() => parseCron(cron)).toThrow();
});
