// A big backlog, deleted by a cleanup run and by what others do: one unbounded DELETE, and connect-pg-simple's own
// pruning. Quiet, beside clients that touch sessions, and under an old snapshot. Each round has a fresh copy of the data.
import connectPgSimple from "connect-pg-simple";
import { sql } from "drizzle-orm";
import { Client, Pool } from "pg";
import { createCleanupStore } from "../../src/cleanup/store.ts";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import { type Figure, percentile, ratios } from "./figures.ts";
import { onServer, type Server, SESSION_DATA } from "./server.ts";

const CLIENTS = 8;
const TOUCHES_PER_SECOND = 1000;
const IDLE_MS = 1500;

type Order = "correlated" | "shuffled";

/** A round: how fast, and how long single transactions and touches took, in milliseconds. */
interface Round {
  seconds: number;
  transactions: number[];
  touches: number[];
}

export async function cleanup(life: Life, quick: boolean): Promise<Figure[]> {
  const rows = quick ? 100_000 : 1_000_000;
  return onServer((server) => compare(new Backlog(life, server, rows / 2), rows, quick ? 1 : 5));
}

async function compare(bench: Backlog, rows: number, pairs: number): Promise<Figure[]> {
  for (const order of ["correlated", "shuffled"] as const) {
    console.log(`Filling in ${rows} sessions, half of them expired, expiry ${order} with insertion.`);
    await bench.fill(order, rows);
  }

  const rounds: Record<string, Round[]> = {};
  const run = async (name: string, round: () => Promise<Round>) => {
    const measured = await round();
    (rounds[name] ??= []).push(measured);
    const longest = percentile(measured.transactions, 1).toFixed(1);
    console.log(
      `  ${name}: ${measured.seconds.toFixed(2)} s, longest transaction ${longest} ms, touches p99 ${percentile(measured.touches, 0.99).toFixed(2)} ms, longest ${percentile(measured.touches, 1).toFixed(1)} ms`,
    );
  };
  for (let i = 0; i <= pairs; i++) {
    console.log(i === 0 ? "warm-up" : `pair ${i} of ${pairs}`);
    for (const order of ["correlated", "shuffled"] as const) {
      await run(`${order} ours`, () => bench.ours(order));
      await run(`${order} DELETE`, () => bench.unbounded(order));
      await run(`${order} prune`, () => bench.prune(order));
      await run(`${order} ours, touched`, () => bench.ours(order, { touched: true }));
      await run(`${order} DELETE, touched`, () => bench.unbounded(order, { touched: true }));
      await run(`${order} idle, touched`, () => bench.idle(order));
    }
    for (const order of ["correlated", "shuffled"] as const) {
      await run(`${order} ours, referenced`, () => bench.ours(order, { references: "live" }));
      await run(`${order} ours, one blocked`, () => bench.ours(order, { references: "expired" }));
    }
    await run("correlated ours, old snapshot", () => bench.ours("correlated", { oldSnapshot: true }));
    if (i === 0) for (const name of Object.keys(rounds)) rounds[name] = [];
  }

  const of = (name: string, valueOf: (round: Round) => number) => (rounds[name] ?? []).map(valueOf);
  const seconds = (name: string) => of(name, (round) => round.seconds);
  const longest = (name: string) => of(name, ({ transactions }) => percentile(transactions, 1));
  const touch = (name: string, share: number) => of(name, ({ touches }) => percentile(touches, share));
  const snapshot = "correlated ours, old snapshot";
  return [
    ...(["correlated", "shuffled"] as const).flatMap((order): Figure[] => [
      {
        what: `${order}: sessions/s against an unbounded DELETE`,
        values: ratios(seconds(`${order} DELETE`), seconds(`${order} ours`)),
        goal: { atLeast: order === "correlated" ? 1 : 0.6 },
      },
      {
        what: `${order}: sessions/s against connect-pg-simple's pruning`,
        values: ratios(seconds(`${order} prune`), seconds(`${order} ours`)),
      },
      {
        what: `${order}: longest transaction, ms`,
        values: longest(`${order} ours`),
        digits: 1,
        goal: { atMost: 50 },
      },
      { what: `${order}: the DELETE's transaction, ms`, values: longest(`${order} DELETE`), digits: 0 },
      {
        what: `${order}: p99 of touches meanwhile, against idle`,
        values: ratios(touch(`${order} ours, touched`, 0.99), touch(`${order} idle, touched`, 0.99)),
        goal: { atMost: 3 },
      },
      {
        what: `${order}: p99 of touches, against during the DELETE`,
        values: ratios(touch(`${order} ours, touched`, 0.99), touch(`${order} DELETE, touched`, 0.99)),
        goal: { atMost: 1 },
      },
      {
        what: `${order}: longest touch meanwhile, ms`,
        values: touch(`${order} ours, touched`, 1),
        digits: 1,
        goal: { atMost: 30 },
      },
      {
        what: `${order}, one blocked: time against the same run without it`,
        values: ratios(seconds(`${order} ours, one blocked`), seconds(`${order} ours, referenced`)),
      },
      {
        what: `${order}, one blocked: longest transaction, ms`,
        values: longest(`${order} ours, one blocked`),
        digits: 1,
        goal: { atMost: 50 },
      },
      {
        what: `${order}, none blocked: longest transaction, ms`,
        values: longest(`${order} ours, referenced`),
        digits: 1,
      },
    ]),
    {
      what: "under an old snapshot: last batch against first",
      values: of(snapshot, ({ transactions }) => (transactions.at(-1) ?? NaN) / (transactions[0] ?? NaN)),
      goal: { atMost: 2 },
    },
    {
      what: "under an old snapshot: time against without",
      values: ratios(seconds(snapshot), seconds("correlated ours")),
      goal: { atMost: 1.5 },
    },
  ];
}

