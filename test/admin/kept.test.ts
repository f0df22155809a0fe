// What an operator may see of handles and tasks, and end.
import { afterEach, describe, expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { addHandles, addTasks, KEPT } from "../support/kept.ts";
import {
  bearer,
  createDatabase,
  databaseRequests,
  faultHits,
  keys,
  send,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";

afterEach(() => setFaults());

const ask = (env: Env, path: string, method = "GET", key: string = keys.admin) =>
  send(env, path, { method, ...bearer(key) });

type Row = Record<string, unknown> & { key: string; principal: string };
const pageOf = async (env: Env, path: string) => {
  const response = await ask(env, path);
  expect(response.status).toBe(200);
  const { next, ...lists } = await response.json<Record<string, unknown>>();
  return { rows: Object.values(lists)[0] as Row[], next: next as string | null };
};
const keysOf = async (env: Env, path: string) => (await pageOf(env, path)).rows.map(({ key }) => key);

const kinds = [
  { what: "handle", path: "/handles", add: addHandles, table: "mcp_handles", line: "MCP handle ended" },
  { what: "task", path: "/tasks", add: addTasks, table: "mcp_tasks", line: "MCP task cancelled" },
] as const;

async function start(variables: Record<string, string> = KEPT) {
  const database = await createDatabase();
  return { database, env: database.env(variables) };
}

const TIME = /^\d{4}-\d\d-\d\dT.*Z$/;

test("a handle is listed with everything but its value and its id", async () => {
  const { database, env } = await start();
  const [key = ""] = await addHandles(database, "alice", { value: '{"card":"4111"}' });
  const response = await ask(env, "/handles");
  const text = await response.text();
  expect(text).not.toContain("4111");
  expect(JSON.parse(text)).toEqual({
    handles: [
      {
        key,
        handle: key.slice(0, 8),
        principal: "alice",
        state: "active",
        kind: "cart",
        is_ended: false,
        value_bytes: 15,
        version: 1,
        sliding_seconds: null,
        created_at: expect.stringMatching(TIME),
        last_used_at: expect.stringMatching(TIME),
        expires_at: expect.stringMatching(TIME),
      },
    ],
    next: null,
  });
});

test("a task is listed with everything but its call, its result, its questions and its id", async () => {
  const { database, env } = await start();
  const [key = ""] = await addTasks(database, "alice");
  await database.query(
    `UPDATE mcp_tasks SET call = '"of the caller"', result = '"result"', input_requests = '"question"', status_message = 'words'`,
  );
  const text = await (await ask(env, "/tasks")).text();
  expect(text).not.toMatch(/of the caller|"result"|question|words|somebody/);
  expect(JSON.parse(text)).toEqual({
    tasks: [
      {
        key,
        task: key.slice(0, 8),
        principal: "alice",
        state: "active",
        tool: "report",
        status: "working",
        attempt: 1,
        max_attempts: 3,
        leased_until: expect.stringMatching(TIME),
        call_bytes: 15,
        result_bytes: 8,
        version: 1,
        created_at: expect.stringMatching(TIME),
        updated_at: expect.stringMatching(TIME),
        expires_at: expect.stringMatching(TIME),
      },
    ],
    next: null,
  });
});

test("a task that nobody has taken is run by nobody, though it is to be started", async () => {
  const { database, env } = await start();
  await addTasks(database, "alice");
  await database.query("UPDATE mcp_tasks SET lease = NULL");
  expect((await pageOf(env, "/tasks")).rows[0]).toMatchObject({ leased_until: null });
});

describe.each(kinds)("the list of $path", ({ path, add, what, table }) => {
  test("has each once, page after page, in one statement each", async () => {
    const { database, env } = await start();
    const all = [
      ...(await add(database, "alice", { count: 70 })),
      ...(await add(database, "bob", { count: 50 })),
    ].toSorted();
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let after = ""; ;) {
      const before = await databaseRequests();
      const { rows, next } = await pageOf(env, `${path}?limit=60${after}`);
      expect((await databaseRequests()) - before).toBe(1);
      sizes.push(rows.length);
      seen.push(...rows.map(({ key }) => key));
      if (next === null) break;
      after = `&after=${next}`;
    }
    expect(sizes).toEqual([60, 60]);
    expect(seen).toEqual(all);
  });

  test("is filtered by principal, state and the name in the log", async () => {
    const { database, env } = await start();
    const [mine = ""] = await add(database, "alice");
    const [theirs = ""] = await add(database, "bob");
    const [old = ""] = await add(database, "carol", { expiresAt: "now()" });
    expect((await keysOf(env, path)).toSorted()).toEqual([mine, theirs, old].toSorted());
    expect(await keysOf(env, `${path}?principal=alice`)).toEqual([mine]);
    expect(await keysOf(env, `${path}?state=expired`)).toEqual([old]);
    expect((await keysOf(env, `${path}?state=active`)).toSorted()).toEqual([mine, theirs].toSorted());
    expect(await keysOf(env, `${path}?principal=alice&state=expired`)).toEqual([]);
    for (const key of [mine, theirs, old])
      expect(await keysOf(env, `${path}?${what}=${key.slice(0, 8)}`)).toEqual([key]);
    expect(await keysOf(env, `${path}?${what}=${theirs.slice(0, 8)}&principal=alice`)).toEqual([]);
  });

  test("finds those of the bearer of a token by issuer and subject, and names both", async () => {
    const { database, env } = await start();
    const [key] = await add(database, '["https://issuer.example","u-1"]');
    await add(database, '["https://issuer.example","u-2"]');
    const query = new URLSearchParams({ issuer: "https://issuer.example", subject: "u-1" }).toString();
    expect((await pageOf(env, `${path}?${query}`)).rows).toEqual([
      expect.objectContaining({ key, issuer: "https://issuer.example", subject: "u-1" }),
    ]);
  });

  test("looks at 5000 rows at most, and says where it goes on", async () => {
    const { database, env } = await start();
    const all = await add(database, "alice", { count: 5001 });
    const first = await pageOf(env, `${path}?state=expired`);
    expect(first).toEqual({ rows: [], next: all[4999] });
    await database.query(`UPDATE ${table} SET expires_at = now()`);
    expect(await keysOf(env, `${path}?state=expired&after=${first.next}`)).toEqual([all[5000]]);
    // The last row that may be looked at is wanted itself, and on the page.
    expect((await keysOf(env, `${path}?state=expired&after=${all[3]}&limit=1000`)).length).toBe(1000);
  });

  test.each([
    [`limit=0`, "The parameter limit must be a whole number from 1 to 1000"],
    [`state=ended`, "The parameter state must be active or expired"],
    [`after=1`, "The parameter after must be a key, as the list gives them"],
    [`${what}=ABCDEF01`, `The parameter ${what} must be the 8 characters of a ${what} in the log`],
    [`issuer=a`, "The parameters issuer and subject must be given together"],
    [`principal=`, "The parameter principal must not be empty"],
  ])("?%s is refused, and the database is not asked", async (query, message) => {
    const { env } = await start();
    const before = await databaseRequests();
    const response = await ask(env, `${path}?${query}`);
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: { code: "invalid_request", message, request_id: expect.any(String) } },
    ]);
    expect((await ask(env, `${path}?colour=red`)).status).toBe(400);
    expect(await databaseRequests()).toBe(before);
  });
});

