// What it costs to keep the events of an answer and to replay them, and whether a million of them beside the sessions make
// deleting sessions dearer. Directly on PostgreSQL.
import { Client } from "pg";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import type { Figure } from "./figures.ts";
import { onServer, type Server } from "./server.ts";

const PAIRS = 5;
const EVENTS_A_STREAM = 10;
const MESSAGE = JSON.stringify({
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken: 1, progress: 1, message: "x".repeat(200) },
});

export const streams = (life: Life, quick: boolean) => onServer((server) => measure(life, server, quick));

async function measure(life: Life, server: Server, quick: boolean): Promise<Figure[]> {
  const config = server.config("postgres");
  await migrate(config);
  const client = new Client(config);
  await client.connect();
  const [sessions, kept, calls] = quick ? [5000, 20_000, 200] : [100_000, 1_000_000, 3000];

  const appends: number[] = [];
  const replays: number[] = [];
  const reads: number[] = [];
  await client.query(
    "INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ('live', 'me', now() + interval '1 day')",
  );
  for (let pair = 0; pair < PAIRS; pair++) {
    life.asked.throwIfAborted();
    appends.push(
      await perSecond(calls, (i) =>
        client.query("SELECT mcp_append_events($1, 'live', $2, ARRAY[$3], false, 600, 1000000)", [
          `append-${pair}-${Math.floor(i / EVENTS_A_STREAM)}`,
          (i % EVENTS_A_STREAM) + 1,
          MESSAGE,
        ]),
      ),
    );
    replays.push(
      await perSecond(calls, (i) =>
        client.query("SELECT * FROM mcp_replay_stream($1, 'live', 0, false, 600, 64, 45)", [
          `append-${pair}-${i % Math.floor(calls / EVENTS_A_STREAM)}`,
        ]),
      ),
    );
    reads.push(
      await perSecond(calls, () => client.query("SELECT * FROM mcp_sessions WHERE session_id = 'live'")),
    );
  }

  const deletions: { without: number; beside: number }[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    life.asked.throwIfAborted();
    const without = await deletionsPerSecond(client, sessions, 0);
    deletions.push({ without, beside: await deletionsPerSecond(client, sessions, kept) });
    console.log(`pair ${pair + 1} of ${PAIRS}`);
  }
  await client.end();
  return [
    { what: "events stored/s, one a statement", values: appends, digits: 0 },
    { what: `replays of ${EVENTS_A_STREAM} events/s`, values: replays, digits: 0 },
    {
      what: "replays/s against reading a session by its key",
      values: replays.map((replay, i) => replay / (reads[i] ?? Number.NaN)),
    },
    {
      what: `sessions deleted/s beside ${kept} events against none`,
      values: deletions.map(({ without, beside }) => beside / without),
      goal: { atLeast: 0.9 },
    },
  ];
}

async function perSecond(times: number, work: (i: number) => Promise<unknown>): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < times; i++) await work(i);
  return times / ((performance.now() - began) / 1000);
}

/** Of a cleanup run over expired sessions, with events of theirs that have not expired yet. */
async function deletionsPerSecond(client: Client, sessions: number, events: number): Promise<number> {
  await client.query(
    "TRUNCATE mcp_sessions, mcp_session_changes, mcp_streams, mcp_stream_events, mcp_questions, mcp_cleanup_runs",
  );
  await client.query(
    `INSERT INTO mcp_sessions (session_id, principal, expires_at)
     SELECT 'session-' || n, 'me', now() - interval '1 hour' FROM generate_series(1, $1::int) AS n`,
    [sessions],
  );
  await client.query(
    `INSERT INTO mcp_streams (stream, session_id, expires_at)
     SELECT 'stream-' || n, 'session-' || 1 + n % $2::int, now() + interval '10 minutes'
       FROM generate_series(1, $1::int / 10) AS n`,
    [events, sessions],
  );
  await client.query(
    `INSERT INTO mcp_stream_events (stream, event, message, expires_at)
     SELECT 'stream-' || 1 + n / 10, 1 + n % 10, $2, now() + interval '10 minutes' FROM generate_series(0, $1::int - 1) AS n`,
    [events, MESSAGE],
  );
  await client.query("VACUUM ANALYZE mcp_sessions, mcp_streams, mcp_stream_events");
  await client.query("CHECKPOINT");
  const began = performance.now();
  await client.query("CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 1000, 300000, 30)");
  const seconds = (performance.now() - began) / 1000;
  const { rows } = await client.query<{ left: number }>("SELECT count(*)::int AS left FROM mcp_sessions");
  if (rows[0]?.left !== 0) throw new Error("Not all sessions were deleted");
  return sessions / seconds;
}
