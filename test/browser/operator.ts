// An operator with Chromium, at the pages of a Worker with sessions and runs of all kinds in its database.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import type { System } from "../e2e/support.ts";
import { expectAccessible } from "./support.ts";

/** Every page that an operator can open, by the name of its picture. */
export const operatorPages: Record<string, string> = {
  home: "/",
  overview: "/admin",
  connect: "/admin/connect",
};

/** Sessions of three clients and all ages, and the records of runs that ended in every way. */
export async function seed({ ask }: Pick<System, "ask">): Promise<void> {
  await ask(`
    INSERT INTO mcp_sessions (session_id, created_at, last_active, expires_at, principal, client_info)
    SELECT encode(sha256(i::text::bytea), 'hex'), now() - i * interval '7 minutes' - interval '1 day',
           now() - i * interval '5 minutes', now() + interval '20 hours' - i * interval '9 minutes',
           (ARRAY['alice', 'bob', 'ci'])[i % 3 + 1],
           jsonb_build_object('name', (ARRAY['claude-code', 'cursor', 'inspector'])[i % 3 + 1], 'version', '1.' || i % 7)
      FROM generate_series(1, 220) AS i`);
  await ask(`
    INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted, batches, error_code)
    SELECT CASE WHEN i % 4 = 0 THEN 'immediate' ELSE 'regular' END, 'cron', at, at, at, at + i * interval '37 milliseconds',
           (ARRAY['completed', 'completed', 'partial', 'completed', 'failed'])[i % 5 + 1], i * 13 % 190, i % 4,
           CASE WHEN i % 5 = 4 THEN '57014' END
      FROM generate_series(1, 60) AS i, LATERAL (SELECT date_trunc('hour', now()) - (60 - i) * interval '1 hour' AS at) AS t`);
}

export async function signIn(page: Page, url: string, key: string): Promise<void> {
  await page.goto(`${url}/admin`);
  await page.getByLabel("Your key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

export const looks = {
  "light-desktop": { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  "dark-desktop": { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  "light-phone": { colorScheme: "light", viewport: { width: 360, height: 740 } },
  "dark-phone": { colorScheme: "dark", viewport: { width: 360, height: 740 } },
} as const;
export type Look = keyof typeof looks;

// They are kept in the folder SCREENSHOTS when there is one, to be looked at.
const pictures = process.env["SCREENSHOTS"] ?? mkdtempSync(join(tmpdir(), "operator-pages-"));

/** The page on the screen breaks no rule of axe-core, and nothing of it is wider than the screen. Keeps a picture. */
export async function expectGood(page: Page, name: string): Promise<void> {
  await expectAccessible(page);
  const wide = await page.evaluate<string[]>(`
    document.documentElement.scrollWidth <= innerWidth ? [] :
      [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre"))
        .map((e) => e.outerHTML.slice(0, 120))`);
  expect(wide, `${name} is wider than the screen`).toEqual([]);
  await keepPicture(page, name);
}

export async function keepPicture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

/** Collects what a page reports of scripts and of its policy: there must be nothing. */
export function troubles(context: BrowserContext): string[] {
  const found: string[] = [];
  context.on("weberror", (error) => found.push(String(error.error())));
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") found.push(message.text());
  });
  return found;
}
