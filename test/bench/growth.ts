// What becomes slower as the table grows: what clients, operators, monitors and the cron ask, with ten times as many sessions
// each time. The times are those of the Worker's own stores through the local Neon, and what PostgreSQL itself took of them.
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { sql } from "drizzle-orm";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import type { Database } from "../../src/db/client.ts";
import { connected } from "../support/postgres.ts";
import { CLUSTERS } from "../support/run.ts";
import type { Figure } from "./figures.ts";
import { type Operation, operationsOn } from "./growth/operations.ts";
import { asOpened, databaseOf, fillSessions, labelOf, MILLION, query } from "./many-sessions.ts";
import { onServer, type Server } from "./server.ts";
import { timed } from "./timed.ts";

const TIMEOUT_MS = 60_000;
const GOAL = { atMost: 1.3 };

interface Sizes {
  /** The smallest first. All together fit into memory. */
  inMemory: number[];
  /** Does not fit. Left out: none. */
  beyond?: number;
}

const full: Sizes = { inMemory: [100_000, MILLION, 10 * MILLION] };
const few: Sizes = { inMemory: [1000, 10_000, 100_000], beyond: 300_000 };
// With its indexes as large as the memory of the machine of the figures, which others need a part of.
const LARGEST = 30 * MILLION;
// A session with its indexes takes 750. The rest is for the WAL, and for sorting the indexes.
const BYTES_EACH = 1100;
const SPARE_BYTES = 10 * 1024 ** 3;

/** Milliseconds for a call. */
interface Time {
  total: number;
  /** What PostgreSQL took of it. */
  inDatabase: number;
}

export const growth = (life: Life, quick: boolean) =>
  onServer(async (server) => measure(life, server, quick ? few : sizes(), quick ? 1 : 7), {
    work_mem: "64MB",
    maintenance_work_mem: "2GB",
    max_parallel_maintenance_workers: "2",
    // The disk also has to hold the tables.
    max_wal_size: "4GB",
  });

function sizes(): Sizes {
  const { bavail, bsize } = statfsSync(process.env[CLUSTERS] ?? tmpdir());
  const wanted = [...full.inMemory, LARGEST].reduce((sum, rows) => sum + rows * BYTES_EACH, SPARE_BYTES);
  if (bavail * bsize >= wanted) return { ...full, beyond: LARGEST };
  console.log(
    `Without ${labelOf(LARGEST)} sessions: they need ${gigabytes(wanted)} GB of disk, and ${gigabytes(bavail * bsize)} are free.`,
  );
  return full;
}

interface Table {
  rows: number;
  database: Database;
  operations: Operation[];
  /** The times of each operation. */
  times: Map<string, Time[]>;
}

async function measure(
  life: Life,
  server: Server,
  { inMemory, beyond }: Sizes,
  rounds: number,
): Promise<Figure[]> {
  for (const rows of inMemory) await fill(life, server, rows);
  const tables = await inTurns(life, server, inMemory, rounds);
  const figures = [
    ...tables.flatMap(timesOf),
    ...tables.slice(1).flatMap((table, i) => against(table, tables[i])),
  ];
  if (beyond === undefined) return figures;
  await fill(life, server, beyond);
  // Not in turns: it would share the memory with the others, and a database of this size would have it alone.
  const [larger] = await inTurns(life, server, [beyond], rounds);
  return larger === undefined ? figures : [...figures, ...timesOf(larger), ...against(larger, tables.at(-1))];
}

async function fill(life: Life, server: Server, rows: number): Promise<void> {
  await server.admin(`CREATE DATABASE ${databaseOf(rows)}`);
  await migrate(server.config(databaseOf(rows)));
  await query(server, databaseOf(rows), "CREATE EXTENSION pg_prewarm");
  await fillSessions(life, server, databaseOf(rows), [0, rows], asOpened(rows));
}

