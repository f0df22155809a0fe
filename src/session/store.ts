// All SQL of the sessions. Every statement uses the database's clock, and none revives a session that has ended.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import type { SessionSummary } from "../mcp/context.ts";
import { endedWhere, isLive } from "./conditions.ts";
import type { Lifetimes, Session } from "./session.ts";

/** A session before it is opened. */
export type NewSession = Pick<
  Session,
  "key" | "principal" | "protocolVersion" | "clientInfo" | "capabilities"
>;

/** Every method is one round trip, and @throws DatabaseFault. */
export interface SessionStore {
  /**
   * Opens a session. Repeated with the same key it changes nothing.
   * @returns how many of the principal's least recently used sessions were ended to make room for it.
   */
  open(session: NewSession): Promise<number>;
  /** Finds, judges and touches a session; undefined when it is unknown, expired, ended or of another principal. */
  resume(key: string, principal: string): Promise<Session | undefined>;
  /** Ends a session; false when the principal has no such live one. */
  end(key: string, principal: string): Promise<boolean>;
  /** The principal's live sessions, the last used first, at most 100. */
  list(principal: string): Promise<SessionSummary[]>;
  /** Ends all of the principal's sessions but one, and says how many. */
  endOthers(principal: string, exceptKey: string | undefined): Promise<number>;
  /** Keeps the client's log level for later requests. */
  setLogLevel(session: Session, level: string): Promise<void>;
}

// More is of no use in a tool's answer.
const LIST_LIMIT = 100;

const milliseconds = z.number().transform((time) => new Date(time));
const json = z
  .record(z.string(), z.unknown())
  .nullable()
  .transform((value) => value ?? {});

const summaries = z.object({
  key: z.string(),
  clientInfo: json,
  createdAt: milliseconds,
  lastActive: milliseconds,
  expiresAt: milliseconds,
});

const sessions = summaries.extend({
  principal: z.string(),
  protocolVersion: z
    .string()
    .nullable()
    .transform((version) => version ?? ""),
  capabilities: json,
  logLevel: z.string().nullable(),
  isDegraded: z.literal(false).default(false),
});

const summaryColumns = sql`session_id AS "key", client_info AS "clientInfo",
  (extract(epoch FROM created_at) * 1000)::float8 AS "createdAt",
  (extract(epoch FROM last_active) * 1000)::float8 AS "lastActive",
  (extract(epoch FROM expires_at) * 1000)::float8 AS "expiresAt"`;

export interface SessionSettings extends Lifetimes {
  /** The deadline of each statement. */
  timeoutMs: number;
  /** How many live sessions a principal may have. */
  maxPerPrincipal: number;
}

export function createSessionStore(database: Database, settings: SessionSettings): SessionStore {
  const { ttlSeconds, initTtlSeconds, maxLifetimeSeconds, touchIntervalSeconds, maxPerPrincipal } = settings;
  const live = isLive(maxLifetimeSeconds);
  // Ended by an earlier attempt of the same operation, whose answer was lost.
  const justEnded = sql`ended_at > now() - make_interval(secs => ${settings.timeoutMs / 1000})`;
  // Every statement can be repeated: opening has a key of its own, touching and reading change nothing more, and
  // ending knows that it is a repetition.
  const rowsOf = async (name: string, statement: SQL | ((isRepeated: boolean) => SQL)) =>
    database.run({ name, budgetMs: settings.timeoutMs, isIdempotent: true }, async (db, attempt) => {
      const { rows } = await db.execute(typeof statement === "function" ? statement(attempt > 0) : statement);
      return rows;
    });

  return {
    async open({ key, principal, protocolVersion, clientInfo, capabilities }) {
      const rows = await rowsOf(
        "opening a session",
        sql`SELECT mcp_open_session(${key}, ${principal}, ${protocolVersion}, ${JSON.stringify(clientInfo)},
              ${JSON.stringify(capabilities)}, ${initTtlSeconds}, ${maxLifetimeSeconds}, ${maxPerPrincipal}) AS evicted`,
      );
      return z.array(z.object({ evicted: z.number() })).parse(rows)[0]?.evicted ?? 0;
    },

    async resume(key, principal) {
      const rows = await rowsOf(
        "resuming a session",
        sql`SELECT ${summaryColumns}, principal, protocol_version AS "protocolVersion", capabilities,
                   log_level AS "logLevel"
              FROM mcp_resume_session(${key}, ${principal}, ${ttlSeconds}, ${maxLifetimeSeconds},
                                      ${touchIntervalSeconds})`,
      );
      return z.array(sessions).parse(rows)[0];
    },

    async end(key, principal) {
      const rows = await rowsOf(
        "ending a session",
        (isRepeated) => sql`
          WITH ${endedWhere(sql`session_id = ${key} AND principal = ${principal} AND ${live}`, "client")}
          SELECT 1 FROM ended_count WHERE count > 0
          UNION ALL
          SELECT 1 FROM mcp_sessions
           WHERE ${isRepeated} AND session_id = ${key} AND principal = ${principal} AND ${justEnded}`,
      );
      return rows.length > 0;
    },

    async list(principal) {
      const rows = await rowsOf(
        "listing sessions",
        sql`SELECT ${summaryColumns} FROM mcp_sessions WHERE principal = ${principal} AND ${live}
             ORDER BY last_active DESC, session_id LIMIT ${LIST_LIMIT}`,
      );
      return z.array(summaries).parse(rows);
    },

    async endOthers(principal, exceptKey) {
      const others = sql`principal = ${principal} AND session_id IS DISTINCT FROM ${exceptKey ?? null}`;
      const rows = await rowsOf(
        "ending sessions",
        (isRepeated) => sql`
          WITH ${endedWhere(sql`${others} AND ${live}`, "client")}
          SELECT (SELECT count FROM ended_count) + (
                   SELECT count(*) FROM mcp_sessions WHERE ${isRepeated} AND ${others} AND ${justEnded})::int AS count`,
      );
      return z.array(z.object({ count: z.number() })).parse(rows)[0]?.count ?? 0;
    },

    async setLogLevel({ key, principal }, level) {
      await rowsOf(
        "keeping a log level",
        sql`UPDATE mcp_sessions SET log_level = ${level}
             WHERE session_id = ${key} AND principal = ${principal} AND ${live}`,
      );
    },
  };
}
