// An operator with Chromium, at the pages of a Worker with sessions and runs of all kinds in its database.
import { createHash } from "node:crypto";
import type { BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import type { System } from "../e2e/support.ts";
import { expectAccessible, keepPicture } from "./support.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Where the session with this number in `seed` is shown. */
export const pathOfSession = (number: number): string => {
  const handle = sha256(`handle:${sha256(String(number))}`).slice(0, 32);
  return `/admin/sessions/${handle.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
};

/** Every page that an operator can open, by the name of its picture. */
export const operatorPages: Record<string, string> = {
  home: "/",
  overview: "/admin",
  connect: "/admin/connect",
  "history-day": "/admin/history",
  "history-week": "/admin/history?window=week",
  "history-month": "/admin/history?window=month",
  sessions: "/admin/sessions",
  "sessions-filtered": "/admin/sessions?principal=alice&state=active&client=claude",
  "sessions-none": "/admin/sessions?issuer=https%3A%2F%2Fissuer.example&subject=nobody",
  session: pathOfSession(1),
  "session-end": `${pathOfSession(1)}/end`,
  "sessions-end": "/admin/sessions/end?principal=alice",
  runs: "/admin/runs",
  "runs-failed": "/admin/runs?outcome=failed",
  "run-failed": "/admin/runs/59",
  "run-start": "/admin/runs/regular",
};

/** Sessions of three clients and all ages, the records of runs that ended in every way, and a month of history. */
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
  await ask(`
    INSERT INTO mcp_session_totals (name, shard, value)
    SELECT name, hour * 16, round(share * (60 + 50 * sin(hour / 3.8) + hour % 23 * 7))
      FROM (VALUES ('sessions_opened', 1), ('sessions_ended/client', 0.3), ('sessions_expired', 0.6), ('sessions_deleted/regular', 0.9)) AS t (name, share),
           generate_series(floor(extract(epoch FROM now()) / 3600)::integer - 600, floor(extract(epoch FROM now()) / 3600)::integer) AS hour
    ON CONFLICT DO NOTHING`);
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

/** The page on the screen breaks no rule of axe-core, and nothing of it is wider than the screen. Takes a picture. */
export async function expectGood(page: Page, name: string, hasScripts = true): Promise<void> {
  // axe-core is a script itself.
  if (hasScripts) await expectAccessible(page);
  const wide = await page.evaluate<string[]>(`
    document.documentElement.scrollWidth <= innerWidth ? [] :
      [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre"))
        .map((e) => e.outerHTML.slice(0, 120))`);
  expect(wide, `${name} is wider than the screen`).toEqual([]);
  await keepPicture(page, name);
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
