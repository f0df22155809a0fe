// A database is migrated while others use it: nobody waits for long, and who is in the way is named.
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client, ClientConfig } from "pg";
import { describe, expect, test, vi } from "vitest";
import { migrate, Unfinished } from "../../drizzle/migrate.ts";
import { connected, startTestPostgres } from "../support/postgres.ts";
import {
  createDatabase,
  pythonTable,
  query,
  schemaOf,
  untilTrue,
  untilWaiting,
  withCopy,
} from "./databases.ts";
import { createMigrated, expectFinished } from "./migrated.ts";

// Ends a test that waits for ever.
vi.setConfig({ testTimeout: 600_000 });

// A column is missing, so the table has to be changed.
const incomplete = "ALTER TABLE mcp_sessions DROP log_level";

/** Runs `work` while another program is in a transaction that has done `statement` and does nothing more. */
const whileIdle = <T>(config: ClientConfig, statement: string, work: (idle: Client) => Promise<T>) =>
  connected({ ...config, application_name: "a report" }, async (idle) => {
    await idle.query("BEGIN");
    await idle.query(statement);
    return work(idle);
  });

/** The lines that it says while it waits. */
function listen() {
  const lines: string[] = [];
  let hear = () => {};
  const heard = new Promise<void>((resolve) => (hear = resolve));
  return {
    lines,
    heard,
    say: (line: string) => {
      lines.push(line);
      hear();
    },
  };
}

const HOLDER = String.raw`pid \d+ \(role postgres, application a report, idle in transaction, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)`;

test("behind an idle transaction it waits, names that one once, and keeps nobody else waiting", async () => {
  const config = await createMigrated(incomplete);
  const { lines, heard, say } = listen();
  const migrated = await whileIdle(config, "SELECT 'a secret' FROM mcp_sessions", async (idle) => {
    const running = migrate(config, undefined, { say });
    await heard;
    // Many times what they wait. Behind the lock of a migration, each would wait until the idle one ends.
    const bounded = { ...config, statement_timeout: 30_000 };
    for (let i = 0; i < 20; i++) {
      await query(
        bounded,
        "SELECT FROM mcp_sessions",
        `INSERT INTO mcp_sessions (session_id) VALUES ('meanwhile-${i}')`,
        `UPDATE mcp_sessions SET last_active = now() WHERE session_id = 'meanwhile-${i}'`,
      );
    }
    await idle.query("COMMIT");
    return running;
  });
  expect(migrated).toContain("Applied 0000_baseline: missing: mcp_sessions.log_level");
  expect(lines).toEqual([
    expect.stringMatching(new RegExp(`^Waiting for the lock on a table. In the way: ${HOLDER}$`)),
  ]);
  await expectFinished(config);
});

test("when that lasts too long it gives up, says who is in the way, and nothing was applied", async () => {
  const config = await createMigrated(incomplete, "DROP FUNCTION mcp_count_sessions");
  const before = await schemaOf(config);
  await whileIdle(config, "SELECT 'a secret' FROM mcp_sessions", async () => {
    await expect(migrate(config, undefined, { limitMs: 700 })).rejects.toThrow(
      new RegExp(`^waited 0.7 s for the lock on a table. In the way: ${HOLDER}. End that, or wait longer`),
    );
    expect(await schemaOf(config)).toEqual(before);
  });
  await migrate(config);
  await expectFinished(config);
});

test("the other transaction is named even when there is one attempt only", async () => {
  const config = await createMigrated(incomplete);
  await whileIdle(config, "SELECT FROM mcp_sessions", async () => {
    await expect(migrate(config, undefined, { limitMs: 0 })).rejects.toThrow(new RegExp(HOLDER));
  });
});

