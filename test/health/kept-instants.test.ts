// What handles and tasks are counted as at the very instant of a time, as the database counts them.
import { expect, test } from "vitest";
import { addHandles, addTasks } from "../support/kept.ts";
import { atOneInstant } from "../support/instant.ts";
import { createDatabase } from "../support/worker.ts";

const handle = (expiry: string) =>
  `INSERT INTO mcp_handles (handle_hash, owner, kind, value, created_at, last_used_at, expires_at)
   VALUES (gen_random_uuid(), 'me', 'cart', '{}', now(), now(), ${expiry})`;
const task = (columns: Record<string, string>) => {
  const all = {
    expires_at: "now() + interval '1 hour'",
    leased_until: "now() + interval '1 hour'",
    ...columns,
  };
  return `INSERT INTO mcp_tasks (task_hash, owner, tool, max_attempts, on_lost, poll_ms, ${Object.keys(all).join()})
          VALUES (gen_random_uuid(), 'me', 'work', 3, 'retry', 1000, ${Object.values(all).join()})`;
};

test("a handle that expires now has expired", async () => {
  const rows = [handle("now()"), handle("now() + interval '1 us'")];
  expect(await atOneInstant(await createDatabase(), rows, "SELECT mcp_count_handles()")).toMatchObject({
    active: 1,
    expired: 1,
  });
});

test("a task that is due now is due, and one that expires now has expired and is not", async () => {
  const database = await createDatabase();
  const counted = (rows: string[]) => atOneInstant(database, rows, "SELECT mcp_count_tasks(60)");
  expect(await counted([])).toMatchObject({
    tasks: { working: 0, input_required: 0, ended: 0, due: 0, oldest_due_at: null },
    is_overdue: false,
  });
  const asks = { status: "'input_required'", leased_until: "NULL" };
  expect(
    await counted([
      task({}),
      task(asks),
      task({ ...asks, expires_at: "now()" }),
      task({ expires_at: "now()", leased_until: "now()" }),
    ]),
  ).toMatchObject({
    tasks: { working: 1, input_required: 1, ended: 0, expired: 2, due: 0, oldest_due_at: null },
  });
  expect(await counted([task({ leased_until: "now()" })])).toMatchObject({
    tasks: { working: 2, due: 1, oldest_due_at: expect.any(String) },
    is_overdue: false,
  });
  expect(await counted([task({ leased_until: "now() - interval '60 seconds'" })])).toMatchObject({
    tasks: { due: 2 },
    is_overdue: true,
  });
});

test("up to 100,000 are counted, also when statistics say otherwise", async () => {
  const database = await createDatabase();
  await addHandles(database, "me", { count: 3 });
  await addTasks(database, "me", { count: 3, status: "completed" });
  await database.query("ANALYZE mcp_handles, mcp_tasks");
  await database.query("DELETE FROM mcp_handles");
  await database.query("DELETE FROM mcp_tasks");
  expect(await database.query("SELECT mcp_count_handles() AS h, mcp_count_tasks(60) AS t")).toMatchObject([
    { h: { active: 0 }, t: { tasks: { ended: 0 } } },
  ]);
});