/** Measures every operation on one table after the other, round after round. */
async function inTurns(life: Life, server: Server, counts: number[], rounds: number): Promise<Table[]> {
  const tables = counts.map((rows) => ({
    rows,
    database: server.connect(databaseOf(rows)),
    operations: operationsOn(server, rows),
    times: new Map<string, Time[]>(),
  }));
  for (const { rows } of tables) await warm(life, server, rows);
  for (let round = 0; round <= rounds; round++) {
    console.log(round === 0 ? "warm-up" : `round ${round} of ${rounds}`);
    for (const [i, { name }] of (tables[0]?.operations ?? []).entries()) {
      for (const table of tables) {
        const operation = table.operations[i];
        if (operation === undefined) throw new Error(`${name} is missing`);
        const time = await timeOf(life, server, table, operation);
        if (round > 0) table.times.set(name, [...(table.times.get(name) ?? []), time]);
      }
    }
    for (const { rows } of tables) {
      life.asked.throwIfAborted();
      await query(server, databaseOf(rows), "VACUUM");
    }
  }
  return tables;
}

/** Reads the table and its indexes once, so that the system has what fits of them in memory. */
async function warm(life: Life, server: Server, rows: number): Promise<void> {
  life.asked.throwIfAborted();
  await query(
    server,
    databaseOf(rows),
    `SELECT pg_prewarm(relation, 'read')
       FROM (SELECT 'mcp_sessions'::regclass UNION ALL
             SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'mcp_sessions'::regclass) AS r (relation)`,
  );
}

function timesOf({ rows, operations, times }: Table): Figure[] {
  return operations.flatMap(({ name }) => [
    { what: `${name}, ${labelOf(rows)}: ms`, values: valuesOf(times, name, "total") },
    { what: `${name}, ${labelOf(rows)}: ms in the database`, values: valuesOf(times, name, "inDatabase") },
  ]);
}

function against(large: Table, small: Table | undefined): Figure[] {
  if (small === undefined) return [];
  // The largest has only three times as many as the one before.
  const power = 1 / Math.log10(large.rows / small.rows);
  const what = `${labelOf(large.rows)} against ${labelOf(small.rows)}${power === 1 ? "" : ", for a factor of 10"}`;
  const slope = (name: string, part: keyof Time) => {
    const under = valuesOf(small.times, name, part);
    return valuesOf(large.times, name, part).map((over, i) => (over / (under[i] ?? NaN)) ** power);
  };
  return large.operations.flatMap(({ name }) => [
    { what: `${name}: ${what}`, values: slope(name, "total"), goal: GOAL },
    { what: `${name} in the database: ${what}`, values: slope(name, "inDatabase"), goal: GOAL },
  ]);
}

const valuesOf = (times: Map<string, Time[]>, name: string, part: keyof Time) =>
  (times.get(name) ?? []).map((time) => time[part]);

async function timeOf(
  life: Life,
  server: Server,
  { rows, database }: { rows: number; database: Database },
  { calls, before, work }: Operation,
): Promise<Time> {
  await before?.();
  const spent = await activeMs(server, databaseOf(rows), database);
  const total = await timed(life, work, calls);
  return { total, inDatabase: ((await activeMs(server, databaseOf(rows), database)) - spent) / calls };
}

/** How long PostgreSQL has worked for a database, whose clients come one after the other, so on one connection. */
async function activeMs(server: Server, name: string, database: Database): Promise<number> {
  await database.run({ name: "flush", budgetMs: TIMEOUT_MS, isIdempotent: true }, (db) =>
    db.execute(sql`SELECT pg_stat_force_next_flush()`),
  );
  return connected(server.config("postgres"), async (client) => {
    const { rows } = await client.query<{ ms: number }>(
      "SELECT active_time AS ms FROM pg_stat_database WHERE datname = $1",
      [name],
    );
    return rows[0]?.ms ?? NaN;
  });
}

const gigabytes = (bytes: number) => (bytes / 1024 ** 3).toFixed(0);
