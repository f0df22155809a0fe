// All SQL of the operator routes of the sessions. A session is named by its handle: ids and keys never leave this file.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";

import { endedWhere, sessionHandle } from "../session/conditions.ts";
import { endReasons } from "../session/session.ts";

/** What an operator may see of a session. Times are ISO 8601. */
export const listedSession = z.object({
  handle: z.guid().describe("Names the session in these routes. The id cannot be computed from it"),
  session: z.string().nullable().describe("The name in the logs; null for a session of another program"),
  principal: z.string().nullable().describe("Who opened it; null for a session of another program"),
  state: z.enum(["active", "expired"]),
  protocol_version: z.string().nullable(),
  client_name: z.string().nullable(),
  client_version: z.string().nullable(),
  created_at: z.iso.datetime().nullable(),
  last_active: z.iso.datetime().nullable(),
  expires_at: z.iso.datetime().nullable().describe("Null: never"),
  ended_at: z.iso.datetime().nullable(),
  end_reason: z
    .string()
    .nullable()
    .describe(`One of ${endReasons.join(", ")}; null unless it was ended`),
});

export type ListedSession = z.infer<typeof listedSession>;

export interface SessionFilter {
  principal?: string | undefined;
  state?: "active" | "expired" | undefined;
  /** Only those after this handle, in the order of handles. */
  after?: string | undefined;
  limit: number;
}

/** Every method is one round trip, and @throws DatabaseFault. */
export interface SessionsStore {
  /** A page in the order of handles, which never changes. `next` is the `after` of the next page. */
  list(filter: SessionFilter): Promise<{ sessions: ListedSession[]; next: string | null }>;
  /** Ends a session of any principal; false when there is no such active one. */
  end(handle: string): Promise<boolean>;
  /** Ends the active sessions of a principal, 10,000 at most; `hasMore` when there were as many. */
  endAll(principal: string): Promise<{ ended: number; hasMore: boolean }>;
}

// PostgreSQL updates this many rows in well under a second.
const END_LIMIT = 10_000;

const isActive = sql`(expires_at IS NULL OR expires_at > now())`;

const iso = (column: string) =>
  sql.raw(`CASE WHEN isfinite(${column}) THEN
    to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END AS ${column}`);

/** @param onEnded gets the principal whose sessions have been ended, so that this isolate's cache forgets them. */
export function createSessionsStore(
  database: Database,
  { timeoutMs, onEnded }: { timeoutMs: number; onEnded: (principal: string) => void },
): SessionsStore {
  const justEnded = sql`end_reason = 'operator' AND ended_at > now() - make_interval(secs => ${timeoutMs / 1000})`;
  const isEndable = sql`ended_at IS NULL AND ${isActive}`;
  const rowsOf = async (name: string, statement: (isRepeated: boolean) => SQL) =>
    database.run({ name, budgetMs: timeoutMs, isIdempotent: true }, async (db, attempt) => {
      const { rows } = await db.execute(statement(attempt > 0));
      return rows;
    });

  return {
    async list({ principal, state, after, limit }) {
      const conditions = [
        sql`true`,
        ...(principal === undefined ? [] : [sql`principal = ${principal}`]),
        ...(state === "active" ? [isActive] : []),
        ...(state === "expired" ? [sql`expires_at <= now()`] : []),
        ...(after === undefined ? [] : [sql`${sessionHandle} > ${after}::uuid`]),
      ];
      const rows = await rowsOf(
        "listing all sessions",
        () => sql`
          SELECT ${sessionHandle} AS handle,
                 CASE WHEN principal IS NOT NULL THEN left(session_id, 8) END AS session,
                 principal, CASE WHEN ${isActive} THEN 'active' ELSE 'expired' END AS state, protocol_version,
                 left(client_info ->> 'name', 256) AS client_name,
                 left(client_info ->> 'version', 256) AS client_version,
                 ${iso("created_at")}, ${iso("last_active")}, ${iso("expires_at")}, ${iso("ended_at")}, end_reason
            FROM mcp_sessions
           WHERE ${sql.join(conditions, sql` AND `)}
           ORDER BY ${sessionHandle}
           LIMIT ${limit + 1}`,
      );
      const found = z.array(listedSession).parse(rows);
      const sessions = found.slice(0, limit);
      return { sessions, next: found.length > limit ? (sessions.at(-1)?.handle ?? null) : null };
    },

    async end(handle) {
      const isMeant = sql`${sessionHandle} = ${handle}::uuid`;
      const rows = await rowsOf(
        "ending any session",
        (isRepeated) => sql`
          WITH ${endedWhere(sql`${isMeant} AND ${isEndable}`, "operator")}
          SELECT ended.principal FROM ended, ended_count
          UNION ALL
          SELECT principal FROM mcp_sessions WHERE ${isRepeated} AND ${isMeant} AND ${justEnded}`,
      );
      const [ended] = z.array(z.object({ principal: z.string().nullable() })).parse(rows);
      if (typeof ended?.principal === "string") onEnded(ended.principal);
      return ended !== undefined;
    },

    async endAll(principal) {
      const isMeant = sql`principal = ${principal}`;
      const chosen = sql`session_id = ANY (ARRAY(
        SELECT session_id FROM mcp_sessions WHERE ${isMeant} AND ${isEndable} LIMIT ${END_LIMIT}))`;
      const rows = await rowsOf(
        "ending all sessions of a principal",
        (isRepeated) => sql`
          WITH ${endedWhere(sql`${chosen} AND ${isEndable}`, "operator")}
          SELECT (SELECT count FROM ended_count) AS ended,
                 (SELECT count(*) FROM mcp_sessions WHERE ${isRepeated} AND ${isMeant} AND ${justEnded})::int AS before`,
      );
      const [{ ended, before }] = z.tuple([z.object({ ended: z.number(), before: z.number() })]).parse(rows);
      onEnded(principal);
      return { ended: ended + before, hasMore: ended === END_LIMIT };
    },
  };
}
