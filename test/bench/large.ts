// Large tables: a small backlog in one, and session health, which must not take longer as they grow.
import { sql } from "drizzle-orm";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import { createCleanupStore } from "../../src/cleanup/store.ts";
import { createHealthStore } from "../../src/health/store.ts";
import { type Figure, ratios } from "./figures.ts";
import { databaseOf, fillSessions, labelOf, MILLION, query } from "./many-sessions.ts";
import { onServer, type Server } from "./server.ts";
import { timed } from "./timed.ts";

const PAIRS = 5;
const CALLS = 10;
// What a regular interval may leave behind, and up to which everything is counted exactly.
const BACKLOG = 100;
const EXPIRED = 10_000;

interface Sizes {
  /** For health, the smallest first. */
  health: number[];
  small: number;
  big: number;
  most: number;
}

const full: Sizes = {
  health: [10_000, 100_000, MILLION, 10 * MILLION],
  small: 100_000,
  big: 5 * MILLION,
  most: MILLION,
};
const few: Sizes = { health: [10_000, 20_000, 50_000, 200_000], small: 20_000, big: 100_000, most: 120_000 };

export const large = (life: Life, quick: boolean) =>
  onServer((server) => measure(life, server, quick ? few : full), {
    work_mem: "64MB",
    maintenance_work_mem: "1GB",
  });

async function measure(life: Life, server: Server, { health, small, big, most }: Sizes): Promise<Figure[]> {
  const [base = 0, ...larger] = health;
  const biggest = larger.at(-1) ?? 0;
  for (const database of ["small", ...health.map(databaseOf)]) {
    await server.admin(`CREATE DATABASE ${database}`);
    await migrate(server.config(database));
  }
  await fillSessions(life, server, "small", [0, small]);
  await fillSessions(life, server, databaseOf(biggest), [0, big]);
  const figures = [await backlogs(life, server, small, databaseOf(biggest))];

  const expire = (rows: number, count: number) =>
    query(
      server,
      databaseOf(rows),
      `INSERT INTO mcp_sessions (session_id, expires_at)
       SELECT 'expired-' || gen_random_uuid(), now() - random() * interval '1 hour' FROM generate_series(1, ${count})`,
    );
  // What expires together was opened together, and lies in the midst of the others.
  for (const rows of health) {
    const middle = rows === biggest ? big : rows / 2;
    if (rows !== biggest) await fillSessions(life, server, databaseOf(rows), [0, middle]);
    await expire(rows, Math.min(rows / 100, EXPIRED));
    await fillSessions(life, server, databaseOf(rows), [middle, rows]);
  }
  const take = async (rows: number) => {
    const census = await createHealthStore(server.connect(databaseOf(rows)), {
      timeoutMs: 60_000,
      idleSleep: neverAsleep,
      now: () => new Date(),
    }).takeCensus(7200);
    if (census.total < rows) throw new Error(`${census.total} of ${rows} sessions were counted`);
  };
  const count = async (rows: number) => {
    await server
      .connect(databaseOf(rows))
      .run({ name: "count", budgetMs: 60_000, attemptMs: 60_000, isIdempotent: true }, (db) =>
        db.execute(
          sql`SELECT count(*), count(*) FILTER (WHERE expires_at < now()) AS expired FROM mcp_sessions`,
        ),
      );
  };
  /** Seconds for each of the pairs, in turns. */
  const inTurns = async (works: (() => Promise<unknown>)[], calls = CALLS) => {
    const times = works.map((): number[] => []);
    for (let pair = 0; pair <= PAIRS; pair++) {
      for (const [i, work] of works.entries()) {
        const ms = await timed(life, work, calls);
        if (pair > 0) times[i]?.push(ms);
      }
    }
    return times;
  };
  const compare = async (when: string): Promise<Figure[]> => {
    console.log(`health ${when}`);
    const [smallest = [], ...rest] = await inTurns(health.map((rows) => () => take(rows)));
    return larger.map((rows, i) => ({
      what: `health, ${labelOf(rows)} sessions ${when}, against ${labelOf(base)}`,
      values: ratios(rest[i] ?? [], smallest),
      ...(rows === biggest && { goal: { atMost: 2 } }),
    }));
  };

  figures.push(...(await compare("of which 1 %, at most 10k, have expired")));
  for (const rows of health) {
    await query(
      server,
      databaseOf(rows),
      `UPDATE mcp_sessions SET last_active = now(), expires_at = expires_at + interval '30 minutes'
        WHERE expires_at > now() AND hashtext(session_id) % 20 = 0`,
    );
  }
  figures.push(...(await compare("after 5 % were touched")));
  const [ours = [], theirs = []] = await inTurns([() => take(biggest), () => count(biggest)], 2);
  figures.push({
    what: `health, ${labelOf(biggest)} sessions after 5 % were touched, against count(*)`,
    values: ratios(ours, theirs),
    digits: 4,
  });
  for (const [share, expired] of [
    ["1 %", biggest / 100],
    [labelOf(most), most],
  ] as const) {
    await expire(biggest, expired - EXPIRED > 0 ? expired - EXPIRED : 0);
    const [ms = []] = await inTurns([() => take(biggest)]);
    const isMost = expired === most;
    figures.push({
      what: `health, ${labelOf(biggest)} sessions of which ${share} have expired, ms`,
      values: ms,
      digits: 1,
      ...(isMost && { goal: { atMost: 250 } }),
    });
  }
  return figures;
}

/** A hundred expired sessions in a big table, against as many in a small one. */
async function backlogs(life: Life, server: Server, small: number, biggest: string): Promise<Figure> {
  console.log(`a backlog of ${BACKLOG}`);
  const clean = async (database: string) => {
    await query(
      server,
      database,
      `INSERT INTO mcp_sessions (session_id, expires_at)
       SELECT gen_random_uuid(), now() - random() * interval '1 hour' FROM generate_series(1, ${BACKLOG})`,
    );
    const store = createCleanupStore(server.connect(database), {
      trigger: "manual",
      minAgeSeconds: { regular: 0, immediate: 3600 },
      batchSize: 1000,
      timeBudgetMs: 20_000,
      runRetentionDays: 30,
    });
    return timed(
      life,
      async () => {
        const { deleted } = await store.clean("regular", new Date());
        if (deleted !== BACKLOG) throw new Error(`${deleted} of ${BACKLOG} were deleted`);
      },
      1,
    );
  };
  const times: { small: number[]; big: number[] } = { small: [], big: [] };
  for (let i = -2; i < 4 * PAIRS; i++) {
    const pair = { small: await clean("small"), big: await clean(biggest) };
    if (i < 0) continue;
    times.small.push(pair.small);
    times.big.push(pair.big);
  }
  return {
    what: `cleanup of ${BACKLOG} in a big table against in one of ${labelOf(small)}`,
    values: ratios(times.big, times.small),
    goal: { atMost: 1.5 },
  };
}
