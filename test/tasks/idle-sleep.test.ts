// Idle sleep with tasks and handles: with it the same tasks are found by the same cron events, and the same rows are deleted.
import * as fc from "fast-check";
import { expect, inject, test } from "vitest";
import { createIdleSleep, type IdleSleep, neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import type { Tier } from "../../src/cleanup/tiers.ts";
import { handleCron } from "../../src/cron.ts";
import { connect } from "../../src/db/client.ts";
import { createHandleStore } from "../../src/handles/store.ts";
import { createHandleActivityStore, createTaskActivityStore } from "../../src/session/activity-store.ts";
import { createDueStore } from "../../src/tasks/due-store.ts";
import { createPickUp } from "../../src/tasks/pick-up.ts";
import { createTaskStore } from "../../src/tasks/store.ts";
import { storeOf } from "../support/cleanup.ts";
import { PassingTime } from "../support/passing-time.ts";
import { createDatabase, IMMEDIATE_CRON, REGULAR_CRON, type TestDatabase } from "../support/worker.ts";

const MINUTE = 60_000;
// An event of both tiers is every third one.
const STEP_MS = 20 * MINUTE;
const timeoutMs = 60_000;
const crons = { regular: REGULAR_CRON, immediate: IMMEDIATE_CRON };
const never = async () => {};

/** What cron events do with a database. */
interface House {
  database: TestDatabase;
  tasks: ReturnType<typeof createTaskStore>;
  handles: ReturnType<typeof createHandleStore>;
  /** The tasks that each event has started. */
  started: string[];
  queries: number;
  /** Ids are random, so none is made twice, also when its row has expired and is still there. */
  made: Set<string>;
  fire: (tier: Tier, at: Date) => Promise<void>;
}

async function houseOf(time: PassingTime, isSleeping: boolean): Promise<House> {
  const database = await createDatabase();
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const kept = new Map<string, string>();
  const records = {
    get: async (key: string) => kept.get(key) ?? null,
    put: async (key: string, value: string) => void kept.set(key, value),
  };
  const sleepOf = (work: "cleanup" | "tasks", immediate: number): IdleSleep =>
    isSleeping
      ? createIdleSleep(
          { records, maxSeconds: 86_400 },
          { versionId: "1", minAgeSeconds: { regular: 0, immediate }, now: () => time.now(), work },
        )
      : neverAsleep;
  const [cleanupSleep, taskSleep] = [sleepOf("cleanup", 3600), sleepOf("tasks", 0)];
  const settings = { timeoutMs, maxPerPrincipal: 1000 };
  const cleanups = time.cleanups(storeOf(database), async (report, at) => {
    house.queries++;
    await cleanupSleep.recordRun(report, at);
  });
  const { due } = time.dueStore(createDueStore(connection, { timeoutMs }));
  const pickUp = createPickUp({
    store: {
      due: (which) => {
        house.queries++;
        return due(which);
      },
    },
    runner: { atOnce: 3, start: async ({ key }) => void house.started.push(key) },
    sleep: taskSleep,
  });
  const here = { waitUntil: () => {}, run: async () => "done" as const };
  const house: House = {
    database,
    tasks: createTaskActivityStore(
      createTaskStore(connection, settings),
      cleanupSleep.recordActivity,
      taskSleep.recordActivity,
    ),
    handles: createHandleActivityStore(createHandleStore(connection, settings), cleanupSleep.recordActivity),
    started: [],
    queries: 0,
    made: new Set(),
    async fire(tier, at) {
      const event = { cron: crons[tier], scheduledTime: at.getTime() };
      await handleCron(event, { mode: "aggressive", crons }, cleanups, cleanupSleep, (...args) =>
        pickUp(...args, here),
      );
    },
  };
  return house;
}

const kinds = [
  "create",
  "take",
  "work on",
  "finish",
  "ask",
  "answer",
  "cancel",
  "make",
  "use",
  "end",
] as const;
const act = fc.record({
  does: fc.constantFrom(...kinds),
  of: fc.nat({ max: 7 }),
  // How long a lease is renewed, or a row is kept.
  minutes: fc.constantFrom(1, 8, 33, 90, 300),
});
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;
const steps = fc.array(
  fc.oneof(
    { arbitrary: fc.constant<Act[]>([]), weight: 3 },
    { arbitrary: fc.array(act, { maxLength: 3 }), weight: 2 },
  ),
  { minLength: 8, maxLength: 16 },
);
const quiet = fc.array(fc.constant<Act[]>([]), { minLength: 6, maxLength: 9 });

const ofEach = (does: Act["does"], ...minutes: Act["minutes"][]): Act[] =>
  minutes.map((each, of) => ({ does, of, minutes: each }));
// Chance alone may leave little to start and to delete. Here tasks wait from the first event on, and rows expire at five others.
const eventful: [Act[][], Act[][], Act[][]] = [
  [
    [...ofEach("create", 33, 90, 300), ...ofEach("make", 33, 90, 300)],
    ...Array.from({ length: 8 }, () => []),
  ],
  [[{ does: "make", of: 3, minutes: 33 }], ...Array.from({ length: 5 }, () => [])],
  [[{ does: "make", of: 4, minutes: 33 }], ...Array.from({ length: 7 }, () => [])],
];

/** The same in each house. */
async function play({ tasks, handles, database, made }: House, { does, of, minutes }: Act): Promise<void> {
  const [key, claim] = [`task-${of}`, `claim-${of}-${minutes}`];
  const ttlSeconds = minutes * 60;
  if (does === "create" || does === "make") {
    if (made.has(`${does} ${of}`)) return;
    made.add(`${does} ${of}`);
  }
  const task = { key, owner: "alice", tool: "work", call: "{}", onLost: "retry", maxAttempts: 3 } as const;
  if (does === "create") await tasks.create({ ...task, pollMs: 1000, ttlSeconds });
  if (does === "take") await tasks.take(key, claim);
  if (does === "finish") await tasks.finish(key, claim, { status: "completed", result: "{}" });
  if (does === "ask") await tasks.ask(key, claim, { "1.a": {} }, undefined);
  if (does === "answer") await tasks.answer(key, "alice", { "1.a": {} });
  if (does === "cancel") await tasks.cancel(key, "alice");
  // As often as a runner that is alive renews its lease.
  if (does === "work on")
    await database.query(
      `UPDATE mcp_tasks SET leased_until = now() + $2 * interval '1 minute'
        WHERE task_hash = $1 AND status = 'working' AND lease IS NOT NULL`,
      [key, minutes],
    );
  const handle = { key: `handle-${of}`, owner: "alice", kind: "note", value: "1" };
  if (does === "make") await handles.make({ ...handle, ttlSeconds, isSliding: minutes % 2 === 0 });
  if (does === "use") await handles.read(handle.key, "alice");
  if (does === "end") await handles.end(handle.key, "alice");
}

const rowsOf = async ({ database }: House) =>
  (
    await database.query(
      "SELECT task_hash AS key FROM mcp_tasks UNION ALL SELECT handle_hash FROM mcp_handles ORDER BY key",
    )
  ).map(({ key }) => key);

async function live(history: Act[][], afterEvent: (slept: House, awake: House, tier: Tier) => Promise<void>) {
  const time = new PassingTime();
  const [slept, awake] = await Promise.all([houseOf(time, true), houseOf(time, false)]);
  for (const [step, acts] of history.entries()) {
    await time.pass(STEP_MS - 3 * MINUTE, slept.database, awake.database);
    for (const one of acts) await Promise.all([play(slept, one), play(awake, one)]);
    await time.pass(3 * MINUTE, slept.database, awake.database);
    for (const tier of step % 3 === 0 ? (["regular", "immediate"] as const) : (["immediate"] as const)) {
      const at = time.now();
      await Promise.all([slept.fire(tier, at), awake.fire(tier, at)]);
      await afterEvent(slept, awake, tier);
    }
  }
  return { slept: slept.queries, awake: awake.queries, started: awake.started.length };
}

test("with sleep each event starts the same tasks and leaves the same rows, with fewer queries", async () => {
  const total = { slept: 0, awake: 0, started: 0, deletions: 0 };
  await fc.assert(
    fc.asyncProperty(steps, quiet, steps, async (before, pause, after) => {
      let rows = 0;
      const { slept, awake, started } = await live(
        [...before, ...pause, ...after],
        async (one, other, tier) => {
          expect(one.started).toEqual(other.started);
          // A session must have expired for an hour before the immediate tier takes it: so long it may sleep.
          if (tier !== "regular") return;
          const left = await rowsOf(other);
          expect(await rowsOf(one)).toEqual(left);
          if (left.length < rows) total.deletions++;
          rows = left.length;
        },
      );
      total.slept += slept;
      total.awake += awake;
      total.started += started;
    }),
    { numRuns: 6, endOnFailure: true, examples: [eventful] },
  );
  expect(total.slept).toBeLessThan(total.awake * 0.8);
  // The histories were worth something.
  expect(total.started).toBeGreaterThan(10);
  expect(total.deletions).toBeGreaterThan(2);
});

test("an idle day asks the database twice: for what has expired, and for what is due", async () => {
  const day = Array.from({ length: 71 }, (): Act[] => []);
  const { slept, awake } = await live(day, never);
  expect(slept).toBe(2);
  expect(awake).toBeGreaterThan(140);
});

test("tasks and handles that only live keep nobody awake", async () => {
  const make: Act[] = [0, 1, 2].flatMap((of) => [
    { does: "create", of, minutes: 300 },
    { does: "take", of, minutes: 300 },
    { does: "finish", of, minutes: 300 },
    { does: "make", of, minutes: 300 },
  ]);
  const { slept } = await live([make, ...Array.from({ length: 12 }, (): Act[] => [])], never);
  // The first events, those after the activity was recorded, and nothing for four hours.
  expect(slept).toBeLessThan(10);
});
