// Taking over a large table of another program while that program reads and writes it: how long its statements wait, with
// db:migrate, with a plain migration in one transaction, and with none.
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";
import { Failure } from "../../dev/failure.ts";
import type { Life } from "../../dev/shutdown.ts";
import { readSqlFiles } from "../../drizzle/files.ts";
import { fingerprintOf } from "../../drizzle/fingerprint.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import { type Figure, percentile } from "./figures.ts";
import { onServer, type Server, SESSION_DATA } from "./server.ts";

const full = { rows: 2_000_000, rounds: 3 };
const few = { rows: 200_000, rounds: 1 };

const READERS = 4;
const WRITERS = 4;
// 400 statements a second: what a busy server does, and no more than two cores can do while an index is built.
const PERIOD_MS = 20;
// An idle transaction that has read the table, as a report or a forgotten console leaves it.
const IDLE_MS = 5000;
// Connections and caches are cold at first.
const WARM_UP_MS = 3000;
// What is measured begins before the migration, and ends after it.
const MARGIN_MS = 500;

const PYTHON = `CREATE TABLE mcp_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
  last_active TIMESTAMP WITH TIME ZONE DEFAULT NOW(), capabilities JSONB DEFAULT '{}',
  expires_at TIMESTAMP WITH TIME ZONE, client_info JSONB DEFAULT '{}',
  project_name TEXT DEFAULT '__PENDING__', session_summary JSONB)`;

/** Milliseconds of each statement, or of each short transaction, from when it was due. */
interface Waits {
  readers: number[];
  writers: number[];
}

interface Round {
  waits: Waits;
  seconds: number;
}

export const adopt = (life: Life, quick: boolean) =>
  onServer((server) => compare(life, server, quick ? few : full));

