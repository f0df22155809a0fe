// The clients of a day: each session is opened, mostly used, and sometimes ended, by the statements of the session store. They
// run in the database, one transaction each: over HTTP two cores could not send a day's requests in minutes.
import { sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Client } from "pg";
import { endedWhere, isLive } from "../../../src/session/conditions.ts";
import { SESSION_DATA } from "../server.ts";

// Of each principal, in a day.
const SESSIONS_EACH = 10;
// The defaults of the variables of these names.
const TTL_SECONDS = 86_400;
const INIT_TTL_SECONDS = 300;
const TOUCH_SECONDS = 60;
const MAX_SESSIONS = 1000;
const TIMEOUT_MS = 10_000;

const STEPS_A_DAY = 144;
// After its opening, in steps of ten minutes.
const USED_AGAIN = 2;
const ENDED_AFTER = 4;

/** Who clients are, by the number of a session: one in four never uses it, and one in ten of the others ends it. */
const isUsed = (i: string) => `${i} % 4 > 0`;
const isEnded = (i: string) => `${isUsed(i)} AND ${i} % 10 = 1`;

/** The session store's statement, as the body of a function. */
function endStatement(): string {
  const { sql: text, params } = new PgDialect().sqlToQuery(
    sql`WITH ${endedWhere({
      meant: sql`session_id = p_key AND principal = p_principal`,
      endable: isLive(null),
      reason: "client",
      isRepeated: false,
      timeoutMs: TIMEOUT_MS,
    })} SELECT count FROM ended_count`,
  );
  return text.replace(/\$(\d+)/g, (_, number) => {
    const value = params[Number(number) - 1];
    return typeof value === "string" ? `'${value}'` : String(value);
  });
}

export async function createClients(client: Client, sessionsADay: number): Promise<void> {
  await client.query(`CREATE FUNCTION end_session(p_key text, p_principal text) RETURNS integer LANGUAGE sql
    AS $$ ${endStatement()} $$`);
  await client.query(`
    CREATE FUNCTION key_of(i bigint) RETURNS text LANGUAGE sql IMMUTABLE
      AS $$ SELECT md5(i::text) || md5((-i)::text) $$;
    CREATE FUNCTION principal_of(i bigint) RETURNS text LANGUAGE sql IMMUTABLE
      AS $$ SELECT 'principal-' || i % ${sessionsADay / SESSIONS_EACH} $$;
    CREATE PROCEDURE use_session(i bigint) LANGUAGE plpgsql AS $$
    BEGIN
      IF i > 0 AND ${isUsed("i")} THEN
        PERFORM mcp_resume_session(key_of(i), principal_of(i), ${TTL_SECONDS}, NULL, ${TOUCH_SECONDS});
        COMMIT;
      END IF;
    END $$;
    CREATE PROCEDURE act(p_from bigint, p_to bigint, p_client integer, p_clients integer, p_sessions_a_day bigint)
    LANGUAGE plpgsql AS $$
    DECLARE
      client_info CONSTANT jsonb := ${SESSION_DATA};
      ten_minutes CONSTANT bigint := p_sessions_a_day / ${STEPS_A_DAY};
      ending bigint;
    BEGIN
      FOR i IN p_from + p_client .. p_to - 1 BY p_clients LOOP
        PERFORM mcp_open_session(key_of(i), principal_of(i), '2025-11-25', client_info, '{}', ${INIT_TTL_SECONDS}, NULL, ${MAX_SESSIONS});
        COMMIT;
        CALL use_session(i);
        -- An older one, so that a session is used at once and later.
        CALL use_session(i - ${USED_AGAIN} * ten_minutes);
        ending := i - ${ENDED_AFTER} * ten_minutes;
        IF ending > 0 AND ${isEnded("ending")} THEN
          PERFORM end_session(key_of(ending), principal_of(ending));
          COMMIT;
        END IF;
      END LOOP;
    END $$`);
}

/** Sessions from one number to another are opened, and older ones are used and ended, by clients at the same time. */
export async function act(clients: Client[], from: number, to: number, sessionsADay: number): Promise<void> {
  await Promise.all(
    clients.map((client, number) =>
      client.query(`CALL act(${from}, ${to}, ${number}, ${clients.length}, ${sessionsADay})`),
    ),
  );
}

/**
 * The same in four statements, which write the same versions of the same rows, but count nothing: several times as fast, for a
 * day that only makes the tables what they are after one.
 */
export async function actAtOnce(
  client: Client,
  from: number,
  to: number,
  sessionsADay: number,
): Promise<void> {
  const tenMinutes = Math.trunc(sessionsADay / STEPS_A_DAY);
  const keys = (back: number, condition: (i: string) => string) =>
    `SELECT key_of(i) FROM generate_series(${Math.max(from - back, 1)}::bigint, ${to - back - 1}) i WHERE ${condition("i")}`;
  await client.query(
    `INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info, capabilities, created_at, last_active, expires_at)
     SELECT key_of(i), principal_of(i), '2025-11-25', ${SESSION_DATA}, '{}', now(), now(), now() + interval '${INIT_TTL_SECONDS} seconds'
       FROM generate_series(${from}::bigint, ${to - 1}) i`,
  );
  for (const back of [0, USED_AGAIN * tenMinutes]) {
    await client.query(
      `UPDATE mcp_sessions
          SET last_active = now() + interval '1 ms',
              expires_at = date_bin('30 minutes', now() + interval '${TTL_SECONDS} seconds', 'epoch') + interval '30 minutes'
        WHERE session_id IN (${keys(back, isUsed)}) AND ended_at IS NULL`,
    );
  }
  await client.query(
    `UPDATE mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = 'client'
      WHERE session_id IN (${keys(ENDED_AFTER * tenMinutes, isEnded)})`,
  );
}
