// All SQL of the session's document: JSON values by key, kept in the session's row and gone with it.
//
// Every write raises the document's counter `state_version`, and the counter's value becomes the version of the key.
// So a version never repeats, also when a key is deleted and written again.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { isLive } from "./conditions.ts";
import type { Session } from "./session.ts";

/** The most that a session's document may take as JSON text, keys included. */
export const STATE_LIMIT_BYTES = 64 * 1024;

/** A key as it stands; version 0 when it is not there. */
export interface KeyState {
  found: boolean;
  value: unknown;
  version: number;
}

/** `session_ended`: it has been ended, or has expired, since the request began. */
export type StateRefusal = "session_ended" | "too_large" | "version_mismatch";

export type StateWrite =
  | { outcome: "written"; version: number; sizeBytes: number }
  | { outcome: "version_mismatch"; current: KeyState }
  | { outcome: "too_large" | "session_ended" };

export type StateDeletion =
  | { outcome: "deleted"; existed: boolean }
  | { outcome: "version_mismatch" | "session_ended" };

/** Every method is one round trip on one key, atomic, and @throws DatabaseFault. */
export interface StateStore {
  /** Undefined when the session has ended. */
  get(session: Session, key: string): Promise<KeyState | undefined>;
  /** @param ifVersion the version that the key must have; 0: it must not be there; undefined: any. */
  set(session: Session, key: string, value: unknown, ifVersion?: number): Promise<StateWrite>;
  /** @param ifVersion as with `set`. */
  delete(session: Session, key: string, ifVersion?: number): Promise<StateDeletion>;
}

// Each write has an id of its own, which stays in the row with its version. A write that is sent again, because its answer
// was lost, finds that it is done and does not undo what others have written since. One session has fewer than 64 in flight.
const WRITES_KEPT = 64;

const keyState = z.object({
  found: z.boolean(),
  value: z.unknown(),
  version: z.coerce.number(),
});

/** The version of a key in a row. Documents of before there were versions count as written once. */
const versionOf = (key: string) => sql`CASE WHEN state ? ${key}
  THEN coalesce((state_versions ->> ${key}::text)::bigint, 1) ELSE 0 END`;

const stateOf = (key: string) => sql`coalesce(state ? ${key}, false) AS found, state -> ${key} AS value,
  coalesce(${versionOf(key)}, 0) AS version`;

export function createStateStore(
  database: Database,
  { timeoutMs, maxLifetimeSeconds }: { timeoutMs: number; maxLifetimeSeconds: number | null },
): StateStore {
  const isOwn = ({ key, principal }: Session) =>
    sql`session_id = ${key} AND principal = ${principal} AND ${isLive(maxLifetimeSeconds)}`;

  const firstRow = async <T>(
    name: string,
    shape: z.ZodType<T>,
    statement: (writeId: string) => SQL,
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
        keyState,
        () => sql`SELECT ${stateOf(key)} FROM ONLY mcp_sessions WHERE ${isOwn(session)}`,
      ),

    async set(session, key, value, ifVersion) {
      const row = await firstRow(
        "writing session state",
        keyState.extend({
          written: z.coerce.number().nullable(),
          size: z.number(),
          expected: z.boolean(),
        }),
        (writeId) => sql`
          WITH ${lockedRow(isOwn(session), key, writeId)},
          changed AS MATERIALIZED (
            SELECT coalesce(state, '{}') || jsonb_build_object(${key}::text, ${JSON.stringify(value)}::jsonb) AS state
              FROM own),
          written AS (
            UPDATE ONLY mcp_sessions s
               SET state = changed.state, state_writes = ${writesWith(writeId)}, state_version = own.next_version,
                   state_versions = coalesce(own.state_versions, '{}')
                                      || jsonb_build_object(${key}::text, own.next_version)
              FROM own, changed
             WHERE s.session_id = own.session_id AND NOT EXISTS (SELECT FROM done) AND ${isExpected(ifVersion)}
               AND octet_length(changed.state::text) <= ${STATE_LIMIT_BYTES}
            RETURNING own.next_version AS version)
          SELECT own.found, own.value, own.version, ${isExpected(ifVersion)} AS expected,
                 octet_length(CASE WHEN EXISTS (SELECT FROM done) THEN own.state ELSE changed.state END::text) AS size,
                 coalesce((SELECT version FROM written), (SELECT version FROM done)) AS written
            FROM own, changed`,
      );
      if (row === undefined) return { outcome: "session_ended" };
      const { written, size, expected, ...current } = row;
      if (written !== null) return { outcome: "written", version: written, sizeBytes: size };
      return expected ? { outcome: "too_large" } : { outcome: "version_mismatch", current };
    },

    async delete(session, key, ifVersion) {
      const row = await firstRow(
        "deleting session state",
        z.object({ existed: z.boolean(), expected: z.boolean() }),
        (writeId) => sql`
          WITH ${lockedRow(isOwn(session), key, writeId)},
          deleted AS (
            UPDATE ONLY mcp_sessions s
               SET state = own.state - ${key}::text, state_writes = ${writesWith(writeId)},
                   state_version = own.next_version, state_versions = own.state_versions - ${key}::text
              FROM own
             WHERE s.session_id = own.session_id AND NOT EXISTS (SELECT FROM done) AND own.found
               AND ${isExpected(ifVersion)}
            RETURNING 1)
          SELECT EXISTS (SELECT FROM deleted) OR EXISTS (SELECT FROM done) AS existed,
                 ${isExpected(ifVersion)} OR EXISTS (SELECT FROM done) AS expected
            FROM own`,
      );
      if (row === undefined) return { outcome: "session_ended" };
      return row.expected ? { outcome: "deleted", existed: row.existed } : { outcome: "version_mismatch" };
    },
  };
}

/**
 * CTEs of a write. `own` is the latest row, locked, so what is computed from it stays true; `done` has the answer of an
 * earlier attempt of the same write.
 */
function lockedRow(isOwn: SQL, key: string, writeId: string): SQL {
  return sql`
    own AS MATERIALIZED (
      SELECT session_id, state, state_writes, state_versions, ${stateOf(key)},
             coalesce(state_version, (state IS NOT NULL)::int) + 1 AS next_version
        FROM ONLY mcp_sessions WHERE ${isOwn} FOR NO KEY UPDATE),
    done AS (
      SELECT split_part(write, '/', 2)::bigint AS version
        FROM own, unnest(own.state_writes) AS write WHERE split_part(write, '/', 1) = ${writeId})`;
}

function writesWith(writeId: string): SQL {
  return sql`(array_append(coalesce(own.state_writes, '{}'), ${writeId}::text || '/' || own.next_version))
    [cardinality(coalesce(own.state_writes, '{}')) + 2 - ${WRITES_KEPT}::int :]`;
}

function isExpected(ifVersion: number | undefined): SQL {
  return ifVersion === undefined ? sql`true` : sql`own.version = ${ifVersion}::bigint`;
}
