// A day without anybody, and one with a single session, as cron events go through it: how often the database is asked, and
// how long a Neon compute is awake, which falls asleep five minutes after the last statement.
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { createIdleSleep } from "../../src/cleanup/idle-sleep.ts";
import { createCleanupStore } from "../../src/cleanup/store.ts";
import type { CleanupMode } from "../../src/cleanup/tiers.ts";
import { handleCron } from "../../src/cron.ts";
import { connected } from "../support/postgres.ts";
import type { Figure } from "./figures.ts";
import { onServer, type Server } from "./server.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const AUTOSUSPEND_MINUTES = 5;
const crons = { regular: "0 * * * *", immediate: "*/10 * * * *" };
const minAgeSeconds = { regular: 0, immediate: 3600 };

interface Day {
  mode: CleanupMode;
  sleeps: boolean;
  hasSession: boolean;
}

export const idle = (life: Life) =>
  onServer(async (server) => {
    const figures: Figure[] = [];
    for (const hasSession of [false, true]) {
      for (const mode of ["standard", "aggressive"] as const) {
        for (const sleeps of [false, true]) {
          const name = `${mode}${sleeps ? ", idle sleep" : ""}, ${hasSession ? "one session" : "nobody"}`;
          const { queries, awakeMinutes } = await live(life, server, { mode, sleeps, hasSession });
          figures.push(
            {
              what: `${name}: queries of cron events a day`,
              values: [queries],
              digits: 0,
              ...(sleeps && !hasSession && { goal: { atMost: 2 } }),
            },
            { what: `${name}: minutes awake`, values: [awakeMinutes], digits: 0 },
          );
        }
      }
    }
    return figures;
  });

let days = 0;

/** The second of two days, so that it begins as a day does. */
async function live(life: Life, server: Server, { mode, sleeps, hasSession }: Day) {
  const database = `day_${++days}`;
  await server.admin(`CREATE DATABASE ${database}`);
  await migrate(server.config(database));
  // In the past, because the database's clock caps what a run may delete.
  const start = Math.floor(Date.now() / DAY) * DAY - 10 * DAY;
  let now = start;
  const records = new Map<string, string>();
  const kv = {
    get: async (key: string) => records.get(key) ?? null,
    put: async (key: string, value: string) => void records.set(key, value),
  };
  const sleep = createIdleSleep(sleeps ? { records: kv, maxSeconds: 86_400 } : undefined, {
    versionId: "1",
    minAgeSeconds,
    now: () => new Date(now),
  });
  const settings = {
    trigger: "cron",
    minAgeSeconds,
    batchSize: 1000,
    timeBudgetMs: 20_000,
    runRetentionDays: 3650,
  } as const;
  const cleanups = createCleanupStore(server.connect(database), settings, sleep.recordRun);
  let queries = 0;
  const askedAt: number[] = [];
  const secondDay = start + DAY;
  for (; now < start + 2 * DAY; now += MINUTE) {
    life.asked.throwIfAborted();
    // It is used for half an hour in the morning and lives for two more.
    const minute = (now - secondDay) / MINUTE;
    if (hasSession && minute >= 543 && minute < 573 && minute % 3 === 0) {
      const at = `to_timestamp(${now / 1000})`;
      await connected(server.config(database), (client) =>
        client.query(`INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('one', ${at} + interval '2 hours')
          ON CONFLICT (session_id) DO UPDATE SET expires_at = excluded.expires_at`),
      );
      if (minute === 543) await sleep.recordActivity();
      askedAt.push(now);
    }
    for (const cron of [
      ...(now % (60 * MINUTE) === 0 ? [crons.regular] : []),
      ...(now % (10 * MINUTE) === 0 ? [crons.immediate] : []),
    ]) {
      const before = server.neon.requests();
      await handleCron({ cron, scheduledTime: now }, { mode, crons }, cleanups, sleep);
      if (server.neon.requests() === before) continue;
      if (now >= secondDay) queries += server.neon.requests() - before;
      askedAt.push(now);
    }
  }
  const isAwake = (minute: number) =>
    askedAt.some((time) => minute >= time && minute < time + AUTOSUSPEND_MINUTES * MINUTE);
  const minutes = Array.from({ length: DAY / MINUTE }, (_, i) => secondDay + i * MINUTE);
  return { queries, awakeMinutes: minutes.filter(isAwake).length };
}
