// db:migrate may be killed at any moment: what used the database goes on, and the next run ends where one that was left
// alone ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client, ClientConfig } from "pg";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { driftOf, migrate, Unfinished } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import {
  adminOf,
  applyFormer,
  counted,
  createDatabase,
  createDatabaseFrom,
  pythonTable,
  query,
  schemaOf,
  untilTrue,
  valueOf,
  withCopy,
} from "./databases.ts";
import { createMigrated } from "./migrated.ts";

// Ends a test that waits for ever.
vi.setConfig({ testTimeout: 600_000 });

const opening = (id: string) =>
  `SELECT mcp_open_session('${id}', 'alice', '2025-11-25', '{}', '{}', 60, NULL, 5)`;
const theirs = (id: string) =>
  `INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('${id}', now() + interval '1 day')`;

/** Where a migration begins: how a database gets there, and what its program does. */
const starts = {
  "a Python server's table": {
    make: async () => createDatabase(...pythonTable.filter((statement) => !statement.includes("INDEX"))),
    use: theirs,
    rows: 1000,
  },
  "a database of a former version": {
    make: async () => {
      const config = await createDatabase();
      await applyFormer(config, 11);
      await query(
        config,
        "INSERT INTO mcp_sessions (session_id) SELECT i::text FROM generate_series(1, 500) i",
        "DROP INDEX idx_mcp_sessions_expires",
      );
      return config;
    },
    use: opening,
    rows: 500,
  },
  "a database whose indexes and triggers were changed": {
    make: async () =>
      createMigrated(
        "INSERT INTO mcp_sessions (session_id) SELECT i::text FROM generate_series(1, 100) i",
        "DROP TRIGGER mcp_count_inserted ON mcp_sessions",
        "ALTER TABLE mcp_sessions DROP log_level",
        "DROP INDEX idx_mcp_sessions_expires",
        "CREATE INDEX idx_mcp_sessions_expires ON mcp_sessions (expires_at DESC)",
      ),
    use: theirs,
    rows: 100,
  },
} as const;
type Start = keyof typeof starts;

// Any number. Whoever waits for this lock is where the test wants it.
const GATE = 4711;
/** Keeps a command of this kind from beginning, or from ending, when there is a relation of this name. */
const gate = (event: "start" | "end", tag: string, relation = "mcp_sessions") => [
  `CREATE FUNCTION gate() RETURNS event_trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF to_regclass('${relation}') IS NOT NULL THEN PERFORM pg_advisory_xact_lock(${GATE}); END IF;
   END $$`,
  `CREATE EVENT TRIGGER gate ON ddl_command_${event} WHEN TAG IN ('${tag}') EXECUTE FUNCTION gate()`,
];
const openGate = ["DROP EVENT TRIGGER IF EXISTS gate", "DROP FUNCTION IF EXISTS gate"];

interface Stage {
  /** What holds the migration up. */
  hold: (holder: Client) => Promise<unknown>;
  before?: string[];
  /** Changes the files of the migration. */
  files?: (folder: string) => void;
  /** Whether the tables and routines are in place by then. */
  isCommitted: boolean;
  starts: readonly Start[];
}

const all = Object.keys(starts) as Start[];
const holdGate = (holder: Client) => holder.query("SELECT pg_advisory_lock($1)", [GATE]);
const stages: Record<string, Stage> = {
  "waits for a lock": {
    hold: async (holder) => {
      await holder.query("BEGIN");
      await holder.query("SELECT FROM mcp_sessions");
    },
    isCommitted: false,
    starts: all,
  },
  "has changed the table": {
    hold: holdGate,
    before: gate("end", "ALTER TABLE"),
    isCommitted: false,
    starts: all,
  },
  "has made triggers": {
    hold: holdGate,
    before: gate("end", "CREATE TRIGGER"),
    isCommitted: false,
    starts: all,
  },
  "counts the sessions": {
    hold: holdGate,
    files: (folder) =>
      writeFileSync(
        join(folder, "routines/mcp_recount_sessions.sql"),
        `CREATE OR REPLACE FUNCTION mcp_recount_sessions() RETURNS bigint LANGUAGE sql
           AS 'SELECT pg_advisory_xact_lock(${GATE}); SELECT 0::bigint';`,
      ),
    isCommitted: true,
    starts: all,
  },
  "builds an index": {
    // Writers are in the way of a build, and of no trigger that is there already.
    hold: async (holder) => {
      await holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
      await holder.query("SELECT 1");
    },
    isCommitted: true,
    starts: all,
  },
  "has built an index beside the old one": {
    hold: holdGate,
    before: gate("start", "ALTER INDEX"),
    isCommitted: true,
    starts: ["a database whose indexes and triggers were changed"],
  },
  "has replaced an index, and drops the old one": {
    hold: holdGate,
    before: gate("start", "DROP INDEX", "idx_mcp_sessions_expires_old"),
    isCommitted: true,
    starts: ["a database whose indexes and triggers were changed"],
  },
};

