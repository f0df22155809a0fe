// The store of handles by itself, and what tools make of it.
import { inject } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createHandleId, keyOfHandle } from "../../src/handles/handle-id.ts";
import type { Handles } from "../../src/handles/handles.ts";
import { createOwnHandles } from "../../src/handles/own-handles.ts";
import { createHandleStore, type HandleStore, type NewHandle } from "../../src/handles/store.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

export const TTL_SECONDS = 600;
export const LIMIT_BYTES = 16_384;
// Whoever waits does so until the test lets it go on.
const timeoutMs = 60_000;

export interface Stored {
  database: TestDatabase;
  store: HandleStore;
  /** Makes a handle of alice. @returns its key. */
  make: (more?: Partial<NewHandle>) => Promise<string>;
  own: (principal: string) => Handles;
  /** So much time passes for all handles. */
  pass: (seconds: number) => Promise<void>;
  /** The totals of handles, by their names. */
  totals: () => Promise<Record<string, number>>;
}

export async function stored({
  maxPerPrincipal = 1000,
  database,
}: { maxPerPrincipal?: number; database?: TestDatabase } = {}): Promise<Stored> {
  const used = database ?? (await createDatabase());
  const connection = connect({ url: used.url, endpointOverride: inject("neonEndpoint") });
  const store = createHandleStore(connection, { timeoutMs, maxPerPrincipal });
  return {
    database: used,
    store,
    async make(more = {}) {
      const key = await keyOfHandle(keepSecret(createHandleId()));
      await store.make({ ...newHandle, key, ...more });
      return more.key ?? key;
    },
    own: (principal) =>
      createOwnHandles({ store, ttlSeconds: TTL_SECONDS, limitBytes: LIMIT_BYTES }, principal),
    pass: (seconds) => pass(used, seconds),
    async totals() {
      const rows = await used.query(
        "SELECT name, sum(value)::int AS total FROM mcp_session_totals WHERE name LIKE 'handles%' GROUP BY name",
      );
      return Object.fromEntries(rows.map(({ name, total }) => [String(name), Number(total)]));
    },
  };
}

const newHandle = { owner: "alice", kind: "cart", value: '"a"', ttlSeconds: TTL_SECONDS, isSliding: false };

export async function pass({ query }: TestDatabase, seconds: number): Promise<void> {
  const columns = ["created_at", "last_used_at", "expires_at"];
  const changes = columns.map((column) => `${column} = ${column} - $1 * interval '1 second'`);
  await query(`UPDATE mcp_handles SET ${changes.join(", ")}`, [seconds]);
}
