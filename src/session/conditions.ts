// SQL that several stores share: which sessions are live, how sessions are ended, and their handle. Pure.
import { type SQL, sql } from "drizzle-orm";
import type { EndReason } from "./session.ts";

/** Condition on mcp_sessions: neither ended nor expired. mcp_resume_session has the same condition. */
export function isLive(maxLifetimeSeconds: number | null): SQL {
  return sql`ended_at IS NULL AND expires_at > clock_timestamp()
    AND created_at > coalesce(now() - make_interval(secs => ${maxLifetimeSeconds}), '-infinity')`;
}

/** A bulk end ends this many sessions at most. PostgreSQL updates them in well under a second. */
export const END_LIMIT = 10_000;

export interface Ending {
  /** Which rows are meant, whatever their state. */
  meant: SQL;
  /** Which of them can be ended. */
  endable: SQL;
  reason: Exclude<EndReason, "evicted">;
  /** Whether an earlier attempt may have ended some. They count as ended by this one. */
  isRepeated: boolean;
  /** How long ago an earlier attempt was made, at most. */
  timeoutMs: number;
  /** Of a bulk end: whose sessions they are. Left out where one row at most is meant. */
  ownedBy?: string;
}

/**
 * CTEs that end sessions and add them to the totals. `ended_count.count` is how many were ended, by an earlier attempt, too.
 * Of a bulk end `candidates` has what it could end, END_LIMIT rows at most.
 *
 * They lock in the order of docs/architecture.md: the turn of the principal, the sessions by session_id, the totals. A
 * session is judged again when its lock is held, because another statement may have ended or used it meanwhile.
 */
export function endedWhere({ meant, endable, reason, isRepeated, timeoutMs, ownedBy }: Ending): SQL {
  const wasEnded = sql`end_reason = ${reason} AND ended_at > now() - make_interval(secs => ${timeoutMs / 1000})`;
  const isMine = sql`${meant} AND ${isRepeated ? sql`(${endable} OR ${wasEnded})` : endable}`;
  const [before, turn, isChosen] =
    ownedBy === undefined
      ? [sql``, sql``, isMine]
      : [
          sql`${turnOf(ownedBy)}, ${candidatesWhere(isMine)},`,
          sql`, turn`,
          sql`session_id = ANY (ARRAY(SELECT session_id FROM candidates)) AND ${isMine}`,
        ];
  return sql`
    ${before}
    chosen AS MATERIALIZED (
      SELECT s.session_id, s.principal, s.ended_at IS NOT NULL AS is_ended
        FROM ONLY mcp_sessions s ${turn} WHERE ${isChosen}
       ORDER BY s.session_id FOR NO KEY UPDATE OF s),
    ended AS (
      UPDATE ONLY mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = ${reason}
       WHERE session_id = ANY (ARRAY(SELECT session_id FROM chosen WHERE NOT is_ended)) RETURNING 1),
    ended_count AS (
      SELECT mcp_add_to_total(${`sessions_ended/${reason}`}, count(*))::int
               + (SELECT count(*) FROM chosen WHERE is_ended)::int AS count
        FROM ended)`;
}

/** The turn of mcp_open_session. */
const turnOf = (principal: string) =>
  sql`turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtext('mcp_open_session'), hashtext(${principal})))`;

// In the order of handles, so that an attempt that is repeated finds the same ones.
const candidatesWhere = (condition: SQL) => sql`
    candidates AS MATERIALIZED (
      SELECT session_id FROM ONLY mcp_sessions WHERE ${condition} ORDER BY ${sessionHandle} LIMIT ${END_LIMIT})`;

/**
 * How administration names a session: a UUID from which nobody can compute the id. It uses built-in functions only, so
 * every role that may write the table may also keep the index. The cast to bytea reads a backslash as an escape, so
 * backslashes are doubled. An E before a string makes PostgreSQL read it in one way, whatever standard_conforming_strings is.
 */
export const sessionHandle = sql.raw(
  String.raw`substr(encode(sha256(('handle:' || replace(session_id, E'\\', E'\\\\'))::bytea), 'hex'), 1, 32)::uuid`,
);
