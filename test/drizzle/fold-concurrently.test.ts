// Folding the totals while others add to them: nobody waits, and nothing is lost.
import { Client, type ClientConfig } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import { createDatabase, waits } from "./databases.ts";
import { add, fold, NAMES, rowsOf, START } from "./totals.ts";

let config: ClientConfig;
let client: Client;
beforeAll(async () => {
  config = await createDatabase();
  await migrate(config);
  client = new Client(config);
  await client.connect();
});
afterAll(() => client.end());
beforeEach(() => client.query("TRUNCATE mcp_session_totals"));

describe("a late transaction", () => {
  test("that holds rows is not waited for; its rows are folded the next time", () =>
    connected(config, async (late) => {
      for (const shard of [0, 1, 2, 3]) await add(client, "sessions_opened", START, shard, 1);
      await add(client, "sessions_ended/client", START, 0, 1);
      await late.query("BEGIN");
      await add(late, "sessions_opened", START, 0, 10);
      // A folding that waits for it would wait for ever.
      await fold(client, START + 9);
      expect(await rowsOf(client)).toEqual([
        { name: "sessions_ended/client", hour: START, value: 1 },
        { name: "sessions_opened", hour: START, value: 1 },
        { name: "sessions_opened", hour: START, value: 3 },
      ]);
      // Nor does it wait for what was folded.
      await add(late, "sessions_opened", START, 3, 100);
      await late.query("COMMIT");
      await fold(client, START + 9);
      expect((await rowsOf(client)).slice(1)).toEqual([{ name: "sessions_opened", hour: START, value: 114 }]);
    }));

  test("adds to a row that was folded away meanwhile, and nothing is lost", () =>
    connected(config, (late) =>
      connected(config, async (folder) => {
        for (const shard of [0, 1]) await add(client, "sessions_opened", START, shard, 1);
        await folder.query("BEGIN");
        await fold(folder, START + 9);
        const { rows } = await late.query("SELECT pg_backend_pid() AS pid");
        const adding = add(late, "sessions_opened", START, 1, 10);
        await waits(client, rows[0].pid);
        await folder.query("COMMIT");
        await adding;
        await fold(client, START + 9);
        expect(await rowsOf(client)).toEqual([{ name: "sessions_opened", hour: START, value: 12 }]);
      }),
    ));
});

test("a folding whose backend is killed has changed nothing", async () => {
  for (const shard of [0, 1, 2]) await add(client, "sessions_opened", START, shard, 1);
  const folder = new Client(config);
  folder.on("error", () => {});
  await folder.connect();
  await folder.query("BEGIN");
  await fold(folder, START + 9);
  const { rows } = await folder.query("SELECT pg_backend_pid() AS pid");
  await client.query("SELECT pg_terminate_backend($1, 60000)", [rows[0].pid]);
  expect(await rowsOf(client)).toHaveLength(3);
  await fold(client, START + 9);
  expect(await rowsOf(client)).toEqual([{ name: "sessions_opened", hour: START, value: 3 }]);
});

test("of additions and foldings at once no sum is wrong, and none that is read goes down", async () => {
  const WRITERS = 6;
  const ADDITIONS = 150;
  const writing = { isOver: false };
  let expected = 0;
  const writer = (number: number) =>
    connected(config, async (one) => {
      for (let i = 0; i < ADDITIONS; i += 1) {
        await one.query("BEGIN");
        // In one order, as all that writes totals has it.
        const hour = START + Math.floor(Math.random() * 8);
        for (const name of NAMES) await add(one, name, hour, number, 1);
        const isKept = Math.random() < 0.8;
        await one.query(isKept ? "COMMIT" : "ROLLBACK");
        if (isKept) expected += 1;
      }
    });
  const folder = () =>
    connected(config, async (one) => {
      while (!writing.isOver) await fold(one, START + Math.floor(Math.random() * 24 * 50));
    });
  const reader = () =>
    connected(config, async (one) => {
      let last = 0;
      while (!writing.isOver) {
        const { rows } = await one.query(
          "SELECT coalesce(sum(value), 0)::int AS sum FROM mcp_session_totals",
        );
        expect(rows[0].sum).toBeGreaterThanOrEqual(last);
        expect(rows[0].sum % NAMES.length).toBe(0);
        last = rows[0].sum;
      }
    });
  const others = Promise.all([folder(), folder(), reader()]);
  const writers = Array.from({ length: WRITERS }, (_, number) => writer(number));
  await Promise.all(writers).finally(() => (writing.isOver = true));
  await others;
  await fold(client, START + 24 * 60);
  expect(await rowsOf(client)).toEqual(
    NAMES.toSorted().map((name) => ({ name, hour: expect.any(Number), value: expected })),
  );
});
