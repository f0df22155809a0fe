// SQL that several stores share: which sessions are live, how sessions are ended, and their handle. Pure.
import { type SQL, sql } from "drizzle-orm";
import type { EndReason } from "./session.ts";

/** Condition on mcp_sessions: neither ended nor expired. mcp_resume_session has the same condition. */
export function isLive(maxLifetimeSeconds: number | null): SQL {
  return sql`ended_at IS NULL AND expires_at > clock_timestamp()
    AND created_at > coalesce(now() - make_interval(secs => ${maxLifetimeSeconds}), '-infinity')`;
}

/** CTEs that end the sessions of a condition and add them to the totals; `ended_count` has how many. */
export function endedWhere(condition: SQL, reason: Exclude<EndReason, "evicted">): SQL {
  return sql`
    ended AS (UPDATE mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = ${reason}
               WHERE ${condition} RETURNING principal),
    ended_count AS (SELECT mcp_add_to_total(${`sessions_ended/${reason}`}, count(*))::int AS count FROM ended)`;
}

/**
 * How administration names a session: a UUID from which nobody can compute the id. It uses built-in functions only, so
 * every role that may write the table may also keep the index. The cast to bytea reads a backslash as an escape, so
 * backslashes are doubled.
 */
export const sessionHandle = sql.raw(
  String.raw`substr(encode(sha256(('handle:' || replace(session_id, '\', '\\'))::bytea), 'hex'), 1, 32)::uuid`,
);
