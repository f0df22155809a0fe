// The lists and the charts of operators, as a person with Chromium uses them; everything also without scripts.
import * as fc from "fast-check";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { barChart } from "../../src/page/bar-chart.ts";
import { startSystem, type System, type TestWorker } from "../e2e/support.ts";
import { expectGood, pathOfSession, seed, signIn } from "./operator.ts";
import { openBrowser } from "./support.ts";

let system: System;
let worker: TestWorker;
let browser: Browser;
beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem(), openBrowser()]);
  worker = await system.startWorker({
    ADMIN_PAGE: "true",
    MCP_REGULAR_CLEANUP_CRON: "0 0 1 1 *",
    MCP_HANDLES: "true",
    MCP_TASKS: "true",
  });
});
afterAll(async () => {
  await Promise.all([browser?.close(), system?.stop()]);
});
beforeEach(async () => {
  await system.ask("TRUNCATE mcp_sessions, mcp_cleanup_runs, mcp_session_totals RESTART IDENTITY");
  await seed(system);
});

async function opened(javaScriptEnabled: boolean, use: (page: Page) => Promise<void>): Promise<void> {
  const context = await browser.newContext({ javaScriptEnabled, viewport: { width: 1280, height: 900 } });
  try {
    const page = await context.newPage();
    await signIn(page, worker.url, system.keys.operator);
    await use(page);
  } finally {
    await context.close();
  }
}

const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });
const activeOf = async (principal: string) =>
  Number(
    (
      await system.ask<{ count: string }>(
        "SELECT count(*) FROM mcp_sessions WHERE principal = $1 AND expires_at > now()",
        [principal],
      )
    )[0]?.count,
  );

/** From now on deletions wait until `release`. */
async function holdDeletions() {
  await system.ask("CREATE TABLE IF NOT EXISTS gate (is_open boolean)");
  await system.ask("TRUNCATE gate");
  await system.ask(`CREATE OR REPLACE FUNCTION be_held() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    'BEGIN WHILE NOT EXISTS (SELECT FROM public.gate) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN OLD; END'`);
  await system.ask(
    "CREATE OR REPLACE TRIGGER held BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION be_held()",
  );
  return { release: () => system.ask("INSERT INTO gate VALUES (true)") };
}

describe.each([
  ["with scripts", true],
  ["without scripts", false],
])("%s", (_, hasScripts) => {
  test("sessions are found by the filter, and one of them is ended after a question", async () => {
    await opened(hasScripts, async (page) => {
      await page.getByRole("link", { name: "Sessions", exact: true }).click();
      await page.getByLabel("Principal").fill("bob");
      await page.getByLabel("State").selectOption("active");
      await page.getByLabel("Client").fill("CURSOR");
      await page.getByRole("button", { name: "Filter" }).click();
      await page.waitForURL(/principal=bob/);
      const rows = page.locator("tbody tr");
      const found = await activeOf("bob");
      expect(await rows.count()).toBe(Math.min(found, 50));
      expect(await page.getByLabel("Principal").inputValue()).toBe("bob");

      await rows.first().getByRole("link").first().click();
      await heading(page, /^Session [0-9a-f]{8}$/).waitFor();
      await page.getByRole("link", { name: "End this session…" }).click();
      await heading(page, "End this session?").waitFor();
      expect(await activeOf("bob")).toBe(found);
      await page.getByRole("button", { name: "End this session" }).click();
      await page.getByText("ended", { exact: true }).waitFor();
      expect(await activeOf("bob")).toBe(found - 1);
      expect(await page.getByRole("link", { name: "End this session…" }).count()).toBe(0);
    });
  });

  test("all sessions of a principal are ended after a question that says how many", async () => {
    await opened(hasScripts, async (page) => {
      const found = await activeOf("alice");
      await page.goto(`${worker.url}/admin/sessions?principal=alice`);
      await page.getByRole("link", { name: "End all sessions of this principal…" }).click();
      await page.getByText(`This ends ${found} active sessions of alice`).waitFor();
      await page.getByRole("button", { name: "End them all" }).click();
      await page.getByText(`Ended: ${found} of alice`).waitFor();
      expect(await activeOf("alice")).toBe(0);
      expect(await activeOf("bob")).toBeGreaterThan(0);
    });
  });

  test("a run is started, followed while it works, and seen to end by itself", async () => {
    await opened(hasScripts, async (page) => {
      const { release } = await holdDeletions();
      await page.goto(`${worker.url}/admin/runs`);
      await page.getByRole("link", { name: "Run regular now…" }).click();
      await page.getByRole("button", { name: "Run regular now" }).click();
      await page.getByText("It is at work").waitFor();
      await expectGood(page, `run-at-work-${hasScripts ? "scripts" : "plain"}`, hasScripts);
      await release();
      // Nobody clicks.
      await page.getByText("completed", { exact: true }).waitFor();
      expect(await page.getByText("It is at work").count()).toBe(0);
      expect(await page.locator("[data-again]").count()).toBe(0);
    });
  });

  test("the history has its numbers as tables that open without a mouse", async () => {
    await opened(hasScripts, async (page) => {
      await page.goto(`${worker.url}/admin/history?window=week`);
      expect(await page.getByRole("img").count()).toBe(6);
      const summary = page.locator("summary").first();
      await summary.focus();
      await page.keyboard.press("Enter");
      const table = page.getByRole("table", { name: /^Sessions, by 6 hours/ });
      await table.waitFor();
      expect(await table.getByRole("row").count()).toBe(30);
      await page.getByRole("link", { name: "Month" }).click();
      await page.waitForURL(/window=month/);
      expect(await page.getByRole("link", { name: "Month" }).getAttribute("aria-current")).toBe("true");
    });
  });
});

