// One batch of what a cleanup run sweeps beside the sessions, table by table.
import { describe, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

/** Of each table: the routine that sweeps it, its key, and how a row is added. */
const TABLES = {
  mcp_streams: ["mcp_sweep_streams", "stream", "(stream, session_id, expires_at) VALUES ($, 'key', #)"],
  mcp_stream_events: [
    "mcp_sweep_streams",
    "stream",
    "(stream, event, message, expires_at) VALUES ($, 1, '{}', #)",
  ],
  mcp_questions: [
    "mcp_sweep_streams",
    "question",
    "(question, stream, session_id, key, expires_at) VALUES ($, 's', 'key', 'k', #)",
  ],
  mcp_marks: ["mcp_sweep_streams", "mark", "(mark, owner, claim, expires_at) VALUES ($, 'me', 'claim', #)"],
  mcp_handles: [
    "mcp_sweep_handles",
    "handle_hash",
    "(handle_hash, owner, kind, value, created_at, last_used_at, expires_at) VALUES ($, 'me', 'cart', '{}', now(), now(), #)",
  ],
  mcp_tasks: [
    "mcp_sweep_tasks",
    "task_hash",
    "(task_hash, owner, tool, max_attempts, on_lost, poll_ms, expires_at) VALUES ($, 'me', 'work', 3, 'retry', 1000, #)",
  ],
} as const;

const run = (id: number, outcome = "running") =>
  `INSERT INTO mcp_cleanup_runs (run_id, tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, renewed_at)
   OVERRIDING SYSTEM VALUE VALUES (${id}, 'regular', 'cron', now(), now(), now(), ${outcome === "running" ? "NULL" : "now()"}, '${outcome}',
           now() - interval '1 hour')`;

describe.each(Object.entries(TABLES))("%s", (table, [sweep, key, values]) => {
  const add = (name: string, expiry: string) =>
    `INSERT INTO ${table} ${values.replace("$", `'${name}'`).replace("#", expiry)}`;
  const left = async ({ query }: TestDatabase) =>
    (await query(`SELECT ${key} AS name FROM ${table} ORDER BY 1`)).map(({ name }) => name);

  test("what expires now is swept, and what expires a moment later is not", async () => {
    const database = await createDatabase();
    const rows = [
      add("before", "now() - interval '1 day'"),
      add("now", "now()"),
      add("later", "now() + interval '1 us'"),
    ];
    expect(await atOneInstant(database, [run(1), ...rows], `SELECT ${sweep}(1, 10)`)).toBe(2);
    expect(await left(database)).toEqual(["later"]);
  });

  test("no more than the batch, the oldest first", async () => {
    const database = await createDatabase();
    const rows = [1, 3, 2].map((n) => add(`old-${n}`, `now() - interval '${n} days'`));
    expect(await atOneInstant(database, [run(1), ...rows], `SELECT ${sweep}(1, 2)`)).toBe(2);
    expect(await left(database)).toEqual(["old-1"]);
  });

  test("a row that is locked is left, and waited for by nobody", async () => {
    const database = await createDatabase();
    for (const statement of [run(1), ...["a", "b", "c"].map((name) => add(name, "now() - interval '1 day'"))])
      await database.query(statement);
    const held = await heldOpen(database, `SELECT FROM ${table} WHERE ${key} = 'b' FOR UPDATE`);
    const [row] = await database.query(
      `SELECT set_config('lock_timeout', '200', true), ${sweep}(1, 10)::int AS swept`,
    );
    await held.release();
    expect([row?.["swept"], await left(database)]).toEqual([2, ["b"]]);
  });

  test("without a run that is running nothing is swept, and another run is not renewed", async () => {
    const database = await createDatabase();
    for (const statement of [run(1), run(2, "completed"), add("old", "now() - interval '1 day'")])
      await database.query(statement);
    for (const id of [2, 3])
      expect(await database.query(`SELECT ${sweep}(${id}, 10)::int AS swept`)).toEqual([{ swept: 0 }]);
    expect(await left(database)).toEqual(["old"]);
    const renewed =
      "SELECT run_id::int FROM mcp_cleanup_runs WHERE renewed_at > now() - interval '30 minutes'";
    expect(await database.query(renewed)).toEqual([]);
    expect(await database.query(`SELECT ${sweep}(1, 10)::int AS swept`)).toEqual([{ swept: 1 }]);
    expect(await database.query(renewed)).toEqual([{ run_id: 1 }]);
  });
});

test.each([
  ["mcp_sweep_streams", 2],
  ["mcp_sweep_handles", 5],
  ["mcp_sweep_tasks", 5],
])("a role that may not call %s sweeps the others", async (routine, swept) => {
  const database = await createDatabase();
  await database.query(run(1));
  for (const [table, [, , values]] of Object.entries(TABLES))
    for (const [name, expiry] of [
      ["old", "now() - interval '1 day'"],
      ["live", "now() + interval '1 day'"],
    ] as const)
      await database.query(`INSERT INTO ${table} ${values.replace("$", `'${name}'`).replace("#", expiry)}`);
  await database.query(`REVOKE EXECUTE ON FUNCTION ${routine} FROM PUBLIC, CURRENT_USER`);
  expect(
    await database.query(
      "SELECT swept::int, earliest_expiry > now() AS has_next FROM mcp_sweep_outlived(1, 10)",
    ),
  ).toEqual([{ swept, has_next: true }]);
});
