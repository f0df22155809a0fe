// `npm run pictures`: draws the pictures of docs/page.md anew, in a real Chromium over a Worker with made-up sessions and runs.
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Page } from "playwright-core";
import { startSystem, type System } from "../e2e/support.ts";
import { seed, signIn } from "./operator.ts";
import { openBrowser } from "./support.ts";

interface Picture {
  path: string;
  /** What is done before it is drawn. */
  before?: (page: Page, system: System) => Promise<unknown>;
  height: number;
}

// A page of the manual shows them at this width; twice the pixels would be three times the bytes.
const WIDTH = 880;
const MAX_BYTES = 60 * 1024;

const pictures: Record<string, Picture> = {
  overview: { path: "/admin", height: 580 },
  connect: { path: "/admin/connect", height: 520 },
  sessions: { path: "/admin/sessions?principal=alice", height: 420 },
  history: { path: "/admin/history?window=week", height: 660 },
  outage: {
    path: "/admin",
    height: 420,
    before: async (page, { postgres }) => {
      await postgres.stop();
      await page.getByRole("button", { name: "Ask now" }).click();
      await page.getByRole("heading", { name: "Unhealthy" }).waitFor();
    },
  },
};

process.chdir(dirname(dirname(import.meta.dirname)));
const [system, browser] = await Promise.all([startSystem(), openBrowser()]);
try {
  await seed(system);
  await system.ask(
    "UPDATE mcp_sessions SET expires_at = now() + interval '9 hours' WHERE expires_at < now()",
  );
  const worker = await system.startWorker({ ADMIN_PAGE: "true" });
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 420 }, locale: "en-GB" });
  await page.goto(`${worker.url}/admin`);
  await draw(page, "sign-in", 420);
  await signIn(page, worker.url, system.keys.operator);
  for (const [name, { path, before, height }] of Object.entries(pictures)) {
    await page.goto(`${worker.url}${path}`);
    await before?.(page, system);
    await draw(page, name, height);
  }
} finally {
  await Promise.all([browser.close(), system.stop()]);
}

async function draw(page: Page, name: string, height: number): Promise<void> {
  const path = `docs/pictures/${name}.png`;
  await page.setViewportSize({ width: WIDTH, height });
  await page.screenshot({ path });
  const { size } = statSync(path);
  process.stdout.write(`${path}: ${size} bytes\n`);
  if (size > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES} bytes: show less of the page`);
}
