// What the pages of operators ask: one statement each, against that of /session-health, over a million sessions, 10,000 runs and a
// month of totals. And what totals by the hour cost an opening, against the version before.
import { Client } from "pg";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { createRunsStore } from "../../src/admin/runs-store.ts";
import { createSessionsStore } from "../../src/admin/sessions-store.ts";
import { neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import { createHealthStore } from "../../src/health/store.ts";
import { createHistoryStore, historyWindows } from "../../src/page/history-store.ts";
import { createOverviewStore } from "../../src/page/overview-store.ts";
import { FORMER_SQL } from "../deploy/former.ts";
import { connected } from "../support/postgres.ts";
import { type Figure, ratios } from "./figures.ts";
import { onServer, type Server, SESSION_DATA } from "./server.ts";
import { timed } from "./timed.ts";

const PAIRS = 5;
const CALLS = 20;
const CLIENTS = 8;
const DATABASE = "page";
const RUNS = 10_000;
// Of the sessions.
const EXPIRED_SHARE = 0.01;
const PAGE = 50;
const OVERDUE_SECONDS = 7200;

export const page = (life: Life, quick: boolean) =>
  onServer(async (server) => [
    ...(await pages(life, server, quick ? 20_000 : 1_000_000)),
    ...(await openings(life, server, quick ? 300 : 3000)),
  ]);

async function pages(life: Life, server: Server, sessions: number): Promise<Figure[]> {
  await server.admin(`CREATE DATABASE ${DATABASE}`);
  await migrate(server.config(DATABASE));
  console.log(`Filling in ${sessions} sessions, ${RUNS} runs and a month of totals.`);
  await fill(server, sessions);

  const database = server.connect(DATABASE);
  const now = () => new Date();
  const timeoutMs = 60_000;
  const health = createHealthStore(database, { timeoutMs, idleSleep: neverAsleep, now });
  const overview = createOverviewStore(health, { now });
  const histories = createHistoryStore(database, { timeoutMs });
  const runs = createRunsStore(database, { timeoutMs });
  const all = createSessionsStore(database, { timeoutMs, onEnded: () => {} });
  const works: Record<string, () => Promise<unknown>> = {
    overview: () => overview.takeOverview(OVERDUE_SECONDS),
    ...Object.fromEntries(
      historyWindows.map((window) => [`history, a ${window}`, () => histories.history(window)]),
    ),
    "sessions, the first page": () => all.list({ limit: PAGE }),
    "sessions, active ones of one principal": () =>
      all.list({ principal: "principal-7", state: "active", limit: PAGE }),
    "runs, the first page": () => runs.list({ limit: PAGE }),
    "runs, failed ones": () => runs.list({ outcome: "failed", limit: PAGE }),
  };
  const base = () => health.takeCensus(OVERDUE_SECONDS);
  const figures: Figure[] = [];
  for (const [name, work] of Object.entries(works)) {
    const times: { work: number[]; base: number[] } = { work: [], base: [] };
    const statements: number[] = [];
    for (let pair = 0; pair <= PAIRS; pair++) {
      const baseMs = await timed(life, base, CALLS);
      server.neon.resetRequests();
      const workMs = await timed(life, work, CALLS);
      if (pair === 0) continue;
      statements.push(server.neon.requests() / CALLS);
      times.base.push(baseMs);
      times.work.push(workMs);
    }
    figures.push(
      { what: `${name}: statements`, values: statements, digits: 0, goal: { atMost: 1 } },
      {
        what: `${name}: time, against /session-health`,
        values: ratios(times.work, times.base),
        goal: { atMost: 2 },
      },
      { what: `${name}: ms`, values: times.work, digits: 1 },
    );
  }
  return figures;
}

async function fill(server: Server, sessions: number): Promise<void> {
  await connected(server.config(DATABASE), async (client) => {
    await client.query("SET synchronous_commit = off");
    await client.query(
      `INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info, created_at, last_active, expires_at)
       SELECT md5(i::text) || md5((-i)::text), 'principal-' || i % 1000, '2025-11-25', ${SESSION_DATA}, now(), now(),
              now() + (i - ${sessions * EXPIRED_SHARE}) * interval '20 milliseconds'
         FROM generate_series(1, ${sessions}) i`,
    );
    await client.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted, batches, error_code)
       SELECT CASE i % 7 WHEN 0 THEN 'regular' ELSE 'immediate' END, 'cron', t, t, t, t + interval '70 ms',
              CASE WHEN i % 50 = 0 THEN 'failed' ELSE 'completed' END, i % 100, 1, CASE WHEN i % 50 = 0 THEN '57014' END
         FROM generate_series(${RUNS}, 1, -1) i, LATERAL (SELECT now() - i * interval '4 minutes' AS t) AS v`,
    );
    // As folding leaves them, each name in each hour.
    await client.query("TRUNCATE mcp_session_totals");
    await client.query(
      `INSERT INTO mcp_session_totals
       SELECT name, (floor(extract(epoch FROM now()) / 3600)::int - age) * 16 + shard, 1
         FROM unnest(ARRAY['sessions_opened', 'sessions_expired', 'sessions_ended/client', 'sessions_ended/operator',
                           'sessions_ended/evicted', 'sessions_deleted/regular', 'sessions_deleted/immediate',
                           'sessions_deleted/opening']) AS name,
              generate_series(0, 40 * 24) AS age, generate_series(0, CASE WHEN age < 2 THEN 15 ELSE 0 END) AS shard`,
    );
    await client.query("SELECT mcp_fold_totals()");
    await client.query("VACUUM FULL mcp_session_totals");
    await client.query("VACUUM ANALYZE");
    await client.query("CHECKPOINT");
  });
}

/** Openings a second by several clients, with totals by the hour and without, in turns. */
async function openings(life: Life, server: Server, roundMs: number): Promise<Figure[]> {
  const sides = { former: FORMER_SQL, today: "drizzle" };
  const clients: Record<keyof typeof sides, Client[]> = { former: [], today: [] };
  for (const side of ["former", "today"] as const) {
    await server.admin(`CREATE DATABASE openings_${side}`);
    await migrate(server.config(`openings_${side}`), sides[side]);
    clients[side] = Array.from({ length: CLIENTS }, () => new Client(server.config(`openings_${side}`)));
    await Promise.all(clients[side].map((client) => client.connect()));
  }
  let opened = 0;
  const round = async (side: keyof typeof sides) => {
    life.asked.throwIfAborted();
    const before = opened;
    const until = performance.now() + roundMs;
    await Promise.all(
      clients[side].map(async (client, number) => {
        while (performance.now() < until) {
          opened += 1;
          await client.query("SELECT mcp_open_session($1, $2, '2025-11-25', '{}', '{}', 86400, NULL, 1000)", [
            `session-${opened}`,
            `principal-${number}`,
          ]);
        }
      }),
    );
    return (opened - before) / (roundMs / 1000);
  };
  try {
    const perSecond: Record<keyof typeof sides, number[]> = { former: [], today: [] };
    for (let pair = 0; pair <= PAIRS; pair++) {
      const [former, today] = [await round("former"), await round("today")];
      if (pair === 0) continue;
      perSecond.former.push(former);
      perSecond.today.push(today);
    }
    return [
      {
        what: "openings/s, against the version before",
        values: ratios(perSecond.today, perSecond.former),
        goal: { atLeast: 0.9 },
      },
      { what: "openings/s", values: perSecond.today, digits: 0 },
    ];
  } finally {
    await Promise.all(
      Object.values(clients)
        .flat()
        .map((client) => client.end()),
    );
  }
}
