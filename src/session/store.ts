// All SQL of the sessions. Every statement uses the database's clock, and none revives a session that has ended.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { DatabaseFault, isAboutValue, undoneWrite } from "../db/fault.ts";
import { epochMilliseconds } from "../db/time.ts";
import { AppError } from "../http/errors.ts";
import type { SessionSummary } from "../mcp/context.ts";
import { endedWhere, isLive } from "./conditions.ts";
import { isObject } from "./protocol.ts";
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
   * @throws AppError `invalid_request` when the table takes other sessions, but not what this client says of itself.
   */
  open(session: NewSession): Promise<number>;
  /** Finds, judges and touches a session; undefined when it is unknown, expired, ended or of another principal. */
  resume(key: string, principal: string): Promise<Session | undefined>;
  /** Ends a session; false when the principal has no such live one. */
  end(key: string, principal: string): Promise<boolean>;
  /** The principal's live sessions, the last used first, at most 100. */
  list(principal: string): Promise<SessionSummary[]>;
  /** Ends all of the principal's sessions but one, END_LIMIT at most, and says how many. */
  endOthers(principal: string, exceptKey: string | undefined): Promise<number>;
  /** Keeps the client's log level for later requests. */
  setLogLevel(session: Session, level: string): Promise<void>;
}

// More is of no use in a tool's answer.
const LIST_LIMIT = 100;

// What a client says of itself has a few hundred bytes. A list of a hundred that say as much as a row of another program may
// hold would be larger than what Neon answers. A larger one is reduced to name and version.
const LISTED_CLIENT_BYTES = 4096;
// As much as a line has.
const LISTED_CHARACTERS = 256;

const milliseconds = z
  .number()
  .nullable()
  .transform((time) => (time === null ? null : new Date(time)));
// Another program may have put any JSON there.
const json = z.unknown().transform((value) => (isObject(value) ? value : {}));

/** Names and the like, shortened for a list. */
const listedClientInfo = json.transform((clientInfo) =>
  Object.fromEntries(
    Object.entries(clientInfo).map(([name, value]) => [
      name,
      typeof value === "string" ? shortened(value) : value,
    ]),
  ),
);

function shortened(text: string): string {
  if (text.length <= LISTED_CHARACTERS) return text;
  // A pair of surrogates is kept or cut as a whole.
  return text.slice(0, LISTED_CHARACTERS).replace(/[\uD800-\uDBFF]$/, "");
}

const summaries = z.object({
  key: z.string(),
  clientInfo: listedClientInfo,
  createdAt: milliseconds,
  lastActive: milliseconds,
  expiresAt: milliseconds,
});

const sessions = summaries.extend({
  clientInfo: json,
  principal: z.string(),
  protocolVersion: z
    .string()
    .nullable()
    .transform((version) => version ?? ""),
  capabilities: json,
  logLevel: z.string().nullable(),
  isDegraded: z.literal(false).default(false),
});

const summaryTimes = sql`${epochMilliseconds("created_at")} AS "createdAt",
  ${epochMilliseconds("last_active")} AS "lastActive", ${epochMilliseconds("expires_at")} AS "expiresAt"`;

const listedClient = sql`CASE WHEN octet_length(client_info::text) > ${LISTED_CLIENT_BYTES}
  THEN jsonb_strip_nulls(jsonb_build_object('name', left(client_info ->> 'name', ${LISTED_CHARACTERS}),
                                            'version', left(client_info ->> 'version', ${LISTED_CHARACTERS})))
  ELSE client_info END`;

export interface SessionSettings extends Lifetimes {
  /** The deadline of each statement. */
  timeoutMs: number;
  /** How many live sessions a principal may have. */
  maxPerPrincipal: number;
}