/** What a migration that is left alone makes of each start. */
const ends = new Map<Start, string[]>();
const templateOf = (start: Start) => `start_${all.indexOf(start)}`;
beforeAll(async () => {
  for (const start of all) {
    const { database } = await starts[start].make();
    await query(adminOf("postgres"), `ALTER DATABASE ${String(database)} RENAME TO ${templateOf(start)}`);
    const config = await createDatabaseFrom(templateOf(start));
    await migrate(config);
    ends.set(start, await schemaOf(config));
  }
});

const application = "mcp-sessions db:migrate";
const isIdle = `SELECT NOT EXISTS (SELECT FROM pg_stat_activity
                                    WHERE datname = current_database() AND application_name = '${application}')`;
// The lock of db:migrate has this number.
const working = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid::bigint = x'6d637073'::bigint
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** A migration at work. */
interface Running {
  /** Settles when it has ended, in whatever way. */
  ended: Promise<unknown>;
  interrupt: () => unknown;
}

const KILLED = "its process is killed";
const interruptions: Record<string, (config: ClientConfig, folder: string) => Running> = {
  [KILLED]({ host, port, user, password, database }, folder) {
    const url = `postgresql://${user}:${String(password)}@${host}:${port}/${database}`;
    const command = spawn(process.execPath, ["test/drizzle/migrate-in.ts", url, folder], { stdio: "ignore" });
    return { ended: once(command, "exit"), interrupt: () => command.kill("SIGKILL") };
  },
  "its connection is ended": (config, folder) => ({
    ended: migrate(config, folder).catch(() => {}),
    interrupt: () => query(config, `SELECT pg_terminate_backend(pid) FROM (${working}) AS w`),
  }),
};

/** A killed process is the same to each start, so it is killed in one of them, which differs from stage to stage. */
const casesOf = ({ starts: begin }: Stage, place: number) =>
  begin.flatMap((start, i) =>
    Object.entries(interruptions)
      .filter(([when]) => when !== KILLED || i === place % begin.length)
      .map(([when, interruption]) => [when, start, interruption] as const),
  );

// Concurrent, because much of the time is spent waiting: PostgreSQL notices within a second that its client is gone.
describe.concurrent.each(Object.entries(stages).map(([name, stage], place) => [name, stage, place] as const))(
  "a migration that %s",
  (_stage, stage, place) => {
    test.each(casesOf(stage, place))("can be interrupted: %s, in %s", async (_when, start, interruption) => {
      const { use, rows } = starts[start];
      const config = await createDatabaseFrom(templateOf(start), ...(stage.before ?? []));
      const before = await schemaOf(config);
      await connected(config, async (holder) => {
        await stage.hold(holder);
        await withCopy("drizzle", async (folder) => {
          stage.files?.(folder);
          const running = interruption(config, folder);
          await untilHeld(config, holder, running);
          await running.interrupt();
          await running.ended;
        });
        // Nothing that it has begun goes on by itself.
        await untilTrue(config, isIdle);
        const isAsBefore = JSON.stringify(await schemaOf(config)) === JSON.stringify(before);
        expect(isAsBefore).toBe(!stage.isCommitted);
        // What used the database goes on.
        await query({ ...config, statement_timeout: 60_000 }, use("meanwhile"));
      });
      await query(config, ...openGate);
      await migrate(config);
      expect(await schemaOf(config)).toEqual(ends.get(start));
      expect(await query(config, counted)).toEqual([{ total: rows + 1, is_right: true }]);
      expect(await valueOf(config, opening("afterwards"))).toBe(0);
      expect(await driftOf(config)).toEqual([]);
    });
  },
);

/** Until the migration waits for the holder. */
async function untilHeld(config: ClientConfig, holder: Client, { ended }: Running): Promise<void> {
  const { rows } = await holder.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const isHeld = `SELECT coalesce((SELECT ${rows[0]?.pid} = ANY (pg_blocking_pids(pid)) FROM (${working}) AS w), false)`;
  expect(await untilTrue(config, isHeld, ended), "It has ended before it was held up").toBe(true);
}

test("a connection that is lost while it commits is not said to have changed nothing", async () => {
  const config = await createDatabase();
  // Deferred, so it runs in COMMIT.
  await query(
    config,
    "CREATE TABLE mcp_schema_journal (name text PRIMARY KEY, sha256 text NOT NULL, definition_sha256 text, applied_at timestamptz NOT NULL DEFAULT now())",
    "CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
    `CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON mcp_schema_journal DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION ends()`,
  );
  const error = await migrate(config).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Unfinished);
  expect((error as Error).message).toContain("it is not known whether all was applied");
});
