// All SQL of the operator routes of the sessions. A session is named by its handle: ids and keys never leave this file.
//
// Other programs may write what they like into the table. So each text is cut, each time is checked, and no row is left
// that could break the page it is on.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { bearerIn } from "../auth/principal.ts";
import type { Database } from "../db/client.ts";
import { isoTime } from "../db/time.ts";
import { END_LIMIT, endedWhere, sessionHandle } from "../session/conditions.ts";
import { listedSession, type ListedSession, type SessionDetail } from "./listed-session.ts";

export interface SessionFilter {
  principal?: string | undefined;
  state?: "active" | "expired" | undefined;
  /** Only those with this name in the logs: 8 characters. */
  session?: string | undefined;
  /** Only those whose client has this in its name, in capital letters or not. */
  client?: string | undefined;
  /** Only those after this handle, in the order of handles. */
  after?: string | undefined;
  limit: number;
}

/** Which session was ended. */
export type EndedSession = Pick<ListedSession, "session" | "principal">;

/** Every method is one round trip, and @throws DatabaseFault. */
export interface SessionsStore {
  /**
   * A page in the order of handles, which never changes. `next` is the `after` of the next page. A page looks at LOOKED_AT
   * rows at most, so it may have few sessions, or none, and a `next`.
   */
  list(filter: SessionFilter): Promise<{ sessions: ListedSession[]; next: string | null }>;
  /** One session, whatever its state; undefined when there is none. */
  find(handle: string): Promise<SessionDetail | undefined>;
  /** How many sessions `endAll` would end; one more than END_LIMIT when there are more than that. */
  countEndable(principal: string): Promise<number>;
  /** Ends a session of any principal; undefined when there is no such active one. */
  end(handle: string): Promise<EndedSession | undefined>;
  /** Ends the active sessions of a principal, END_LIMIT at most; `hasMore` when there may be more. */
  endAll(principal: string): Promise<{ ended: number; hasMore: boolean }>;
}

/**
 * How many rows a page of sessions looks at. In the order of handles each row is on another page of the table. When none
 * is in memory, Neon reads a page in about a millisecond, and an attempt has six seconds (db/client.ts).
 */
export const LOOKED_AT = 5000;

// A principal has 512 characters at most (http/input.ts). The others are what fits into a line.
const PRINCIPAL_CHARACTERS = 512;
const LINE_CHARACTERS = 256;
// The specification has about ten.
const CAPABILITIES_SHOWN = 50;

const isActive = sql`(expires_at IS NULL OR expires_at > now())`;

const line = (text: string) => sql.raw(`left(${text}, ${LINE_CHARACTERS})`);
/** A member of what the client says of itself, when it is text. */
const ofClient = (
  name: string,
) => sql`CASE WHEN jsonb_typeof(client_info -> ${sql.raw(`'${name}'`)}) = 'string'
  THEN ${line(`client_info ->> '${name}'`)} END`;

/** A column's object, or an empty one when another program has put something else there. */
const objectIn = (column: string) =>
  sql.raw(`CASE WHEN jsonb_typeof(${column}) = 'object' THEN ${column} ELSE '{}' END`);

// Not *: another program may have columns of any name.
const columns = sql.raw(
  "session_id, principal, protocol_version, client_info, created_at, last_active, expires_at, ended_at, end_reason",
);
const isOurs = "principal IS NOT NULL AND session_id ~ '^[0-9a-f]{64}$'";
// The key's index finds them: in every collation `g` is after all hex digits.
const isNamed = (name: string) => sql`session_id >= ${name} AND session_id < ${`${name}g`}
  AND left(session_id, ${name.length}) = ${name} AND ${sql.raw(isOurs)}`;

const shownColumns = sql`handle,
  CASE WHEN ${sql.raw(isOurs)} THEN left(session_id, 8) END AS session,
  left(principal, ${PRINCIPAL_CHARACTERS}) AS principal,
  CASE WHEN ${isActive} THEN 'active' ELSE 'expired' END AS state,
  ${line("protocol_version")} AS protocol_version,
  ${ofClient("name")} AS client_name, ${ofClient("version")} AS client_version,
  ${isoTime("created_at")} AS created_at, ${isoTime("last_active")} AS last_active,
  ${isoTime("expires_at")} AS expires_at, ${isoTime("ended_at")} AS ended_at,
  ${line("end_reason")} AS end_reason`;

const pages = z.array(
  listedSession
    .extend({ is_wanted: z.boolean(), is_last: z.boolean() })
    .transform(({ is_wanted: isWanted, is_last: isLast, ...session }) => ({
      isWanted,
      isLast,
      session: { ...session, ...bearerIn(session.principal) },
    })),
);

// Made when it is needed, and not when a Worker starts.
const details = () =>
  z.array(
    listedSession
      .extend({
        log_level: z.string().nullable(),
        capabilities: z.array(z.string()),
        state_bytes: z.number().nullable(),
        state_keys: z.number(),
        state_version: z.coerce.number().nullable(),
      })
      .transform((session): SessionDetail => ({ ...session, ...bearerIn(session.principal) })),
  );

