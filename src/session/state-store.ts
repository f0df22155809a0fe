// The document of a session: JSON values by key, kept in its row and gone with it. All SQL of it.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import type { Session } from "./session.ts";
import { isLive } from "./store.ts";

/** The most that a session's document may take as JSON text, keys included. */
export const STATE_LIMIT_BYTES = 64 * 1024;

/** `gone`: the session has been ended or has expired since the request began. */
export type StateWrite =
  | { outcome: "written"; sizeBytes: number }
  | { outcome: "too_large" }
  | { outcome: "gone" };

/** Every method is one round trip on one key, atomic beside any other, and @throws DatabaseFault. */
export interface StateStore {
  get(session: Session, key: string): Promise<{ found: boolean; value: unknown } | undefined>;
  set(session: Session, key: string, value: unknown): Promise<StateWrite>;
  delete(session: Session, key: string): Promise<boolean | undefined>;
}

export function createStateStore(
  database: Database,
  { timeoutMs, maxLifetimeSeconds }: { timeoutMs: number; maxLifetimeSeconds: number | null },
): StateStore {
  const isOwn = ({ key, principal }: Session) =>
    sql`session_id = ${key} AND principal = ${principal} AND ${isLive(maxLifetimeSeconds)}`;
  // A write carries a name of its own, which stays in the row with it: sent again, it finds that it has been done,
  // and does not undo what others have written since.
  const firstRow = async <T>(
    name: string,
    shape: z.ZodType<T>,
    statement: (write: string) => SQL,
  ): Promise<T | undefined> => {
    const prepared = statement(crypto.randomUUID());
    return database.run({ name, budgetMs: timeoutMs, isIdempotent: true }, async (db) => {
      const { rows } = await db.execute(prepared);
      return z.array(shape).parse(rows)[0];
    });
  };

  return {
    get: (session, key) =>
      firstRow(
        "reading session state",
        z.object({ found: z.boolean(), value: z.unknown() }),
        () => sql`SELECT coalesce(state ? ${key}, false) AS found, state -> ${key} AS value
                    FROM mcp_sessions WHERE ${isOwn(session)}`,
      ),

    async set(session, key, value) {
      const merged = sql`coalesce(state, '{}') || jsonb_build_object(${key}::text, ${JSON.stringify(value)}::jsonb)`;
      // The update locks the row and sees its latest version, so two writes of different keys both stay.
      const row = await firstRow(
        "writing session state",
        z.object({ size: z.number().nullable(), is_live: z.boolean() }),
        (write) => sql`
          WITH written AS (
            UPDATE mcp_sessions SET state = ${merged}, state_writes = ${writesWith(write)}
             WHERE ${isOwn(session)} AND NOT ${isDone(write)} AND octet_length((${merged})::text) <= ${STATE_LIMIT_BYTES}
            RETURNING octet_length(state::text) AS size)
          SELECT coalesce((SELECT size FROM written),
                          (SELECT octet_length(state::text) FROM mcp_sessions WHERE ${isOwn(session)} AND ${isDone(write)})
                         ) AS size,
                 EXISTS (SELECT FROM mcp_sessions WHERE ${isOwn(session)}) AS is_live`,
      );
      if (typeof row?.size === "number") return { outcome: "written", sizeBytes: row.size };
      return { outcome: row?.is_live === true ? "too_large" : "gone" };
    },

    async delete(session, key) {
      const row = await firstRow(
        "deleting session state",
        z.object({ existed: z.boolean(), is_live: z.boolean() }),
        (write) => sql`
          WITH deleted AS (
            UPDATE mcp_sessions SET state = state - ${key}::text, state_writes = ${writesWith(write)}
             WHERE ${isOwn(session)} AND NOT ${isDone(write)} AND state ? ${key}
            RETURNING 1)
          SELECT EXISTS (SELECT FROM deleted)
                   OR EXISTS (SELECT FROM mcp_sessions WHERE ${isOwn(session)} AND ${isDone(write)}) AS existed,
                 EXISTS (SELECT FROM mcp_sessions WHERE ${isOwn(session)}) AS is_live`,
      );
      return row?.is_live === true ? row.existed : undefined;
    },
  };
}

// More writes than a session has under way at once.
const WRITES_KEPT = 16;

function writesWith(write: string): SQL {
  const writes = sql`coalesce(state_writes, '{}')`;
  return sql`(array_append(${writes}, ${write}::text))[cardinality(${writes}) + 2 - ${WRITES_KEPT}::int :]`;
}

function isDone(write: string): SQL {
  return sql`(${write}::text = ANY (coalesce(state_writes, '{}')))`;
}
