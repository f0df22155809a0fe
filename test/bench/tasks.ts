// What the verbs of tasks and handles cost, and whether a million of each beside the sessions make deleting sessions dearer. Directly
// on PostgreSQL.
import { Client } from "pg";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import type { Figure } from "./figures.ts";
import { onServer, type Server } from "./server.ts";

const PAIRS = 5;
const CALL = JSON.stringify({ params: { name: "work", arguments: { text: "x".repeat(200) } } });
const RESULT = JSON.stringify({ content: [{ type: "text", text: "x".repeat(500) }] });
const VALUE = JSON.stringify({ note: "x".repeat(500) });

export const tasks = (life: Life, quick: boolean) => onServer((server) => measure(life, server, quick));

/** A statement for each verb; its parameters come from the number of the call. */
const verbs: Record<string, [statement: string, parameters: (name: string) => unknown[]]> = {
  "tasks made": [
    "SELECT mcp_create_task($1, 'me', 'work', $2, 'retry', 3, 1000, 3600, 30, 10000000)",
    (name) => [name, CALL],
  ],
  "tasks taken": ["SELECT * FROM mcp_take_task($1, $1, 35, '{}')", (name) => [name]],
  "leases renewed": [
    `UPDATE mcp_tasks SET leased_until = clock_timestamp() + interval '35 seconds'
      WHERE task_hash = $1 AND lease = $1 AND status = 'working' AND expires_at > clock_timestamp()`,
    (name) => [name],
  ],
  "tasks read": [
    "SELECT status, result FROM mcp_tasks WHERE task_hash = $1 AND owner = 'me' AND expires_at > clock_timestamp()",
    (name) => [name],
  ],
  "looks for due tasks": ["SELECT * FROM mcp_find_due_tasks(40, NULL, 30, '{}')", () => []],
  "tasks ended": ["SELECT mcp_finish_task($1, $1, 'completed', $2)", (name) => [name, RESULT]],
  "handles made": [
    "SELECT mcp_make_handle($1, 'me', 'note', $2, 3600, true, 10000000)",
    (name) => [name, VALUE],
  ],
  "handles read": ["SELECT * FROM mcp_read_handle($1, 'me')", (name) => [name]],
  "handles changed": [
    "SELECT * FROM mcp_change_handle($1, 'me', $2, NULL, gen_random_uuid()::text)",
    (name) => [name, VALUE],
  ],
};

async function measure(life: Life, server: Server, quick: boolean): Promise<Figure[]> {
  const config = server.config("postgres");
  await migrate(config);
  const client = new Client(config);
  await client.connect();
  const [sessions, kept, calls] = quick ? [5000, 20_000, 200] : [100_000, 1_000_000, 3000];

  const rates: Record<string, number[]> = {};
  for (let pair = 0; pair < PAIRS; pair++) {
    for (const [what, [statement, parameters]] of Object.entries(verbs)) {
      life.asked.throwIfAborted();
      const perSecond = await rate(calls, (i) => client.query(statement, parameters(`${pair}-${i}`)));
      (rates[what] ??= []).push(perSecond);
    }
  }

  const deletions: { without: number; beside: number }[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    life.asked.throwIfAborted();
    const without = await deletionsPerSecond(client, sessions, 0);
    deletions.push({ without, beside: await deletionsPerSecond(client, sessions, kept) });
    console.log(`pair ${pair + 1} of ${PAIRS}`);
  }
  const looks = await rate(calls, () => client.query(verbs["looks for due tasks"]?.[0] ?? ""));
  await client.end();
  return [
    ...Object.entries(rates).map(([what, values]) => ({ what: `${what}/s`, values, digits: 0 })),
    { what: `looks for due tasks/s beside ${kept} that are at work`, values: [looks], digits: 0 },
    {
      what: `sessions deleted/s beside ${kept} tasks and ${kept} handles against none`,
      values: deletions.map(({ without, beside }) => beside / without),
      goal: { atLeast: 0.9 },
    },
  ];
}

async function rate(times: number, work: (i: number) => Promise<unknown>): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < times; i++) await work(i);
  return times / ((performance.now() - began) / 1000);
}

/** Of a cleanup run over expired sessions, with tasks at work and handles that have not expired. */
async function deletionsPerSecond(client: Client, sessions: number, kept: number): Promise<number> {
  await client.query("TRUNCATE mcp_sessions, mcp_session_changes, mcp_tasks, mcp_handles, mcp_cleanup_runs");
  await client.query(
    `INSERT INTO mcp_sessions (session_id, principal, expires_at)
     SELECT 'session-' || n, 'me', now() - interval '1 hour' FROM generate_series(1, $1::int) AS n`,
    [sessions],
  );
  await client.query(
    `INSERT INTO mcp_tasks (task_hash, owner, tool, call, on_lost, max_attempts, poll_ms, leased_until, expires_at)
     SELECT 'task-' || n, 'owner-' || n % 1000, 'work', $2, 'retry', 3, 1000, now() + interval '1 hour', now() + interval '1 day'
       FROM generate_series(1, $1::int) AS n`,
    [kept, CALL],
  );
  await client.query(
    `INSERT INTO mcp_handles (handle_hash, owner, kind, value, sliding_seconds, created_at, last_used_at, expires_at)
     SELECT 'handle-' || n, 'owner-' || n % 1000, 'note', $2, 86400, now(), now(), now() + interval '1 day'
       FROM generate_series(1, $1::int) AS n`,
    [kept, VALUE],
  );
  await client.query("VACUUM ANALYZE mcp_sessions, mcp_tasks, mcp_handles");
  await client.query("CHECKPOINT");
  const began = performance.now();
  await client.query("CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 1000, 300000, 30)");
  const seconds = (performance.now() - began) / 1000;
  const { rows } = await client.query<{ left: number }>("SELECT count(*)::int AS left FROM mcp_sessions");
  if (rows[0]?.left !== 0) throw new Error("Not all sessions were deleted");
  return sessions / seconds;
}