test("a prepared transaction that is in the way is named", async () => {
  const postgres = await startTestPostgres({ max_prepared_transactions: "1" });
  try {
    const { host, port, user, password } = postgres;
    const config = { host, port, user, password, database: "postgres" };
    await migrate(config);
    await query(config, incomplete, "BEGIN", "SELECT FROM mcp_sessions", "PREPARE TRANSACTION 'left over'");
    await expect(migrate(config, undefined, { limitMs: 500 })).rejects.toThrow(
      /In the way: a prepared transaction \(left over, role postgres, since /,
    );
  } finally {
    await postgres.remove();
  }
});

test("a role that may have one connection migrates, and then names nobody", async () => {
  const config = await createDatabase();
  const user = `single_${String(config.database)}`;
  await query(
    config,
    `CREATE ROLE ${user} LOGIN PASSWORD 'p' CONNECTION LIMIT 1`,
    `ALTER SCHEMA public OWNER TO ${user}`,
  );
  const role = { ...config, user, password: "p" };
  await migrate(role);
  await query(config, incomplete);
  await whileIdle(config, "SELECT FROM mcp_sessions", async () => {
    await expect(migrate(role, undefined, { limitMs: 500 })).rejects.toThrow("nobody who could be seen");
  });
  await migrate(role);
});

describe("a table of which nothing is missing is not locked", () => {
  // It is in the way of every lock that a migration could take, and of no reader and no writer.
  const lock = "LOCK TABLE mcp_sessions IN SHARE UPDATE EXCLUSIVE MODE";

  test.each([
    ["a migration whose file has changed", "0000_baseline.sql"],
    ["a function whose file has changed", "routines/mcp_open_session.sql"],
  ])("by %s", async (_, file) => {
    const config = await createMigrated();
    await withCopy("drizzle", async (folder) => {
      appendFileSync(join(folder, file), "\n-- Changed.");
      await whileIdle(config, lock, async () => {
        const [first, ...others] = await migrate(config, folder, { limitMs: 0 });
        expect(first).toMatch(/^Applied \w+: its file has changed$/);
        for (const line of others) expect(line).toMatch(/^Applied \w+: an earlier one is applied again$/);
      });
    });
  });

  test("by an index of another table", async () => {
    const config = await createMigrated("DROP INDEX idx_mcp_cleanup_runs_tier");
    await whileIdle(config, lock, async () => {
      expect(await migrate(config, undefined, { limitMs: 0 })).toEqual([
        "Built idx_mcp_cleanup_runs_tier: missing in the database",
      ]);
    });
    await expectFinished(config);
  });
});

test("a trigger is made while others read", async () => {
  const config = await createMigrated("DROP TRIGGER mcp_count_inserted ON mcp_sessions");
  await whileIdle(config, "SELECT FROM mcp_sessions", () => migrate(config, undefined, { limitMs: 0 }));
  await expectFinished(config);
});

test("an autovacuum gives way", async () => {
  const config = await createMigrated(
    incomplete,
    // So slow that it does not end by itself.
    `ALTER TABLE mcp_sessions SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
       autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)`,
    "INSERT INTO mcp_sessions (session_id) SELECT i::text FROM generate_series(1, 50000) i",
    "DELETE FROM mcp_sessions WHERE session_id LIKE '%1'",
    "ALTER SYSTEM SET autovacuum_naptime = '1s'",
    "SELECT pg_reload_conf()",
  );
  const isVacuuming = `SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum
                                       WHERE datname = current_database() AND relid = 'mcp_sessions'::regclass)`;
  await untilTrue(config, isVacuuming);
  await migrate(config);
  await query(
    config,
    "ALTER SYSTEM RESET autovacuum_naptime",
    "SELECT pg_reload_conf()",
    `ALTER TABLE mcp_sessions RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor,
       autovacuum_vacuum_cost_delay, autovacuum_vacuum_cost_limit)`,
  );
  await expectFinished(config);
});

describe("an index", () => {
  const dropped = ["DROP INDEX idx_mcp_sessions_expires", "DROP INDEX idx_mcp_sessions_by_handle"];
  const insertion = "INSERT INTO mcp_sessions (session_id) VALUES ('open')";

  test("that waits for an old transaction for too long is left, with the reason; the next run builds it", async () => {
    const config = await createMigrated(...dropped);
    await whileIdle(config, insertion, async (idle) => {
      const error = await migrate(config, undefined, { limitMs: 1500 }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Unfinished);
      expect((error as Unfinished).message).toMatch(
        new RegExp(
          `^idx_mcp_sessions_by_handle: waited 1.5 s to build idx_mcp_sessions_by_handle. In the way: ${HOLDER}.*\n` +
            "  idx_mcp_sessions_expires: not begun$",
        ),
      );
      await idle.query("COMMIT");
    });
    expect(await migrate(config)).toEqual([
      "Built idx_mcp_sessions_by_handle: its last build did not finish",
      "Built idx_mcp_sessions_expires: missing in the database",
    ]);
    await expectFinished(config);
  });

  test("is built also when the role's statements may not take long", async () => {
    const config = await createMigrated(...dropped);
    await query(config, `ALTER DATABASE ${String(config.database)} SET statement_timeout = 1000`);
    const { lines, heard, say } = listen();
    await whileIdle(config, insertion, async (idle) => {
      const migrated = migrate(config, undefined, { say });
      await untilWaiting(config, migrated);
      await idle.query("SELECT pg_sleep(0.9)");
      await idle.query("SELECT pg_sleep(0.9)");
      await heard;
      await idle.query("COMMIT");
      await migrated;
    });
    expect(lines.join("\n")).toMatch(
      /Waiting to build idx_mcp_sessions_by_handle. In the way: pid \d+ \(role postgres, application a report, /,
    );
    await expectFinished(config);
  });
});

describe("another db:migrate", () => {
  test("waits until the first has built its indexes, and is not in their way", async () => {
    const config = await createMigrated("DROP INDEX idx_mcp_sessions_expires");
    await whileIdle(config, "INSERT INTO mcp_sessions (session_id) VALUES ('open')", async (idle) => {
      const first = migrate(config);
      await untilWaiting(config, first);
      const { heard, say } = listen();
      const second = migrate(config, undefined, { say });
      await heard;
      await idle.query("COMMIT");
      expect(await first).toEqual(["Built idx_mcp_sessions_expires: missing in the database"]);
      expect(await second).toEqual([]);
    });
    await expectFinished(config);
  });

  test("that takes too long is named, and nothing was applied", async () => {
    const config = await createDatabase(...pythonTable);
    const before = await schemaOf(config);
    // As db:migrate holds it.
    await connected({ ...config, application_name: "another" }, async (other) => {
      await other.query("SELECT pg_advisory_lock($1)", [0x6d637073]);
      await expect(migrate(config, undefined, { limitMs: 300 })).rejects.toThrow(
        /^waited 0.3 s for another db:migrate. In the way: pid \d+ \(role postgres, application another, idle\)/,
      );
    });
    expect(await schemaOf(config)).toEqual(before);
  });

  test("of another database is not waited for", async () => {
    const config = await createMigrated(incomplete);
    await connected(await createDatabase(), async (other) => {
      await other.query("SELECT pg_advisory_lock($1)", [0x6d637073]);
      await migrate(config, undefined, { limitMs: 0 });
    });
    await expectFinished(config);
  });
});

test("an isolation that the Worker cannot work with is refused with what mends it, and nothing was applied", async () => {
  const config = await createDatabase();
  await query(
    config,
    `ALTER DATABASE ${String(config.database)} SET default_transaction_isolation = 'repeatable read'`,
  );
  const error = (await migrate(config).catch((reason: unknown) => reason)) as Error;
  expect(error.message).toContain("are repeatable read by default");
  expect(await schemaOf(config)).toEqual([]);
  const [, mending = ""] = /Run: (ALTER ROLE .*);$/.exec(error.message) ?? [];
  await query(config, mending);
  await migrate(config);
  await expectFinished(config);
  await query(config, mending.replace("SET", "RESET").replace(/ = .*/, ""));
});

test("a file that fails under a lock is no lock that is waited for", async () => {
  const config = await createMigrated(incomplete);
  await withCopy("drizzle", async (folder) => {
    writeFileSync(join(folder, "0001_broken.sql"), "SELECT 1 / 0;");
    await expect(migrate(config, folder)).rejects.toThrow("division by zero");
  });
});