class Backlog {
  #copies = 0;
  readonly life: Life;
  readonly server: Server;
  readonly expired: number;

  constructor(life: Life, server: Server, expired: number) {
    this.life = life;
    this.server = server;
    this.expired = expired;
  }

  /** A database with both tables: sessions of about 300 bytes of JSON. */
  async fill(order: Order, rows: number): Promise<void> {
    await this.server.admin(`CREATE DATABASE ${order}`);
    await migrate(this.server.config(order));
    const position = order === "correlated" ? "i" : `(i * 7919::bigint + 13) % ${rows}`;
    const expiry = `now() - interval '1 day' + (${position}) * interval '172800 seconds' / ${rows}`;
    await connected(this.server.config(order), async (client) => {
      await client.query("SET synchronous_commit = off");
      await client.query(`INSERT INTO mcp_sessions (session_id, principal, client_info, created_at, last_active, expires_at)
        SELECT md5(i::text), 'principal-' || i % 1000, ${SESSION_DATA}, now() - interval '2 days', now() - interval '1 day', ${expiry}
          FROM generate_series(0, ${rows - 1}) i`);
      await client.query(
        "CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)",
      );
      await client.query(
        `INSERT INTO session SELECT md5(i::text), ${SESSION_DATA}, ${expiry} FROM generate_series(0, ${rows - 1}) i`,
      );
      await client.query("CREATE INDEX ON session (expire)");
      await client.query("VACUUM ANALYZE");
    });
  }

