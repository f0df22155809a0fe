// Cleanup on demand, and the records of runs.
import { expect, test } from "vitest";
import { at, HOUR, runsOf } from "../support/cleanup.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  fire,
  keys,
  REGULAR_CRON,
  remaining,
  send,
} from "../support/worker.ts";

const ask = (env: Env, path: string, method = "GET") => send(env, path, { method, ...bearer(keys.admin) });

test("a tier runs at once, also one that is switched off, and spares what is not its own", async () => {
  const database = await createDatabase();
  const env = database.env();
  await addSessions(database, {
    live: at(new Date(), HOUR),
    recent: at(new Date(), -HOUR + 60_000),
    old: at(new Date(), -HOUR - 60_000),
  });
  const immediate = await ask(env, "/cleanup/immediate", "POST");
  expect(immediate.status).toBe(200);
  expect(await immediate.json()).toEqual({
    tier: "immediate",
    run_id: 1,
    outcome: "completed",
    deleted: 1,
    batches: 1,
    error_code: null,
    blocked: 0,
    blocked_by: null,
  });
  expect(await remaining(database)).toEqual(["live", "recent"]);
  expect(await (await ask(env, "/cleanup/regular", "POST")).json()).toMatchObject({ deleted: 1 });
  expect(await remaining(database)).toEqual(["live"]);
  expect((await runsOf(database)).map(({ trigger }) => trigger)).toEqual(["manual", "manual"]);
});

test("a run that fails is 503 with its report", async () => {
  const database = await createDatabase();
  await addSessions(database, { old: at(new Date(), -HOUR) });
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'secret detail' USING ERRCODE = '23503'; END$$`);
  await database.query("CREATE TRIGGER refuse BEFORE DELETE ON mcp_sessions EXECUTE FUNCTION refuse()");
  const response = await ask(database.env(), "/cleanup/regular", "POST");
  expect(response.status).toBe(503);
  const text = await response.text();
  expect(text).not.toContain("secret detail");
  expect(JSON.parse(text)).toMatchObject({ outcome: "failed", deleted: 0, error_code: "23503" });
});

test("records are paged from the latest on, by tier and outcome", async () => {
  const database = await createDatabase();
  const env = database.env();
  for (let i = 0; i < 5; i++) await fire(env, REGULAR_CRON, new Date(Date.now() - i * HOUR));
  await ask(env, "/cleanup/immediate", "POST");
  const page = async (query: string) =>
    (await (await ask(env, `/cleanup/runs${query}`)).json()) as {
      runs: { run_id: number; tier: string }[];
      next: number | null;
    };
  const first = await page("?tier=regular&limit=3");
  expect(first.runs.map(({ run_id: id }) => id)).toEqual([5, 4, 3]);
  expect(first.next).toBe(3);
  const second = await page("?tier=regular&limit=2&before=3");
  expect(second.runs.map(({ run_id: id }) => id)).toEqual([2, 1]);
  expect(second.next).toBeNull();
  expect((await page("")).runs[0]).toEqual({
    run_id: 6,
    tier: "immediate",
    trigger: "manual",
    scheduled_at: expect.stringMatching(/Z$/),
    cutoff: expect.stringMatching(/Z$/),
    started_at: expect.stringMatching(/Z$/),
    finished_at: expect.stringMatching(/Z$/),
    outcome: "completed",
    deleted: 0,
    batches: 0,
    error_code: null,
    blocked: 0,
    blocked_by: null,
  });
  expect((await page("?outcome=failed")).runs).toEqual([]);
});