test("handles are filtered by kind", async () => {
  const { database, env } = await start();
  const [cart] = await addHandles(database, "alice");
  const [draft] = await addHandles(database, "alice", { kind: "a draft" });
  expect(await keysOf(env, "/handles?kind=cart")).toEqual([cart]);
  expect(await keysOf(env, "/handles?kind=a+draft")).toEqual([draft]);
  expect(await keysOf(env, "/handles?kind=Cart")).toEqual([]);
  expect((await ask(env, `/handles?kind=${"x".repeat(65)}`)).status).toBe(400);
  expect((await ask(env, "/handles?kind=%00")).status).toBe(400);
});

test("tasks are filtered by status and by tool", async () => {
  const { database, env } = await start();
  const [working] = await addTasks(database, "alice");
  const [asking] = await addTasks(database, "alice", { status: "input_required", tool: "ask" });
  const [failed] = await addTasks(database, "alice", { status: "failed" });
  expect(await keysOf(env, "/tasks?status=working")).toEqual([working]);
  expect(await keysOf(env, "/tasks?status=input_required")).toEqual([asking]);
  expect(await keysOf(env, "/tasks?status=failed")).toEqual([failed]);
  expect(await keysOf(env, "/tasks?tool=ask")).toEqual([asking]);
  expect(await keysOf(env, "/tasks?tool=report&status=failed")).toEqual([failed]);
  const refused = await ask(env, "/tasks?status=done");
  expect([refused.status, await refused.text()]).toEqual([
    400,
    expect.stringContaining("must be one of working, input_required, completed, cancelled, failed"),
  ]);
});

