// Databases with very many sessions, filled quickly: without indexes, which are built afterwards.
import { createHash } from "node:crypto";
import type { Life } from "../../dev/shutdown.ts";
import { connected } from "../support/postgres.ts";
import { type Server, SESSION_DATA } from "./server.ts";

export const MILLION = 1_000_000;

// What one statement inserts: a second or two, so that Ctrl-C is heard.
const CHUNK = 250_000;
const MEBIBYTE = 1024 ** 2;
// As many as there are cores on the machine of the figures.
const CLIENTS = 2;

export const databaseOf = (rows: number) => `sessions_${rows}`;
export const labelOf = (rows: number) => (rows >= MILLION ? `${rows / MILLION}M` : `${rows / 1000}k`);

/** Runs one statement on a connection of its own. What it took is in the database's statistics when this returns. */
export const query = (server: Server, database: string, statement: string) =>
  connected(server.config(database), async (client) => {
    const result = await client.query(statement);
    await client.query("SELECT pg_stat_force_next_flush()");
    return result;
  });

/** How the sessions of a table differ, as terms of SQL in `i`, their number. */
export interface Kind {
  key: string;
  principal: string;
  createdAt: string;
}

/** Keys in their order, which fill their index at its end: for what does not look for a session. */
export const inOrder: Kind = {
  key: "lpad(i::text, 32, '0')",
  principal: "'principal-' || i % 1000",
  createdAt: "now()",
};

// Of each principal.
export const SESSIONS_EACH = 10;

/** Keys as a Worker makes them, in no order, and principals with ten sessions each, used an hour after they were opened. */
export const asOpened = (rows: number): Kind => ({
  key: "md5(i::text) || md5((-i)::text)",
  principal: `'principal-' || i % ${rows / SESSIONS_EACH}`,
  createdAt: "now() - interval '1 hour'",
});

const md5 = (text: string) => createHash("md5").update(text).digest("hex");

/** The key and the principal of one of `asOpened`. */
export const openedAs = (rows: number, i: number) => ({
  key: md5(`${i}`) + md5(`${-i}`),
  principal: `principal-${i % (rows / SESSIONS_EACH)}`,
});

/** Live sessions, in the order in which they expire, from the `from`th to the `to`th. */
export async function fillSessions(
  life: Life,
  server: Server,
  database: string,
  [from, to]: [number, number],
  kind = inOrder,
): Promise<void> {
  const startedAt = performance.now();
  await connected(server.config(database), async (client) => {
    const { rows: indexes } = await client.query<{ name: string; definition: string }>(
      `SELECT indexname AS name, indexdef AS definition FROM pg_indexes
        WHERE tablename = 'mcp_sessions' AND indexname <> 'mcp_sessions_pkey'`,
    );
    for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
    const {
      rows: [primary],
    } = await client.query<{ definition: string }>(
      "SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conname = 'mcp_sessions_pkey'",
    );
    await client.query("ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey");
    let next = from;
    await Promise.all(
      Array.from({ length: CLIENTS }, () =>
        connected(server.config(database), async (filler) => {
          await filler.query("SET synchronous_commit = off");
          while (next < to) {
            life.asked.throwIfAborted();
            const first = next;
            next = Math.min(first + CHUNK, to);
            await filler.query(
              `INSERT INTO mcp_sessions (session_id, principal, client_info, created_at, last_active, expires_at)
               SELECT ${kind.key}, ${kind.principal}, ${SESSION_DATA}, ${kind.createdAt}, now(),
                      now() + interval '12 hours' + i * interval '4 milliseconds'
                 FROM generate_series(${first}, ${next - 1}) i`,
            );
          }
        }),
      ),
    );
    await client.query(
      `ALTER TABLE mcp_sessions ADD CONSTRAINT mcp_sessions_pkey ${primary?.definition ?? ""}`,
    );
    for (const { definition } of indexes) {
      life.asked.throwIfAborted();
      await client.query(definition);
    }
    await client.query("VACUUM ANALYZE mcp_sessions");
    await client.query("CHECKPOINT");
    const { rows } = await client.query<{ bytes: string }>(
      "SELECT pg_total_relation_size('mcp_sessions') AS bytes",
    );
    const mebibytes = Math.round(Number(rows[0]?.bytes) / MEBIBYTE);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(`${labelOf(to - from)} sessions filled in, in ${seconds} s: ${mebibytes} MiB.`);
  });
}