async function compare(life: Life, server: Server, { rows, rounds }: typeof full): Promise<Figure[]> {
  const wanted = await schemaAlone(server);
  await fill(server, rows);
  const ours: Round[] = [];
  const none: Round[] = [];
  const plain: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round} of ${rounds}`);
    const adopted = await copy(server, `ours_${round}`);
    ours.push(await underLoad(life, adopted, rows, () => migrate(adopted)));
    await check(adopted, wanted);
    const untouched = await copy(server, `none_${round}`);
    const ms = (ours.at(-1)?.seconds ?? 0) * 1000;
    none.push(await underLoad(life, untouched, rows, () => sleep(ms)));
    const changed = await copy(server, `plain_${round}`);
    plain.push(await underLoad(life, changed, rows, () => migratePlainly(changed)));
    for (const { database } of [adopted, untouched, changed])
      await server.admin(`DROP DATABASE ${String(database)}`);
  }
  const kinds = [
    ["with db:migrate", ours, { longest: 1000, p99: 100 }],
    ["with no migration", none, undefined],
    ["with a plain migration", plain, undefined],
  ] as const;
  return [
    ...(["readers", "writers"] as const).flatMap((who) =>
      kinds.flatMap(([how, measured, goals]): Figure[] => [
        {
          what: `longest wait of ${who} ${how}, ms`,
          values: measured.map(({ waits }) => percentile(waits[who], 1)),
          digits: 1,
          ...(goals && { goal: { atMost: goals.longest } }),
        },
        {
          what: `p99 of ${who} ${how}, ms`,
          values: measured.map(({ waits }) => percentile(waits[who], 0.99)),
          digits: 1,
          ...(goals && { goal: { atMost: goals.p99 } }),
        },
      ]),
    ),
    { what: "db:migrate, s", values: ours.map(({ seconds }) => seconds), digits: 1 },
    { what: "a plain migration, s", values: plain.map(({ seconds }) => seconds), digits: 1 },
  ];
}

/** Runs `migration` while others read and write, and one of them is idle in a transaction. */
async function underLoad(
  life: Life,
  config: ClientConfig,
  rows: number,
  migration: () => Promise<unknown>,
): Promise<Round> {
  const over = new AbortController();
  const waits: Waits = { readers: [], writers: [] };
  const inserted: string[] = [];
  const loads = [
    ...Array.from({ length: READERS }, () =>
      repeat(config, over.signal, waits.readers, (c) => read(c, rows)),
    ),
    ...Array.from({ length: WRITERS }, (_, i) =>
      repeat(config, over.signal, waits.writers, (client, n) =>
        write(client, rows, `new-${i}-${n}`, inserted),
      ),
    ),
  ];
  await sleep(WARM_UP_MS, undefined, { signal: life.asked });
  for (const list of Object.values(waits)) list.length = 0;
  const idle = connected(config, async (client) => {
    await client.query("BEGIN");
    await client.query("SELECT FROM mcp_sessions LIMIT 1");
    await sleep(IDLE_MS);
    await client.query("COMMIT");
  });
  await sleep(MARGIN_MS);
  const startedAt = performance.now();
  try {
    await migration();
  } finally {
    await idle;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await sleep(MARGIN_MS, undefined, { signal: life.asked });
  over.abort();
  await Promise.all(loads);
  await connected(config, async (client) => {
    const { rows: found } = await client.query<{ kept: string; all: string }>(
      "SELECT count(*) FILTER (WHERE session_id = ANY ($1)) AS kept, count(*) AS all FROM mcp_sessions",
      [inserted],
    );
    if (Number(found[0]?.kept) !== inserted.length || Number(found[0]?.all) !== rows + inserted.length)
      throw new Failure(
        `Rows were lost: of ${rows} and ${inserted.length} new ones ${found[0]?.all} are there.`,
      );
  });
  return { waits, seconds };
}

/** One connection that does something at fixed times. What comes late is measured from when it was due. */
async function repeat(
  config: ClientConfig,
  over: AbortSignal,
  waits: number[],
  work: (client: Client, n: number) => Promise<void>,
): Promise<void> {
  await connected(config, async (client) => {
    let due = performance.now() + Math.random() * PERIOD_MS;
    for (let n = 0; !over.aborted; n++) {
      await sleep(Math.max(due - performance.now(), 0));
      await work(client, n);
      waits.push(performance.now() - due);
      due += PERIOD_MS;
    }
  });
}

const anyId = (rows: number) => String(Math.floor(Math.random() * rows));

async function read(client: Client, rows: number): Promise<void> {
  await client.query("SELECT * FROM mcp_sessions WHERE session_id = $1", [anyId(rows)]);
}

async function write(client: Client, rows: number, id: string, inserted: string[]): Promise<void> {
  await client.query("BEGIN");
  await client.query(
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ($1, now() + interval '1 day')",
    [id],
  );
  await client.query(
    "UPDATE mcp_sessions SET last_active = now(), expires_at = now() + interval '1 day' WHERE session_id = $1",
    [anyId(rows)],
  );
  await client.query("COMMIT");
  inserted.push(id);
}

/** All of it in one transaction, as migrations are run as a rule. */
async function migratePlainly(config: ClientConfig): Promise<void> {
  const { migrations, routines, indexes } = readSqlFiles("drizzle");
  await connected(config, async (client) => {
    await client.query("SET check_function_bodies = off");
    await client.query("BEGIN");
    for (const { text } of migrations) await client.query(text);
    for (const { text } of indexes) await client.query(text.replace(" CONCURRENTLY", ""));
    for (const { text } of routines) await client.query(text);
    await client.query("SELECT mcp_recount_sessions()");
    await client.query("COMMIT");
  });
}

/** What db:migrate makes of such a table that nobody uses. */
async function schemaAlone(server: Server): Promise<string[]> {
  await server.admin("CREATE DATABASE alone");
  const config = server.config("alone");
  await connected(config, (client) => client.query(PYTHON));
  await migrate(config);
  return schemaOf(config);
}

const schemaOf = (config: ClientConfig) =>
  connected(config, (client) =>
    fingerprintOf(client, ["column", "index", "constraint", "storage", "routine", "trigger"]),
  );

/** @throws Failure when another schema came out of it, or a wrong count. */
async function check(config: ClientConfig, wanted: string[]): Promise<void> {
  if (JSON.stringify(await schemaOf(config)) !== JSON.stringify(wanted))
    throw new Failure("The schema is another than without load.");
  const again = (await migrate(config)).filter((line) => !line.startsWith("Note: "));
  if (again.length > 0) throw new Failure(`Something was left to do: ${again.join("; ")}`);
  await connected(config, async (client) => {
    const { rows } = await client.query<{ counted: string; all: string }>(
      "SELECT (SELECT total FROM mcp_count_sessions(0)) AS counted, (SELECT count(*) FROM mcp_sessions) AS all",
    );
    if (rows[0]?.counted !== rows[0]?.all)
      throw new Failure(`${rows[0]?.counted} sessions were counted, and ${rows[0]?.all} are there.`);
  });
}

async function fill(server: Server, rows: number): Promise<void> {
  console.log(`Filling in ${rows} sessions.`);
  await server.admin("CREATE DATABASE python");
  await connected(server.config("python"), async (client) => {
    await client.query(PYTHON);
    await client.query(
      `INSERT INTO mcp_sessions (session_id, expires_at, client_info)
       SELECT i::text, now() + random() * interval '1 day', ${SESSION_DATA} FROM generate_series(0, ${rows - 1}) i`,
    );
    await client.query("VACUUM ANALYZE mcp_sessions");
  });
}

async function copy(server: Server, name: string): Promise<ClientConfig> {
  await server.admin(`CREATE DATABASE ${name} TEMPLATE python STRATEGY = FILE_COPY`);
  await server.admin("CHECKPOINT");
  const config = server.config(name);
  await connected(config, (client) => client.query("SELECT count(client_info) FROM mcp_sessions"));
  return config;
}