describe.each(kinds)("ending one of $path", ({ path, add, what, line, table }) => {
  const statuses = ({ query }: TestDatabase) =>
    query(
      `SELECT owner, ${what === "task" ? "status" : "version"} AS state FROM ${table} ORDER BY owner, state`,
    );
  const total = async ({ query }: TestDatabase) =>
    (
      await query(
        "SELECT coalesce(sum(value), 0)::int AS sum FROM mcp_session_totals WHERE name IN ('handles_ended/operator', 'tasks_ended/cancelled')",
      )
    )[0]?.["sum"];

  test("ends that one alone, in one round trip, and leaves a trace", async () => {
    const { database, env } = await start();
    const [mine = ""] = await add(database, "alice");
    await add(database, "bob");
    const before = await databaseRequests();
    expect((await ask(env, `${path}/${mine}`, "DELETE")).status).toBe(204);
    expect((await databaseRequests()) - before).toBe(1);
    expect(await statuses(database)).toEqual(
      what === "task"
        ? [
            { owner: "alice", state: "cancelled" },
            { owner: "bob", state: "working" },
          ]
        : [
            { owner: "alice", state: 0 },
            { owner: "bob", state: 1 },
          ],
    );
    expect(await total(database)).toBe(1);
    expect(logged(line)).toEqual([
      expect.objectContaining({
        by: "ops",
        principal: "alice",
        reason: "operator",
        [what]: mine.slice(0, 8),
      }),
    ]);
  });

  test("is 404 for one that has ended, that has expired, or that never was, and leaves no trace", async () => {
    const { database, env } = await start();
    const [mine = ""] = await add(database, "alice");
    const [old = ""] = await add(database, "bob", { expiresAt: "now()" });
    await ask(env, `${path}/${mine}`, "DELETE");
    for (const key of [mine, old, "0".repeat(64)]) {
      const response = await ask(env, `${path}/${key}`, "DELETE");
      expect([response.status, await response.json()]).toEqual([
        404,
        { error: expect.objectContaining({ code: `${what}_not_found` }) },
      ]);
    }
    expect(logged(line)).toHaveLength(1);
    expect(await total(database)).toBe(1);
  });

  test("whose answer was lost is answered all the same, and counted once", async () => {
    const { database, env } = await start();
    const [mine = ""] = await add(database, "alice");
    const matching = what === "task" ? "mcp_cancel_task" : "mcp_end_handle";
    await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching });
    expect((await ask(env, `${path}/${mine}`, "DELETE")).status).toBe(204);
    expect(await faultHits()).toEqual([1]);
    expect(await total(database)).toBe(1);
    expect(logged(line)).toEqual([expect.objectContaining({ principal: "alice" })]);
  });

  test("logs the bearer of a token without a name", async () => {
    const { database, env } = await start();
    const [mine = ""] = await add(database, '["https://issuer.example","u-1"]');
    await ask(env, `${path}/${mine}`, "DELETE");
    expect(logged(line)).toEqual([
      expect.objectContaining({ principal: expect.stringMatching(/^person:[0-9a-f]{8}$/) }),
    ]);
  });

  test.each(["1", "not-a-key", "A".repeat(64), "0".repeat(63), "0".repeat(65)])(
    "with %s as its key is refused, and the database is not asked",
    async (key) => {
      const { env } = await start();
      const before = await databaseRequests();
      expect((await ask(env, `${path}/${key}`, "DELETE")).status).toBe(400);
      expect(await databaseRequests()).toBe(before);
    },
  );
});

test.each(["completed", "cancelled", "failed"])("a task that is %s cannot be cancelled", async (status) => {
  const { database, env } = await start();
  const [key = ""] = await addTasks(database, "alice", { status });
  expect((await ask(env, `/tasks/${key}`, "DELETE")).status).toBe(404);
  expect((await pageOf(env, "/tasks")).rows[0]).toMatchObject({ status, result_bytes: 2, call_bytes: null });
});

const routes = kinds.flatMap(({ path }) => [
  ["GET", path] as const,
  ["DELETE", `${path}/${"0".repeat(64)}`] as const,
]);

test.each(routes)("%s %s is for the scope admin alone", async (method, path) => {
  const { env } = await start();
  const before = await databaseRequests();
  for (const key of [keys.health, keys.metrics, keys.alice])
    expect((await ask(env, path, method, key)).status).toBe(403);
  expect((await send(env, path, { method })).status).toBe(401);
  expect(await databaseRequests()).toBe(before);
});

test.each(routes)("%s %s is 503 while the database cannot be asked", async (method, path) => {
  const env = (await createDatabase({ empty: true })).env(KEPT);
  const response = await ask(env, path, method);
  expect([response.status, await response.json()]).toEqual([
    503,
    { error: expect.objectContaining({ code: "sessions_unusable" }) },
  ]);
});

test.each(routes)("%s %s is no route where that is not switched on", async (method, path) => {
  const { env } = await start({});
  const response = await ask(env, path, method);
  expect([response.status, await response.json()]).toEqual([
    404,
    { error: expect.objectContaining({ code: "not_found" }) },
  ]);
  // Each has a variable of its own.
  const [own, other] = path.startsWith("/handles")
    ? (["MCP_HANDLES", "MCP_TASKS"] as const)
    : (["MCP_TASKS", "MCP_HANDLES"] as const);
  expect(await (await ask((await start({ [other]: "true" })).env, path, method)).text()).toContain(
    '"not_found"',
  );
  expect(await (await ask((await start({ [own]: "true" })).env, path, method)).text()).not.toContain(
    '"not_found"',
  );
});
