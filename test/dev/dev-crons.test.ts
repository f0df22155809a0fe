// The schedule of the dev loop, and what one firing says.
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type FiredCron, fireAt, scheduledUrl, startCrons } from "../../dev/crons.ts";

// A Sunday.
const START = Date.parse("2026-11-22T09:55:30.500Z");
const MINUTE_MS = 60_000;

describe("the schedule", () => {
  let stop = () => {};
  let log: string[];
  beforeEach(() => {
    log = [];
    vi.useFakeTimers({ now: START, toFake: ["setTimeout", "clearTimeout", "Date"] });
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  const start = (crons: string[], fire: (fired: FiredCron) => Promise<string> = async () => "ok") => {
    const fired: [string, string][] = [];
    stop = startCrons({
      crons,
      fire: (one) => {
        fired.push([one.cron, new Date(one.scheduledTimeMs).toISOString()]);
        return fire(one);
      },
      log: (line) => log.push(line),
    });
    return fired;
  };

  test("fires each cron at its minute, with that minute as the scheduled time", async () => {
    const fired = start(["*/10 * * * *", "0 * * * *"]);
    await vi.advanceTimersByTimeAsync(4.5 * MINUTE_MS - 501);
    expect(fired).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(fired).toEqual([
      ["*/10 * * * *", "2026-11-22T10:00:00.000Z"],
      ["0 * * * *", "2026-11-22T10:00:00.000Z"],
    ]);
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
    expect(fired.map(([, at]) => at.slice(11, 16)).join(" ")).toBe(
      "10:00 10:00 10:10 10:20 10:30 10:40 10:50 11:00 11:00",
    );
    expect(log[0]).toMatch(/^cron \*\/10 \* \* \* \* of 10:00 UTC: ok \(\d+ ms\)$/);
  });

  test("counts weekdays as Cloudflare does, from 1 for Sunday", async () => {
    const fired = start(["0 12 * * 1", "0 12 * * 2", "30 12 * * SUN"]);
    await vi.advanceTimersByTimeAsync(24 * 60 * MINUTE_MS);
    expect(fired.map(([cron]) => cron)).toEqual(["0 12 * * 1", "30 12 * * SUN"]);
  });

  test("goes on after a firing that failed", async () => {
    const fired = start(["* * * * *"], () => Promise.reject(new Error("refused")));
    await vi.advanceTimersByTimeAsync(2 * MINUTE_MS);
    expect(fired).toHaveLength(2);
    expect(log).toEqual([
      expect.stringMatching(/^cron \* \* \* \* \* of 09:56 UTC: failed: refused/),
      expect.stringMatching(/^cron \* \* \* \* \* of 09:57 UTC: failed: refused/),
    ]);
  });

  test("does not wait for a firing that is still running", async () => {
    const fired = start(["* * * * *"], () => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(3 * MINUTE_MS);
    expect(fired).toHaveLength(3);
  });

  test("fires once, late, what a sleeping machine missed", async () => {
    const fired = start(["*/10 * * * *"]);
    vi.setSystemTime(START + 180 * MINUTE_MS);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(fired).toEqual([["*/10 * * * *", "2026-11-22T10:00:00.000Z"]]);
    await vi.advanceTimersByTimeAsync(4 * MINUTE_MS);
    expect(fired[1]).toEqual(["*/10 * * * *", "2026-11-22T13:00:00.000Z"]);
  });

  test("waits for a cron that is months away", async () => {
    const fired = start(["0 0 1 6 *"]);
    await vi.advanceTimersByTimeAsync(60 * 24 * 60 * MINUTE_MS);
    expect(fired).toEqual([]);
  });

  test("ends when it is stopped", async () => {
    const fired = start(["* * * * *"]);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    stop();
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
    expect(fired).toHaveLength(1);
  });

  test.each(["0 99 * * *", "* * * * * *", "now"])("refuses %j with the reason", (cron) => {
    expect(() => start([cron])).toThrow(`"${cron}" in wrangler.toml is not a cron expression: `);
  });
});

describe("one firing", () => {
  const cron = "*/10 * * * *";

  test("asks for the cron as it is written and for its scheduled time", () => {
    const url = new URL(scheduledUrl("http://127.0.0.1:8787", cron, 1_700_000_000_000));
    expect(url.pathname).toBe("/cdn-cgi/local/scheduled");
    expect(Object.fromEntries(url.searchParams)).toEqual({ cron, format: "json", time: "1700000000000" });
  });

  test.each([
    [200, '{"outcome":"ok","noRetry":false}', "ok"],
    [500, '{"outcome":"exception","noRetry":false}', "exception"],
    [404, "Not found", "HTTP 404"],
  ])("that is answered with %i %s says %s", async (status, body, said) => {
    const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const never = new AbortController().signal;
    expect(await fireAt(`http://127.0.0.1:${port}`, { cron, scheduledTimeMs: 0 }, never)).toBe(said);
    server.closeAllConnections();
    server.close();
  });
});