test("a handle is ended and a task cancelled after a question, on a phone, too", async () => {
  await system.ask(`INSERT INTO mcp_handles (handle_hash, owner, kind, value, created_at, last_used_at, expires_at)
    SELECT encode(sha256(i::text::bytea), 'hex'), 'alice', 'cart', '{}', now(), now(), now() + interval '1 hour' FROM generate_series(1, 3) i`);
  await system.ask(`INSERT INTO mcp_tasks (task_hash, owner, tool, max_attempts, on_lost, poll_ms, expires_at)
    VALUES (repeat('b', 64), 'bob', 'report', 3, 'retry', 1000, now() + interval '1 hour')`);
  await opened(true, async (page) => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByRole("link", { name: "Handles" }).click();
    await page.getByLabel("Kind").fill("cart");
    await page.getByRole("button", { name: "Filter" }).click();
    const rows = page.locator("tbody tr");
    expect(await rows.count()).toBe(3);
    await expectGood(page, "handles");
    await rows.first().getByRole("link", { name: "End…" }).click();
    await heading(page, "End this handle?").waitFor();
    await page.getByRole("button", { name: "End this handle" }).click();
    await page.getByText("ended", { exact: true }).waitFor();

    await page.getByRole("link", { name: "Tasks" }).click();
    await page.locator("tbody tr").getByRole("link").first().click();
    await page.getByRole("link", { name: "Cancel this task…" }).click();
    await expectGood(page, "task-end");
    await page.getByRole("button", { name: "Cancel this task" }).click();
    await page.getByText("cancelled", { exact: true }).waitFor();
  });
  expect(await system.ask("SELECT version FROM mcp_handles ORDER BY version")).toEqual(
    [0, 1, 1].map((version) => ({ version })),
  );
  expect(await system.ask("SELECT status FROM mcp_tasks")).toEqual([{ status: "cancelled" }]);
});

test("a session that is gone is a page that says so", async () => {
  await opened(true, async (page) => {
    await system.ask("DELETE FROM mcp_sessions");
    const response = await page.goto(`${worker.url}${pathOfSession(1)}`);
    expect(response?.status()).toBe(404);
    await page.getByText("There is no session with this handle").waitFor();
  });
});

test("a chart of any numbers is well-formed XML, and nothing of it lies outside", async () => {
  const value = fc.option(
    fc.oneof(fc.integer({ min: 0, max: 20 }), fc.double({ min: 0, max: 9e15, noNaN: true })),
    { nil: null },
  );
  const samples = fc.sample(
    fc.tuple(fc.string(), fc.string({ unit: "grapheme" }), fc.array(value, { minLength: 1, maxLength: 40 })),
    100,
  );
  const charts = await Promise.all(
    samples.map(async ([title, unit, values]) => {
      const bars = values.map((of, i) => ({
        from: new Date(i * 3_600_000),
        value: of,
        isOpen: i % 7 === 6,
        ...(i % 5 === 4 && { alarm: title }),
      }));
      const [first = { from: new Date(0), value: 0, isOpen: false }, ...rest] = bars;
      // XML has no place for the rest, and no title of ours has it.
      const storable = (text: string) => text.replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "");
      const [name, axis] = [storable(title), storable(unit)];
      return String(
        await barChart({
          id: "c",
          title: name,
          unit: axis,
          axis,
          barSeconds: 3600,
          isWhole: false,
          bars: [first, ...rest.map((bar) => ("alarm" in bar ? { ...bar, alarm: name } : bar))],
        }),
      );
    }),
  );
  await opened(true, async (page) => {
    const problems = await page.evaluate<string[]>(
      `((charts) => charts.flatMap((chart) => {
        const xml = new DOMParser().parseFromString(chart.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"'), "application/xml");
        const error = xml.querySelector("parsererror");
        if (error) return [error.textContent + chart.slice(0, 200)];
        const svg = document.body.appendChild(document.importNode(xml.documentElement, true));
        const box = svg.getBoundingClientRect();
        const outside = [...svg.querySelectorAll("rect:not(pattern *), line, path, text")].filter((part) => {
          const { left, right, top, bottom } = part.getBoundingClientRect();
          return left < box.left - 1 || right > box.right + 1 || top < box.top - 1 || bottom > box.bottom + 1;
        });
        svg.remove();
        return outside.filter((part) => part.textContent.length < 12).map((part) => part.outerHTML);
      }))(${JSON.stringify(charts)})`,
    );
    expect(problems).toEqual([]);
  });
});