/** @param onEnded gets the principal whose sessions have been ended, so that this isolate's cache forgets them. */
export function createSessionsStore(
  database: Database,
  { timeoutMs, onEnded }: { timeoutMs: number; onEnded: (principal: string) => void },
): SessionsStore {
  const ending = { endable: sql`ended_at IS NULL AND ${isActive}`, reason: "operator", timeoutMs } as const;
  const rowsOf = async (name: string, statement: (isRepeated: boolean) => SQL) =>
    database.run({ name, budgetMs: timeoutMs, isIdempotent: true }, async (db, attempt) => {
      const { rows } = await db.execute(statement(attempt > 0));
      return rows;
    });

  return {
    async list({ principal, state, session: name, client, after, limit }) {
      const conditions = [
        // A key may be unique instead of primary, and then null.
        sql`session_id IS NOT NULL`,
        ...(principal === undefined ? [] : [sql`principal = ${principal}`]),
        ...(name === undefined ? [] : [isNamed(name)]),
        ...(after === undefined ? [] : [sql`${sessionHandle} > ${after}::uuid`]),
      ];
      const matches = sql.join(
        [
          sql`true`,
          ...(state === undefined ? [] : [sql`${isActive} = ${state === "active"}`]),
          ...(client === undefined
            ? []
            : [sql`coalesce(strpos(lower(${ofClient("name")}), lower(${client})), 0) > 0`]),
        ],
        sql` AND `,
      );
      // Rows are read one after the other until the page is full. The last one that may be looked at is always on it, so
      // that `next` can name it.
      const rows = await rowsOf(
        "listing all sessions",
        () => sql`
          WITH page AS MATERIALIZED (
            SELECT *, ${matches} AS is_wanted
              FROM (SELECT *, row_number() OVER () AS place
                      FROM (SELECT ${sessionHandle} AS handle, ${columns}
                              FROM ONLY mcp_sessions WHERE ${sql.join(conditions, sql` AND `)}
                             ORDER BY ${sessionHandle} LIMIT ${LOOKED_AT}) AS found) AS looked_at
             WHERE ${matches} OR place = ${LOOKED_AT} LIMIT ${limit + 1})
          SELECT is_wanted, place = ${LOOKED_AT} AS is_last, ${shownColumns} FROM page ORDER BY place`,
      );
      const found = pages.parse(rows);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const hasNext = found.length > limit || last?.isLast === true;
      return {
        sessions: page.flatMap(({ isWanted, session }) => (isWanted ? [session] : [])),
        next: hasNext ? (last?.session.handle ?? null) : null,
      };
    },

    async find(handle) {
      const rows = await rowsOf(
        "reading any session",
        () => sql`
          SELECT ${shownColumns}, ${line("log_level")} AS log_level, state_version,
                 ARRAY(SELECT ${line("key")} FROM jsonb_object_keys(${objectIn("capabilities")}) AS key
                        LIMIT ${CAPABILITIES_SHOWN}) AS capabilities,
                 octet_length(state::text) AS state_bytes,
                 (SELECT count(*)::int FROM jsonb_object_keys(${objectIn("state")})) AS state_keys
            FROM (SELECT ${sessionHandle} AS handle, ${columns}, log_level, capabilities, state, state_version
                    FROM ONLY mcp_sessions
                   WHERE ${sessionHandle} = ${handle}::uuid LIMIT 1) AS found`,
      );
      return details().parse(rows)[0];
    },

    async countEndable(principal) {
      const rows = await rowsOf(
        "counting the sessions of a principal",
        () => sql`
          SELECT count(*)::int AS count
            FROM (SELECT FROM ONLY mcp_sessions WHERE principal = ${principal} AND ${ending.endable}
                   LIMIT ${END_LIMIT + 1}) AS found`,
      );
      return z.tuple([z.object({ count: z.number() })]).parse(rows)[0].count;
    },

    async end(handle) {
      const meant = sql`${sessionHandle} = ${handle}::uuid`;
      const rows = await rowsOf(
        "ending any session",
        (isRepeated) => sql`
          WITH ${endedWhere({ ...ending, meant, isRepeated })}
          SELECT principal, CASE WHEN ${sql.raw(isOurs)} THEN left(session_id, 8) END AS session
            FROM chosen, ended_count WHERE count > 0`,
      );
      const [ended] = z.array(listedSession.pick({ session: true, principal: true })).parse(rows);
      if (typeof ended?.principal === "string") onEnded(ended.principal);
      return ended;
    },

    async endAll(principal) {
      const meant = sql`principal = ${principal}`;
      const rows = await rowsOf(
        "ending all sessions of a principal",
        (isRepeated) => sql`
          WITH ${endedWhere({ ...ending, meant, isRepeated, ownedBy: principal })}
          SELECT count AS ended, (SELECT count(*) FROM candidates) = ${END_LIMIT} AS "hasMore" FROM ended_count`,
      );
      const [answer] = z.tuple([z.object({ ended: z.number(), hasMore: z.boolean() })]).parse(rows);
      onEnded(principal);
      return answer;
    },
  };
}
