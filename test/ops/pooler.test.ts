// Cleanup runs behind PgBouncer in transaction mode, where what a session leaves behind stays on a server connection.
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { startPooler, type Pooler } from "../support/pooler.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";

const RUNS = 60;
const role = { user: "mcp", password: "mcp" };

let postgres: TestPostgres;
let pooler: Pooler;
let direct: ClientConfig;
let pooled: ClientConfig;
beforeAll(async () => {
  postgres = await startTestPostgres();
  const { host, port, user, password } = postgres;
  await connected({ host, port, user, password, database: "postgres" }, async (client) => {
    await client.query("CREATE ROLE mcp LOGIN PASSWORD 'mcp'");
    await client.query("CREATE DATABASE mcp OWNER mcp");
  });
  direct = { host, port, ...role, database: "mcp" };
  await migrate(direct);
  pooler = await startPooler(postgres, [role]);
  pooled = { host: pooler.host, port: pooler.port, ...role, database: "mcp" };
});
afterAll(async () => {
  await pooler.stop();
  await postgres.remove();
});

const call = "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 2, 20000, 30)";

/** Cancels the first statement of the client that still runs after `ms`. */
async function cancelAfter(client: Client, ms: number): Promise<void> {
  await sleep(ms);
  const canceller = new Client(pooled);
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const { connection } = canceller as unknown as {
    connection: NodeJS.EventEmitter & {
      connect(port: number, host: string): void;
      cancel(processId: number, secretKey: number): void;
    };
  };
  connection.on("connect", () => connection.cancel(processID, secretKey));
  const ended = new Promise((resolve) => connection.once("end", resolve));
  connection.connect(pooler.port, pooler.host);
  await ended;
}

test(`after each of ${RUNS} runs that are cancelled at some moment, the next one deletes the rest`, async () => {
  await connected(direct, async (client) => {
    await client.query(`CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(0.0005); RETURN OLD; END'`);
    await client.query(
      "CREATE TRIGGER slow BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION be_slow()",
    );
    for (let i = 0; i < RUNS; i++) {
      await client.query(
        "INSERT INTO mcp_sessions (session_id, expires_at) SELECT 's' || n, now() - interval '1 hour' FROM generate_series(1, 200) n",
      );
      await connected(pooled, async (cancelled) => {
        const running = cancelled.query(call).catch((error: unknown) => error);
        await cancelAfter(cancelled, Math.random() * 100);
        await running;
      });
      // The lease of a run that could not close its record ends by itself.
      let outcome = "skipped";
      for (let tries = 0; outcome === "skipped" && tries < 300; tries++) {
        if (tries > 0) await sleep(100);
        const { rows } = await connected(pooled, (next) => next.query<{ outcome: string }>(call));
        outcome = rows[0]?.outcome ?? "";
      }
      expect(outcome).toBe("completed");
      const { rows } = await client.query<{ left: number }>("SELECT count(*)::int AS left FROM mcp_sessions");
      expect(rows).toEqual([{ left: 0 }]);
    }
    const { rows } = await client.query<{ outcome: string; runs: number; deleted: number }>(
      "SELECT outcome, count(*)::int AS runs, sum(deleted)::int AS deleted FROM mcp_cleanup_runs GROUP BY 1",
    );
    // Every deletion is counted once, also those of cancelled runs, and some were cancelled.
    expect(rows.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(200 * RUNS);
    expect(rows.find((row) => row.outcome === "failed")?.runs).toBeGreaterThan(RUNS / 4);
    // No lock stays behind on the connections that the pooler keeps.
    const { rows: locks } = await client.query("SELECT FROM pg_locks WHERE locktype = 'advisory'");
    expect(locks).toEqual([]);
  });
});
