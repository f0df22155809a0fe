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
  const firstRow = async <T>(
    operation: string,
    shape: z.ZodType<T>,
    statement: SQL,
  ): Promise<T | undefined> =>
    database.run(
      operation,
      timeoutMs,
      async (db) => z.array(shape).parse((await db.execute(statement)).rows)[0],
    );

  return {
    get: (session, key) =>
      firstRow(
        "reading session state",
        z.object({ found: z.boolean(), value: z.unknown() }),
        sql`SELECT coalesce(state ? ${key}, false) AS found, state -> ${key} AS value
              FROM mcp_sessions WHERE ${isOwn(session)}`,
      ),

    async set(session, key, value) {
      const written = sql`coalesce(state, '{}') || jsonb_build_object(${key}::text, ${JSON.stringify(value)}::jsonb)`;
      // The update locks the row and sees its latest version, so two writes of different keys both stay.
      const row = await firstRow(
        "writing session state",
        z.object({ size: z.number().nullable(), is_live: z.boolean() }),
        sql`WITH written AS (
              UPDATE mcp_sessions SET state = ${written}
               WHERE ${isOwn(session)} AND octet_length((${written})::text) <= ${STATE_LIMIT_BYTES}
              RETURNING octet_length(state::text) AS size)
            SELECT (SELECT size FROM written) AS size,
                   EXISTS (SELECT FROM mcp_sessions WHERE ${isOwn(session)}) AS is_live`,
      );
      if (typeof row?.size === "number") return { outcome: "written", sizeBytes: row.size };
      return { outcome: row?.is_live === true ? "too_large" : "gone" };
    },

    async delete(session, key) {
      const row = await firstRow(
        "deleting session state",
        z.object({ existed: z.boolean() }),
        sql`WITH found AS (SELECT session_id, coalesce(state ? ${key}, false) AS existed
                             FROM mcp_sessions WHERE ${isOwn(session)} FOR UPDATE)
            UPDATE mcp_sessions s SET state = s.state - ${key}::text
              FROM found WHERE s.session_id = found.session_id
            RETURNING found.existed`,
      );
      return row?.existed;
    },
  };
}
