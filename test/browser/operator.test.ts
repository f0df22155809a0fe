// The pages of operators, as a person with Chromium meets them.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSystem, type System, type TestWorker } from "../e2e/support.ts";
import { expectGood, type Look, looks, operatorPages, seed, signIn, troubles } from "./operator.ts";
import { openBrowser } from "./support.ts";

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
          expect(await page.locator("time").allInnerTexts()).not.toContainEqual(
            expect.not.stringContaining("UTC"),
          );
          await page
            .screenshot({
              path:
                `${process.env["SCREENSHOTS"] ?? "/dev/null"}`.replace(/^\/dev\/null$/, "") +
                `/${name}-plain.png`,
              fullPage: true,
            })
            .catch(() => undefined);
        }
      },
      { javaScriptEnabled: false },
    );
  });
});