  /** @param references a foreign key to the table, with one row that references a session of this kind. */
  async ours(
    order: Order,
    {
      touched = false,
      oldSnapshot = false,
      references,
    }: { touched?: boolean; oldSnapshot?: boolean; references?: "live" | "expired" } = {},
  ): Promise<Round> {
    const blocked = references === "expired" ? 1 : 0;
    return this.#round(order, touched, blocked, async (client, database) => {
      // What is measured is how long each transaction lasts, one that fails included: each begins with renewing the lease.
      await client.query("CREATE UNLOGGED TABLE transactions (id serial, at timestamptz)");
      await client.query(`CREATE FUNCTION note_transaction() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO transactions (at) VALUES (clock_timestamp()); RETURN NULL; END $$`);
      await client.query(`CREATE TRIGGER note_transaction AFTER UPDATE OF renewed_at, finished_at ON mcp_cleanup_runs
        FOR EACH STATEMENT EXECUTE FUNCTION note_transaction()`);
      if (references !== undefined) {
        await client.query("CREATE TABLE calls (session_id text REFERENCES mcp_sessions)");
        await client.query("CREATE INDEX ON calls (session_id)");
        await client.query(`INSERT INTO calls SELECT session_id FROM mcp_sessions
          WHERE (expires_at < now() - interval '10 minutes') = ${references === "expired"} ORDER BY md5(session_id) LIMIT 1`);
      }
      await client.query("CHECKPOINT");
      const reader = new Client(this.server.config(database));
      await reader.connect();
      if (oldSnapshot)
        await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM mcp_sessions");
      const store = createCleanupStore(this.server.connect(database), {
        trigger: "manual",
        minAgeSeconds: { regular: 0, immediate: 3600 },
        batchSize: 1000,
        timeBudgetMs: 600_000,
        runRetentionDays: 30,
      });
      return {
        work: async () => (await store.clean("regular", new Date())).deleted,
        finish: async () => {
          await reader.end();
          const { rows } = await client.query<{ ms: number | null }>(
            "SELECT extract(epoch FROM lead(at) OVER (ORDER BY id) - at)::float8 * 1000 AS ms FROM transactions ORDER BY id",
          );
          return rows.flatMap(({ ms }) => ms ?? []);
        },
      };
    });
  }

  async unbounded(order: Order, { touched = false } = {}): Promise<Round> {
    return this.#round(order, touched, 0, async (client, database) => {
      // Theirs have no such triggers.
      await client.query("DROP TRIGGER mcp_count_before_delete ON mcp_sessions");
      await client.query("DROP TRIGGER mcp_count_deleted ON mcp_sessions");
      await client.query("CHECKPOINT");
      const neon = this.server.connect(database);
      let ms = 0;
      return {
        work: async () => {
          const startedAt = performance.now();
          const { rowCount } = await neon.run(
            { name: "unbounded DELETE", budgetMs: 60_000, attemptMs: 60_000, isIdempotent: false },
            (db) => db.execute(sql`DELETE FROM mcp_sessions WHERE expires_at < now()`),
          );
          ms = performance.now() - startedAt;
          return rowCount;
        },
        finish: async () => [ms],
      };
    });
  }

  async prune(order: Order): Promise<Round> {
    return this.#round(order, false, 0, async (client, database) => {
      await client.query("CHECKPOINT");
      const pool = new Pool(this.server.config(database));
      // It asks express-session for nothing but the class that it extends.
      const Store = connectPgSimple({ Store: Object });
      const store = new Store({ pool, pruneSessionInterval: false });
      return {
        work: async () => {
          await new Promise<void>((resolve, reject) => {
            store.pruneSessions((error: unknown) => (error ? reject(error) : resolve()));
          });
          return this.expired;
        },
        finish: async () => {
          await pool.end();
          return [];
        },
      };
    });
  }

  async idle(order: Order): Promise<Round> {
    return this.#round(order, true, 0, async () => ({
      work: async () => {
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        return this.expired;
      },
      finish: async () => [],
    }));
  }

  async #round(
    order: Order,
    touched: boolean,
    blocked: number,
    prepare: (
      client: Client,
      database: string,
    ) => Promise<{ work: () => Promise<number>; finish: () => Promise<number[]> }>,
  ): Promise<Round> {
    this.life.asked.throwIfAborted();
    const database = `copy_${++this.#copies}`;
    await this.server.admin(`CREATE DATABASE ${database} TEMPLATE ${order} STRATEGY FILE_COPY`);
    const clients = Array.from({ length: CLIENTS + 1 }, () => new Client(this.server.config(database)));
    await Promise.all(clients.map((client) => client.connect()));
    const [client, ...touching] = clients;
    if (client === undefined) throw new Error("no client");
    await client.query("SELECT sum(length(client_info::text)) FROM mcp_sessions");
    await client.query(
      "SELECT count(expires_at), (SELECT sum(length(sess::text)) FROM session), (SELECT count(expire) FROM session) FROM mcp_sessions",
    );
    const { work, finish } = await prepare(client, database);
    const touches: number[] = [];
    const done = new AbortController();
    const { rows: live } = touched
      ? await client.query<{ id: string }>(
          "SELECT session_id AS id FROM mcp_sessions WHERE expires_at > now() + interval '1 hour' ORDER BY md5(session_id) LIMIT 20000",
        )
      : { rows: [] };
    const touchers = touched
      ? touching.map((toucher, i) => touchUntil(done.signal, toucher, live, i, touches))
      : [];
    const startedAt = performance.now();
    const deleted = await work();
    const seconds = (performance.now() - startedAt) / 1000;
    done.abort();
    await Promise.all(touchers);
    if (deleted < this.expired - blocked)
      throw new Error(`${deleted} of ${this.expired} expired sessions were deleted`);
    const transactions = await finish();
    await Promise.all(clients.map((each) => each.end()));
    await this.server.admin(`DROP DATABASE ${database} WITH (FORCE)`);
    return { seconds, transactions, touches };
  }
}

/** Touches live sessions at a fixed rate; every touch writes. Time counts from when it was due. */
async function touchUntil(
  done: AbortSignal,
  client: Client,
  live: { id: string }[],
  offset: number,
  touches: number[],
): Promise<void> {
  const pauseMs = (CLIENTS / TOUCHES_PER_SECOND) * 1000;
  let due = performance.now() + (offset / CLIENTS) * pauseMs;
  for (let i = offset; !done.aborted; i += CLIENTS) {
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const startedAt = performance.now();
    await client.query(
      "UPDATE mcp_sessions SET last_active = now() WHERE session_id = $1 AND expires_at > now()",
      [live[i % live.length]?.id],
    );
    touches.push(performance.now() - startedAt);
    due = Math.max(due + pauseMs, performance.now() - pauseMs);
  }
}
