// A big backlog, and how it is deleted: by a cleanup run, and by what others do. Each round has a fresh copy of the data.
import connectPgSimple from "connect-pg-simple";
import { sql } from "drizzle-orm";
import { Client, Pool } from "pg";
import type { Life } from "../../../dev/shutdown.ts";
import { migrate } from "../../../drizzle/migrate.ts";
import { createCleanupStore } from "../../../src/cleanup/store.ts";
import { connected } from "../../support/postgres.ts";
import { type Server, SESSION_DATA } from "../server.ts";
import { CLIENTS, touchUntil } from "./touches.ts";

const IDLE_MS = 1500;

export type Order = "correlated" | "shuffled";
/** This project's, and that of connect-pg-simple. */
type Table = "mcp_sessions" | "session";

// What reads a table and its index into memory.
const warmUps = {
  mcp_sessions: ["sum(length(client_info::text))", "count(expires_at)"],
  session: ["sum(length(sess::text))", "count(expire)"],
} satisfies Record<Table, string[]>;

/** Of which data a round gets a copy, and what happens in it. */
interface Setting {
  order: Order;
  table?: Table;
  touched?: boolean;
  /** How many of the expired sessions stay. */
  blocked?: number;
}

/** A round: how fast, and how long single transactions and touches took, in milliseconds. */
export interface Round {
  deleted: number;
  seconds: number;
  transactions: number[];
  touches: number[];
  /** Of the moment before, when nothing is deleted. */
  idleTouches: number[];
}

export class Backlog {
  #copies = 0;
  readonly life: Life;
  readonly server: Server;
  readonly rows: number;
  readonly expired: number;

  /** @param rows sessions, of which half have expired. */
  constructor(life: Life, server: Server, rows: number) {
    this.life = life;
    this.server = server;
    this.rows = rows;
    this.expired = rows / 2;
  }

  /** A database with each table: sessions of about 300 bytes of JSON. */
  async fill(order: Order): Promise<void> {
    const position = order === "correlated" ? "i" : `(i * 7919::bigint + 13) % ${this.rows}`;
    const expiry = `now() - interval '1 day' + (${position}) * interval '172800 seconds' / ${this.rows}`;
    const series = `generate_series(0, ${this.rows - 1}) i`;
    const ours = await this.#create(order, "mcp_sessions");
    await migrate(ours);
    await connected(ours, async (client) => {
      await client.query("SET synchronous_commit = off");
      await client.query(`INSERT INTO mcp_sessions (session_id, principal, client_info, created_at, last_active, expires_at)
        SELECT md5(i::text), 'principal-' || i % 1000, ${SESSION_DATA}, now() - interval '2 days', now() - interval '1 day', ${expiry}
          FROM ${series}`);
      await client.query("VACUUM ANALYZE");
    });
    await connected(await this.#create(order, "session"), async (client) => {
      await client.query("SET synchronous_commit = off");
      await client.query(
        "CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)",
      );
      await client.query(
        `INSERT INTO session SELECT md5(i::text), ${SESSION_DATA}, ${expiry} FROM ${series}`,
      );
      await client.query("CREATE INDEX ON session (expire)");
      await client.query("VACUUM ANALYZE");
    });
  }

  async #create(order: Order, table: Table) {
    const database = this.#template(order, table);
    await this.server.admin(`CREATE DATABASE ${database}`);
    return this.server.config(database);
  }

  #template = (order: Order, table: Table) => `${order}_${this.rows}_${table}`;

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
    return this.#round({ order, touched, blocked }, async (client, database) => {
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
    return this.#round({ order, touched }, async (client, database) => {
      await withoutTriggers(client);
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

  /** As river cleans its jobs: a statement finds 10,000 and deletes them, until there are none. */
  byLimit(order: Order): Promise<Round> {
    return this.#statements(order, async (client) => {
      const { rowCount } = await client.query(`DELETE FROM mcp_sessions WHERE session_id IN
        (SELECT session_id FROM mcp_sessions WHERE expires_at < now() ORDER BY expires_at LIMIT 10000)`);
      return rowCount ?? 0;
    });
  }

  /** As solid_cache expires its entries: one statement finds 100 keys, and another deletes them. */
  byKeys(order: Order): Promise<Round> {
    return this.#statements(order, async (client) => {
      const { rows } = await client.query<{ id: string }>(
        "SELECT session_id AS id FROM mcp_sessions WHERE expires_at < now() ORDER BY expires_at LIMIT 100",
      );
      const keys = rows.map(({ id }) => id);
      const { rowCount } = await client.query("DELETE FROM mcp_sessions WHERE session_id = ANY ($1)", [keys]);
      return rowCount ?? 0;
    });
  }

  #statements(order: Order, next: (client: Client) => Promise<number>): Promise<Round> {
    return this.#round({ order }, async (client) => {
      await withoutTriggers(client);
      return {
        work: async () => {
          let deleted = 0;
          for (let last = 1; last > 0; deleted += last) {
            this.life.asked.throwIfAborted();
            last = await next(client);
          }
          return deleted;
        },
        finish: async () => [],
      };
    });
  }

  async prune(order: Order): Promise<Round> {
    return this.#round({ order, table: "session" }, async (client, database) => {
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

  async #round(
    { order, table = "mcp_sessions", touched = false, blocked = 0 }: Setting,
    prepare: (
      client: Client,
      database: string,
    ) => Promise<{ work: () => Promise<number>; finish: () => Promise<number[]> }>,
  ): Promise<Round> {
    this.life.asked.throwIfAborted();
    const template = this.#template(order, table);
    const database = `${template}_copy_${++this.#copies}`;
    await this.server.admin(`CREATE DATABASE ${database} TEMPLATE ${template} STRATEGY FILE_COPY`);
    const clients = Array.from({ length: CLIENTS + 1 }, () => new Client(this.server.config(database)));
    await Promise.all(clients.map((client) => client.connect()));
    const [client, ...touching] = clients;
    if (client === undefined) throw new Error("no client");
    for (const warmUp of warmUps[table]) await client.query(`SELECT ${warmUp} FROM ${table}`);
    const { work, finish } = await prepare(client, database);
    const touches: number[] = [];
    const idleTouches: number[] = [];
    const { rows: live } = touched
      ? await client.query<{ id: string }>(
          "SELECT session_id AS id FROM mcp_sessions WHERE expires_at > now() + interval '1 hour' ORDER BY md5(session_id) LIMIT 20000",
        )
      : { rows: [] };
    const touch = (signal: AbortSignal, into: number[]) =>
      touched ? touching.map((toucher, i) => touchUntil(signal, toucher, live, i, into)) : [];
    await Promise.all(touch(AbortSignal.timeout(IDLE_MS), idleTouches));
    const done = new AbortController();
    const touchers = touch(done.signal, touches);
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
    return { deleted, seconds, transactions, touches, idleTouches };
  }
}

/** Theirs have none that count. */
async function withoutTriggers(client: Client): Promise<void> {
  await client.query("DROP TRIGGER mcp_count_before_delete ON mcp_sessions");
  await client.query("DROP TRIGGER mcp_count_deleted ON mcp_sessions");
  await client.query("CHECKPOINT");
}
