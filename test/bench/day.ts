// A day of a million sessions, in minutes: opened, used, ended and expired over 24 hours of a clock that is set forward ten
// minutes at a time, with the cleanup runs of both tiers when they are due. What it leaves of tables and indexes, against
// what the day before has left.
import { Client } from "pg";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import { createCleanupStore } from "../../src/cleanup/store.ts";
import { handleCron } from "../../src/cron.ts";
import { createHealthStore } from "../../src/health/store.ts";
import { act, actAtOnce, createClients } from "./day/clients.ts";
import { setClock, simulateClock } from "./day/clock.ts";
import type { Figure } from "./figures.ts";
import { onServer, type Server } from "./server.ts";

const TEN_MINUTES = 600_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const STEPS = DAY / TEN_MINUTES;
const DATABASE = "day";
const CLIENTS = 2;
// As much more than usual at noon as less at midnight.
const SWING = 0.6;
const BLOAT = { atMost: 1.5 };
const MEBIBYTE = 1024 ** 2;
const crons = { regular: "0 * * * *", immediate: "*/10 * * * *" };

export const day = (life: Life, quick: boolean) =>
  onServer((server) => live(life, server, quick ? 10_000 : 1_000_000), {
    autovacuum: "on",
    // A second here is some minutes of the day, and Neon looks every minute. What makes a vacuum due is as by default.
    autovacuum_naptime: "1s",
    autovacuum_vacuum_cost_delay: "0",
  });

interface Step {
  expired: number;
  isOverdue: boolean;
}

async function live(life: Life, server: Server, sessionsADay: number): Promise<Figure[]> {
  await server.admin(`CREATE DATABASE ${DATABASE}`);
  const connections: Client[] = [];
  const connect = async () => {
    const client = new Client(server.config(DATABASE));
    await client.connect();
    connections.push(client);
    return client;
  };
  try {
    return await liveTwoDays(life, server, connect, sessionsADay);
  } finally {
    await Promise.all(connections.map((client) => client.end()));
  }
}

async function liveTwoDays(
  life: Life,
  server: Server,
  connect: () => Promise<Client>,
  sessionsADay: number,
): Promise<Figure[]> {
  const clock = await connect();
  // In the past, because a run deletes nothing that is live by the clock outside.
  const start = new Date(Math.floor(Date.now() / DAY) * DAY - 2 * DAY);
  await simulateClock(clock, DATABASE, start);
  await migrate(server.config(DATABASE));
  const clients = await Promise.all(Array.from({ length: CLIENTS }, connect));
  for (const client of clients) await client.query("SET synchronous_commit = off");
  const admin = await connect();
  await createClients(admin, sessionsADay);

  const database = server.connect(DATABASE);
  const health = createHealthStore(database, {
    timeoutMs: 60_000,
    idleSleep: neverAsleep,
    now: () => new Date(),
  });
  const cleanups = createCleanupStore(database, {
    trigger: "cron",
    minAgeSeconds: { regular: 0, immediate: 3600 },
    batchSize: 1000,
    timeBudgetMs: 20_000,
    runRetentionDays: 30,
  });
  const run = (cron: string, scheduledTime: number) =>
    handleCron({ cron, scheduledTime }, { mode: "aggressive", crons }, cleanups, neverAsleep);

  const steps: Step[] = [];
  const sizes: Sizes[] = [];
  const seconds: number[] = [];
  for (let number = 0; number < 2; number++) {
    console.log(number === 0 ? "the first day" : "the second day");
    steps.length = 0;
    const startedAt = performance.now();
    for (let step = 0; step < STEPS; step++) {
      life.asked.throwIfAborted();
      const time = start.getTime() + number * DAY + step * TEN_MINUTES;
      await setClock(clock, new Date(time));
      const census = await health.takeCensus((2 * HOUR) / 1000);
      steps.push({ expired: census.expired, isOverdue: census.isOverdue });
      const [from, to] = [step, step + 1].map((at) => numberAt(number + at / STEPS, sessionsADay));
      await Promise.all([
        number === 0
          ? actAtOnce(admin, from ?? 0, to ?? 0, sessionsADay)
          : act(clients, from ?? 0, to ?? 0, sessionsADay),
        ...(time % HOUR === 0 ? [run(crons.regular, time)] : []),
        run(crons.immediate, time),
      ]);
    }
    seconds.push((performance.now() - startedAt) / 1000);
    const size = await sizesOf(admin);
    // Who was not used is gone after five minutes. Three of four were.
    if (size.rows < sessionsADay / 2) throw new Error(`${size.rows} of ${sessionsADay} sessions were left`);
    sizes.push(size);
  }
  return [
    ...compare(sizes),
    ...(await runsOf(admin, new Date(start.getTime() + DAY))),
    {
      what: "expired sessions that wait, at most",
      values: [Math.max(...steps.map(({ expired }) => expired))],
      digits: 0,
    },
    {
      what: "times that the cleanup was overdue",
      values: [steps.filter(({ isOverdue }) => isOverdue).length],
      digits: 0,
      goal: { atMost: 0 },
    },
    { what: "seconds that the day took", values: [seconds.at(-1) ?? NaN], digits: 0 },
  ];
}

