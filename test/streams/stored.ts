// The stores of streams and marks by themselves, and sessions for them.
import { inject } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createMarksStore } from "../../src/streams/marks-store.ts";
import { createStreamStore, type NewEvents, type StreamStore } from "../../src/streams/store.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

// Whoever waits does so until the test lets it go on.
const timeoutMs = 60_000;
export const TTL_SECONDS = 600;

export interface Stored {
  database: TestDatabase;
  store: StreamStore;
  marks: ReturnType<typeof createMarksStore>;
  /** Adds messages of a session, numbered from `firstEvent`; the last one is the response, unless it asks. */
  append: (
    stream: string,
    messages: readonly string[],
    more?: Partial<NewEvents>,
    session?: string,
  ) => Promise<boolean>;
  /** Asks questions with these ids as the first events of a stream. */
  ask: (stream: string, ...ids: string[]) => Promise<boolean>;
  /** What a client that has nothing yet gets. */
  replay: (stream: string, after?: number, session?: string) => ReturnType<StreamStore["replay"]>;
  /** So much time passes for all that outlives a request. */
  pass: (seconds: number) => Promise<void>;
}

/** A database with the live sessions `one` and `other`. */
export async function stored(): Promise<Stored> {
  const database = await createDatabase();
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const store = createStreamStore(connection, { timeoutMs, ttlSeconds: TTL_SECONDS });
  await database.query(
    "INSERT INTO mcp_sessions (session_id, principal, expires_at) SELECT key, key, now() + interval '1 day' FROM unnest(ARRAY['one', 'other']) AS key",
  );
  return {
    database,
    store,
    marks: createMarksStore(connection, { timeoutMs }),
    append: (stream, messages, more = {}, session = "one") =>
      store.append(session, { stream, firstEvent: 1, messages, isFinished: false, ...more }),
    ask: (stream, ...ids) =>
      store.append("one", {
        stream,
        firstEvent: 1,
        messages: ids.map((id) => `"asks ${id}"`),
        isFinished: false,
        asking: { call: callOf(stream), questions: ids.map((id) => ({ id, key: `key of ${id}` })) },
      }),
    replay: (stream, after = 0, session = "one") => store.replay(session, stream, after, false),
    pass: (seconds) => pass(database, seconds),
  };
}

/** A call, as it is stored while it waits. Its id is the name of its stream. */
export const callOf = (stream: string) => JSON.stringify({ id: stream, method: "tools/call", params: {} });

const times = {
  mcp_streams: ["expires_at", "detached_at", "finished_at"],
  mcp_stream_events: ["expires_at"],
  mcp_questions: ["expires_at"],
  mcp_marks: ["expires_at"],
};

export async function pass({ query }: TestDatabase, seconds: number): Promise<void> {
  for (const [table, columns] of Object.entries(times)) {
    const changes = columns.map((column) => `${column} = ${column} - $1 * interval '1 second'`);
    await query(`UPDATE ${table} SET ${changes.join(", ")}`, [seconds]);
  }
}
