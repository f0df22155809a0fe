// The stores by themselves, for tests of what happens between their statements, and sessions for them.
import { inject } from "vitest";
import { createSessionsStore } from "../../src/admin/sessions-store.ts";
import { connect, type Database } from "../../src/db/client.ts";
import { createStateStore } from "../../src/session/state-store.ts";
import { sessionsOf } from "./mcp.ts";
import type { TestDatabase } from "./worker.ts";

// Whoever waits does so until the test lets it go on, so no deadline may pass before.
const timeoutMs = 60_000;
const LIMIT = 50;

export function storesOf(database: TestDatabase, maxPerPrincipal = LIMIT) {
  const impatient = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const connection: Database = {
    run: (operation, work) => impatient.run({ ...operation, attemptMs: timeoutMs }, work),
  };
  const sessions = sessionsOf(database, { timeoutMs, touchIntervalSeconds: 0, maxPerPrincipal });
  let opened = 0;
  return {
    sessions,
    admin: createSessionsStore(connection, { timeoutMs, onEnded: () => {} }),
    states: createStateStore(connection, { timeoutMs, maxLifetimeSeconds: null }),
    open: (principal: string) =>
      sessions.open({
        key: `new-${++opened}`,
        principal,
        protocolVersion: "x",
        clientInfo: {},
        capabilities: {},
      }),
  };
}

/** Adds sessions that are stored in one order, have ids in another, and were used in a third. */
export async function fill({ query }: TestDatabase, principal: string, count: number): Promise<void> {
  await query(
    `INSERT INTO mcp_sessions (session_id, principal, created_at, last_active, expires_at)
     SELECT md5($1 || i), $1, now() - interval '2 hours', now() - interval '1 hour' + hashtext(i::text) * interval '1 microsecond',
            now() + interval '1 hour'
       FROM generate_series(1, $2::int) i`,
    [principal, count],
  );
}

/** The keys of the live sessions of a principal. */
export const live = async ({ query }: TestDatabase, principal: string) =>
  (
    await query(
      "SELECT session_id FROM mcp_sessions WHERE principal = $1 AND expires_at > now() ORDER BY session_id",
      [principal],
    )
  ).map(({ session_id: key }) => String(key));

export type Stores = ReturnType<typeof storesOf>;

/** Adds sessions of alice. The first of them is the least recently used. */
export async function addIdle({ query }: TestDatabase, ...keys: string[]): Promise<void> {
  await query(
    `INSERT INTO mcp_sessions (session_id, principal, last_active, expires_at)
     SELECT key, 'alice', now() - interval '59 minutes' + place * interval '1 second', now() + interval '1 hour'
       FROM unnest($1::text[]) WITH ORDINALITY AS idle (key, place)`,
    [keys],
  );
}