/** How many sessions have been opened until then, in days. */
const numberAt = (days: number, sessionsADay: number) =>
  1 + Math.round(sessionsADay * (days - (SWING / (2 * Math.PI)) * Math.sin(2 * Math.PI * days)));

interface Sizes {
  rows: number;
  vacuums: number;
  bytes: Map<string, number>;
}

async function sizesOf(client: Client): Promise<Sizes> {
  const { rows } = await client.query<{ name: string; bytes: string }>(
    `SELECT c.relname AS name, pg_relation_size(c.oid) AS bytes
       FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
      WHERE c.oid = 'mcp_sessions'::regclass OR i.indrelid = 'mcp_sessions'::regclass
         OR c.oid IN ('mcp_session_totals'::regclass, 'mcp_session_changes'::regclass)
      ORDER BY c.relkind DESC, c.relname`,
  );
  const { rows: counts } = await client.query<{ count: string; vacuums: string }>(
    `SELECT (SELECT count(*) FROM mcp_sessions) AS count, autovacuum_count AS vacuums
       FROM pg_stat_user_tables WHERE relname = 'mcp_sessions'`,
  );
  return {
    rows: Number(counts[0]?.count),
    vacuums: Number(counts[0]?.vacuums),
    bytes: new Map(rows.map(({ name, bytes }) => [name, Number(bytes)])),
  };
}

function compare([before, after]: Sizes[]): Figure[] {
  if (before === undefined || after === undefined) return [];
  return [
    { what: "rows at the end", values: [after.rows], digits: 0 },
    { what: "rows, against the beginning", values: [after.rows / before.rows] },
    ...[...after.bytes].flatMap(([name, bytes]): Figure[] => {
      // A table of a few pages says nothing.
      const isSmall = bytes < MEBIBYTE;
      return [
        { what: `${name}, MiB at the end`, values: [bytes / MEBIBYTE], digits: 1 },
        {
          what: `${name}, against the beginning`,
          values: [bytes / (before.bytes.get(name) ?? NaN)],
          ...(!isSmall && { goal: BLOAT }),
        },
      ];
    }),
    { what: "autovacuums of mcp_sessions", values: [after.vacuums - before.vacuums], digits: 0 },
  ];
}

/** The runs since then. */
async function runsOf(client: Client, since: Date): Promise<Figure[]> {
  const { rows } = await client.query<Record<"deleted" | "failed" | "longest_ms", number>>(
    `SELECT sum(deleted)::float8 AS deleted,
            count(*) FILTER (WHERE outcome NOT IN ('completed', 'skipped'))::float8 AS failed,
            max(extract(epoch FROM finished_at - started_at) * 1000)::float8 AS longest_ms
       FROM mcp_cleanup_runs WHERE scheduled_at >= $1`,
    [since.toISOString()],
  );
  const [{ deleted, failed, longest_ms: longestMs } = { deleted: NaN, failed: NaN, longest_ms: NaN }] = rows;
  return [
    { what: "sessions that runs have deleted", values: [deleted], digits: 0 },
    { what: "runs that failed or were not done in time", values: [failed], digits: 0, goal: { atMost: 0 } },
    { what: "longest run, ms", values: [longestMs], digits: 0 },
  ];
}
