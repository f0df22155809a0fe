// The pages of operators, as a person with Chromium meets them.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSystem, type System, type TestWorker } from "../e2e/support.ts";
import { expectGood, type Look, looks, operatorPages, seed, signIn, troubles } from "./operator.ts";
import { keepPicture, openBrowser, startSite, typeKey } from "./support.ts";

let system: System;
let worker: TestWorker;
let browser: Browser;
beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem(), openBrowser()]);
  await seed(system);
  worker = await system.startWorker({
    ADMIN_PAGE: "true",
    MCP_AGGRESSIVE_CLEANUP: "true",
    LOG_LEVEL: "info",
  });
});
afterAll(async () => {
  await Promise.all([browser?.close(), system?.stop()]);
});

/** A page of a browser of its own, signed in. */
async function opened(
  use: (page: Page, context: BrowserContext) => Promise<void>,
  { key = system.keys.operator, ...options }: { key?: string } & Parameters<Browser["newContext"]>[0] = {},
): Promise<void> {
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    await signIn(page, worker.url, key);
    await use(page, context);
  } finally {
    await context.close();
  }
}

describe("every page is good to see", () => {
  test.each(Object.keys(looks) as Look[])("%s", async (look) => {
    await opened(async (page, context) => {
      const found = troubles(context);
      for (const [name, path] of Object.entries(operatorPages)) {
        const response = await page.goto(`${worker.url}${path}`);
        expect(response?.status(), path).toBe(200);
        await expectGood(page, `${name}-${look}`);
      }
      expect(found).toEqual([]);
      await page.goto(`${worker.url}/admin/nowhere`);
      await expectGood(page, `refused-${look}`);
    }, looks[look]);
  });

  test.each(Object.keys(looks) as Look[])("the sign-in: %s", async (look) => {
    const context = await browser.newContext(looks[look]);
    const page = await context.newPage();
    await page.goto(`${worker.url}/admin`);
    await expectGood(page, `sign-in-${look}`);
    await page.getByLabel("Your key").fill("a-wrong-key-0123456789abcdef");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    await expectGood(page, `sign-in-wrong-${look}`);
    await context.close();
  });

  test("with scripts switched off", async () => {
    await opened(
      async (page) => {
        for (const [name, path] of Object.entries(operatorPages)) {
          await page.goto(`${worker.url}${path}`);
          expect(await page.getByRole("heading", { level: 1 }).count(), path).toBe(1);
          expect(await page.locator("time").allTextContents()).not.toContainEqual(
            expect.not.stringContaining("UTC"),
          );
          await keepPicture(page, `${name}-plain`);
        }
      },
      { javaScriptEnabled: false },
    );
  });
});

describe("an operator", () => {
  test("signs in, looks, and signs out with the keyboard alone", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${worker.url}/admin/connect`);
    await typeKey(page, system.keys.operator);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Connect a client" }).waitFor();
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("Skip to the page");
    await page.keyboard.press("Enter");
    await page.locator("#main:focus").waitFor();
    await page.goto(`${worker.url}/admin`);
    const stops: string[] = [];
    while (stops.at(-1) !== "Ask now" && stops.length < 30) {
      await page.keyboard.press("Tab");
      stops.push(await focused(page));
    }
    expect(stops).toEqual(
      "Skip to the page,mcp-sessions,Overview,History,Sessions,Runs,Connect,Sign out,Ask now".split(","),
    );
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByLabel("Your key").waitFor();
    await page.goto(`${worker.url}/admin`);
    expect(new URL(page.url()).pathname).toBe("/admin/sign-in");
    await context.close();
  });

  test("is let in by a cookie that Chromium keeps on this machine without TLS, and that no script sees", async () => {
    await opened(async (page, context) => {
      const [cookie, ...more] = await context.cookies();
      expect(more).toEqual([]);
      expect(cookie).toMatchObject({
        name: "__Host-mcp-admin",
        httpOnly: true,
        secure: true,
        sameSite: "Strict",
        path: "/",
      });
      expect(await page.evaluate("document.cookie")).toBe("");
    });
  });

  test("copies what a client needs, with the address of this host", async () => {
    await opened(
      async (page) => {
        await page.goto(`${worker.url}/admin/connect`);
        await page.getByRole("button", { name: "Copy the configuration of Claude Code" }).first().click();
        await page.getByText("Copied").waitFor();
        const text = await page.evaluate<string>("navigator.clipboard.readText()");
        expect(text).toContain(`claude mcp add --transport http test-server ${worker.mcp.href} --header`);
      },
      { permissions: ["clipboard-read", "clipboard-write"] },
    );
  });

  test("reads times of their own zone, and finds UTC at hand", async () => {
    await opened(
      async (page) => {
        const time = page.locator("time").first();
        const utc = (await time.getAttribute("title")) ?? "";
        expect(utc).toMatch(/^2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
        const [, here = ""] = /(\d\d):\d\d:\d\d$/.exec(await time.innerText()) ?? [];
        // Kathmandu is 5 hours and 45 minutes ahead.
        expect([5, 6]).toContain((Number(here) - Number(utc.slice(11, 13)) + 24) % 24);
      },
      { timezoneId: "Asia/Kathmandu", locale: "en-GB" },
    );
  });

  test("with a key of scope health sees no more than they may", async () => {
    await opened(
      async (page) => {
        const links = page.getByRole("navigation").getByRole("link");
        expect(await links.allInnerTexts()).toEqual(["Overview", "History"]);
        await page.goto(`${worker.url}/admin/connect`);
        await page.getByRole("heading", { name: "You may not do that" }).waitFor();
        await expectGood(page, "forbidden");
      },
      { key: system.keys.monitor },
    );
  });

  test("is told at a stopped database what is wrong, with the last numbers, and asks again when it is back", async () => {
    await opened(async (page) => {
      const figures = () => page.locator(".figures dd").allInnerTexts();
      const before = await figures();
      expect(before).toHaveLength(3);
      await system.postgres.stop();
      try {
        await page.getByRole("button", { name: "Ask now" }).click();
        await page.getByRole("heading", { name: "Unhealthy" }).waitFor();
        expect(await page.locator("main").innerText()).toContain("database_unreachable");
        expect(await figures()).toEqual(before);
        await expectGood(page, "overview-outage");
      } finally {
        await system.postgres.start();
      }
      await page.getByRole("button", { name: "Ask now" }).click();
      await page.getByRole("heading", { name: "Degraded" }).waitFor();
    });
  });

  test("is not there for a form of another site, though it has their token", async () => {
    await opened(async (page) => {
      const token = await page.locator("input[name=csrf]").first().inputValue();
      const form = `<form method="post" action="${worker.url}/admin/ask"><input name="csrf" value="${token}"><button>Go</button></form>`;
      const site = await startSite((_url, response) => response.end(`<!doctype html>${form}`));
      try {
        await page.goto(site.url.replace("127.0.0.1", "localhost"));
        const [answer] = await Promise.all([
          page.waitForResponse((response) => response.url().endsWith("/admin/ask")),
          page.getByRole("button", { name: "Go" }).click(),
        ]);
        // The cookie is Strict, so it did not even come.
        expect(answer.status()).toBe(401);
      } finally {
        await site.close();
      }
    });
  });
});

const focused = (page: Page) => page.evaluate<string>("document.activeElement.textContent.trim()");