export function createSessionStore(database: Database, settings: SessionSettings): SessionStore {
  const { ttlSeconds, initTtlSeconds, maxLifetimeSeconds, touchIntervalSeconds, maxPerPrincipal } = settings;
  const live = isLive(maxLifetimeSeconds);
  const ending = { endable: live, reason: "client", timeoutMs: settings.timeoutMs } as const;
  // Every statement can be repeated: opening has a key of its own, touching and reading change nothing more, and
  // ending knows that it is a repetition.
  const rowsOf = async (name: string, statement: SQL | ((isRepeated: boolean) => SQL)) =>
    database.run({ name, budgetMs: settings.timeoutMs, isIdempotent: true }, async (db, attempt) => {
      const { rows } = await db.execute(typeof statement === "function" ? statement(attempt > 0) : statement);
      return rows;
    });

  /**
   * An index or a trigger of another program can refuse a value. When it refuses a trial, too, the table is at fault; else
   * what the client says of itself is all that differs.
   */
  const refusedAsClientData = async (error: unknown): Promise<never> => {
    if (!(error instanceof DatabaseFault) || !isAboutValue(error)) throw error;
    const rows = await rowsOf("trying another session", sql`SELECT step FROM mcp_try_session(false)`);
    const [trial] = z.array(z.object({ step: z.string().nullable() })).parse(rows);
    if (trial?.step !== null) throw error;
    throw new AppError("invalid_request", "The database cannot keep what clientInfo and capabilities say");
  };

  return {
    async open({ key, principal, protocolVersion, clientInfo, capabilities }) {
      const rows = await rowsOf(
        "opening a session",
        sql`SELECT mcp_open_session(${key}, ${principal}, ${protocolVersion}, ${JSON.stringify(clientInfo)},
              ${JSON.stringify(capabilities)}, ${initTtlSeconds}, ${maxLifetimeSeconds}, ${maxPerPrincipal}) AS evicted`,
      ).catch(refusedAsClientData);
      const [opened] = z.array(z.object({ evicted: z.number().nullable() })).parse(rows);
      if (opened?.evicted == null) throw new DatabaseFault("opening a session", undoneWrite);
      return opened.evicted;
    },

    async resume(key, principal) {
      const rows = await rowsOf(
        "resuming a session",
        sql`SELECT session_id AS "key", client_info AS "clientInfo", ${summaryTimes}, principal, protocol_version AS "protocolVersion", capabilities,
                   log_level AS "logLevel"
              FROM mcp_resume_session(${key}, ${principal}, ${ttlSeconds}, ${maxLifetimeSeconds},
                                      ${touchIntervalSeconds})`,
      );
      return z.array(sessions).parse(rows)[0];
    },

    async end(key, principal) {
      const meant = sql`session_id = ${key} AND principal = ${principal}`;
      const rows = await rowsOf(
        "ending a session",
        (isRepeated) => sql`
          WITH ${endedWhere({ ...ending, meant, isRepeated })} SELECT 1 FROM ended_count WHERE count > 0`,
      );
      return rows.length > 0;
    },

    async list(principal) {
      // A principal has as many rows as it may have live sessions, and those that cleanup has not deleted yet.
      const rows = await rowsOf(
        "listing sessions",
        sql`
          WITH latest AS MATERIALIZED (
            SELECT session_id, client_info, created_at, last_active, expires_at
              FROM ONLY mcp_sessions WHERE principal = ${principal} AND ${live}
             ORDER BY last_active DESC NULLS LAST, session_id LIMIT ${LIST_LIMIT})
          SELECT session_id AS "key", ${listedClient} AS "clientInfo", ${summaryTimes}
            FROM latest ORDER BY last_active DESC NULLS LAST, session_id`,
      );
      return z.array(summaries).parse(rows);
    },

    async endOthers(principal, exceptKey) {
      const meant = sql`principal = ${principal} AND session_id IS DISTINCT FROM ${exceptKey ?? null}`;
      const rows = await rowsOf(
        "ending sessions",
        (isRepeated) => sql`
          WITH ${endedWhere({ ...ending, meant, isRepeated, ownedBy: principal })} SELECT count FROM ended_count`,
      );
      return z.array(z.object({ count: z.number() })).parse(rows)[0]?.count ?? 0;
    },

    async setLogLevel({ key, principal }, level) {
      await rowsOf(
        "keeping a log level",
        sql`UPDATE ONLY mcp_sessions SET log_level = ${level}
             WHERE session_id = ${key} AND principal = ${principal} AND ${live}`,
      );
    },
  };
}
