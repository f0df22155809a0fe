// The switchboard: every fault as the driver sees it, what PostgreSQL has done by then, and which requests it
// hits.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Fault } from "../../dev/neon/switchboard.ts";
import type { Bench } from "./support/neon.ts";
import { startLocalNeon } from "../../dev/neon/server.ts";
import { connected } from "../support/postgres.ts";
import { eventually, failureOf, refusal, startBench } from "./support/neon.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
  await bench.ask("create table mark (); alter table mark owner to tester");
});
beforeEach(() => bench.ask("truncate mark"));
afterEach(() => bench.neon.switchboard.clear());
afterAll(() => bench.stop());

const marks = async () => (await bench.ask("select from mark")).length;
const insert = () => bench.sql`insert into mark default values`;

describe("answers in place of an execution", () => {
  const cases: [Fault, number, string, unknown][] = [
    [
      { kind: "quota" },
      402,
      "application/json",
      '{"message":"Your account or project has exceeded the compute time quota. ' +
        'Upgrade your plan to increase limits."}',
    ],
    [
      { kind: "control-plane" },
      500,
      "application/json",
      expect.stringMatching(/^\{"message":"Control plane request failed","code":"","detail":null,.*\}$/),
    ],
    [
      { kind: "too-many-endpoints" },
      402,
      "application/json",
      '{"message":"You have exceeded the limit of concurrently active endpoints. ' +
        'Please suspend some endpoints and try again."}',
    ],
    [
      { kind: "compute-unreachable" },
      500,
      "application/json",
      expect.stringMatching(/^\{"message":"Couldn't connect to compute node","code":"","detail":null,.*\}$/),
    ],
    [
      { kind: "maintenance" },
      500,
      "application/json",
      expect.stringMatching(
        /^\{"message":"Control plane request failed: endpoint is temporarily unavailable\. Check your quotas .*\}$/,
      ),
    ],
    [{ kind: "edge" }, 520, "text/plain", "error code: 520"],
    [{ kind: "edge", status: 530 }, 530, "text/plain", "error code: 530"],
    [
      { kind: "refused-by-postgres", sqlstate: "53300" },
      500,
      "application/json",
      expect.stringMatching(/^\{"message":"sorry, too many clients already","code":"53300",.*"FATAL"/),
    ],
    [
      { kind: "refused-by-postgres", sqlstate: "57P03" },
      500,
      "application/json",
      expect.stringMatching(/^\{"message":"the database system is starting up","code":"57P03",.*"FATAL"/),
    ],
  ];

  test.each(cases)("%j", async (fault, status, type, body) => {
    bench.neon.switchboard.set({ fault });
    const wire = await bench.post({ query: "insert into mark default values" });
    expect([wire.status, wire.headers.get("content-type"), wire.text]).toEqual([status, type, body]);
    const prefix = `Server error (HTTP status ${status}): `;
    expect(await failureOf(insert())).toMatchObject({
      name: "NeonDbError",
      message: prefix + wire.text,
      code: undefined,
    });
    expect(await marks()).toBe(0);
  });
});

describe("refusals, which the driver has the message of", () => {
  test.each([
    ["endpoint-deleted", "Control plane request failed: endpoint cannot be found"],
    ["endpoint-disabled", "Control plane request failed: endpoint is disabled"],
    ["blocked-network", "This connection is trying to access this endpoint from a blocked network."],
    ["ip-not-allowed", expect.stringMatching(/^This IP address 203\.0\.113\.7 is not allowed to connect to/)],
  ] as const)("%s", async (kind, message) => {
    bench.neon.switchboard.set({ fault: { kind } });
    expect(await bench.answer({ query: "insert into mark default values" })).toEqual(refusal(message));
    expect(await failureOf(insert())).toMatchObject({ name: "NeonDbError", message, code: "" });
    expect(await marks()).toBe(0);
  });
});

describe("statements that do not end with their request", () => {
  const LOCK = "begin; lock table mark in access exclusive mode";

  test("outlives-client: a statement comes to its end after its client has left", async () => {
    const { host, port, user, password } = bench.postgres;
    bench.neon.switchboard.set({ fault: { kind: "outlives-client" }, matching: "insert" });
    await connected({ host, port, user, password, database: "tests" }, async (holder) => {
      await holder.query(LOCK);
      const leave = new AbortController();
      const statement = "insert into mark default values";
      const failure = failureOf(bench.sql.query(statement, [], { fetchOptions: { signal: leave.signal } }));
      const waiting = () => bench.backends("wait_event_type = 'Lock'");
      await eventually(waiting).toBe(1);
      leave.abort();
      expect(await failure).toMatchObject({ sourceError: { name: "AbortError" } });
      // Another request goes through meanwhile: the server has seen the client leave.
      await bench.sql`select 1`;
      expect(await waiting()).toBe(1);
      await holder.query("commit");
    });
    await eventually(marks).toBe(1);
  });

  test("outlives-client: but it does not outlive the server", async () => {
    const own = await startLocalNeon({ postgres: bench.postgres });
    own.switchboard.set({ fault: { kind: "outlives-client" } });
    const failure = failureOf(bench.post({ query: "select pg_sleep(3600)" }, {}, own.endpoint));
    await eventually(() => bench.backends("query like '%pg_sleep(3600)%' and state = 'active'")).toBe(1);
    await own.close();
    expect(await failure).toMatchObject({ message: "fetch failed" });
    await eventually(() => bench.backends("query like '%pg_sleep(3600)%'")).toBe(0);
  });

  test("lingering-locks: the answer of a failed statement comes before its locks go", async () => {
    const lock = () => bench.sql`select from mark where pg_try_advisory_xact_lock(9)`;
    await insert();
    bench.neon.switchboard.set({ fault: { kind: "lingering-locks", ms: 60_000 }, times: 1, matching: "9" });
    expect(await failureOf(lock())).toMatchObject({
      name: "NeonDbError",
      code: "40001",
      message: "could not serialize access due to concurrent update",
    });
    expect((await lock()).rowCount).toBe(0);
    bench.neon.switchboard.clear();
    await eventually(async () => (await lock()).rowCount).toBe(1);
  });

  test("lingering-locks: a statement that waits for them goes on when they have gone, and nothing is left", async () => {
    bench.neon.switchboard.set({ fault: { kind: "lingering-locks", ms: 200 }, times: 1 });
    await bench.ask("create table one (id int primary key); alter table one owner to tester");
    const add = () => bench.sql`insert into one values (1)`;
    expect(await failureOf(add())).toMatchObject({ code: "40001" });
    expect((await add()).rowCount).toBe(1);
  });

  test("lingering-locks: a CALL, which would commit by itself, is not run", async () => {
    await bench.ask(
      "create procedure leave_a_mark() language plpgsql as 'begin insert into mark default values; commit; end'",
    );
    bench.neon.switchboard.set({ fault: { kind: "lingering-locks", ms: 0 } });
    expect(await failureOf(bench.sql`call leave_a_mark()`)).toMatchObject({ code: "40001" });
    expect(await marks()).toBe(0);
  });
});

describe("connections that break", () => {
  test("reset: the driver cannot connect, and nothing ran", async () => {
    bench.neon.switchboard.set({ fault: { kind: "reset" } });
    expect(await failureOf(insert())).toMatchObject({
      name: "NeonDbError",
      message: "Error connecting to database: TypeError: fetch failed",
      sourceError: { cause: { code: "ECONNRESET" } },
    });
    expect(await marks()).toBe(0);
  });

  test("lost-after-commit: the driver sees the same, and it did run", async () => {
    bench.neon.switchboard.set({ fault: { kind: "lost-after-commit" } });
    expect(await failureOf(insert())).toMatchObject({
      name: "NeonDbError",
      message: "Error connecting to database: TypeError: fetch failed",
    });
    expect(await marks()).toBe(1);
  });

  test("lost-after-commit: a batch is committed too", async () => {
    bench.neon.switchboard.set({ fault: { kind: "lost-after-commit" } });
    expect(await failureOf(bench.sql.transaction([insert(), insert()]))).toMatchObject({
      name: "NeonDbError",
    });
    expect(await marks()).toBe(2);
  });

  test("half-body: the driver has a status of 200, then an error that is not its own, and it did run", async () => {
    bench.neon.switchboard.set({ fault: { kind: "half-body" } });
    expect(await failureOf(insert())).toMatchObject({ name: "TypeError", message: "terminated" });
    expect(await marks()).toBe(1);
  });

  test("half-body: exactly the first half arrives", async () => {
    const whole = await bench.post({ query: "select 1" });
    bench.neon.switchboard.set({ fault: { kind: "half-body" } });
    const response = await fetch(bench.neon.endpoint, {
      method: "POST",
      headers: {
        "Neon-Connection-String": bench.url,
        "Neon-Raw-Text-Output": "true",
        "Neon-Array-Mode": "true",
      },
      body: '{"query":"select 1"}',
    });
    expect(response.status).toBe(200);
    let text = "";
    const read = async () => {
      for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
    };
    await expect(read()).rejects.toThrow("terminated");
    expect(text).toBe(whole.text.slice(0, Math.floor(whole.text.length / 2)));
  });
});

describe("slowness", () => {
  test("latency: answers as ever, no earlier than it says", async () => {
    bench.neon.switchboard.set({ fault: { kind: "latency", ms: 60 } });
    const start = performance.now();
    expect(await insert()).toMatchObject({ rowCount: 1 });
    // A timer may fire up to one millisecond early.
    expect(performance.now() - start).toBeGreaterThanOrEqual(59);
  });

  test("latency: nothing runs for a client that leaves meanwhile", async () => {
    const { switchboard } = bench.neon;
    switchboard.set({ fault: { kind: "latency", ms: 200 }, times: 1 });
    const signal = AbortSignal.timeout(20);
    const statement = "insert into mark default values";
    const failure = failureOf(bench.sql.query(statement, [], { fetchOptions: { signal } }));
    expect(await failure).toMatchObject({ sourceError: { name: "TimeoutError" } });
    // As late as the abandoned one would have run.
    switchboard.set({ fault: { kind: "latency", ms: 200 } });
    await bench.sql`select 1`;
    expect(await marks()).toBe(0);
  });

  test("hang: lasts until the client leaves, and nothing ran", async () => {
    bench.neon.switchboard.set({ fault: { kind: "hang" } });
    const leave = new AbortController();
    const statement = "insert into mark default values";
    const failure = failureOf(bench.sql.query(statement, [], { fetchOptions: { signal: leave.signal } }));
    await eventually(() => bench.neon.switchboard.hits()).toEqual([1]);
    leave.abort();
    expect(await failure).toMatchObject({ sourceError: { name: "AbortError" } });
    expect(await marks()).toBe(0);
  });

  test("hang: clear() disconnects all that hang", async () => {
    bench.neon.switchboard.set({ fault: { kind: "hang" } });
    const failures = [failureOf(insert()), failureOf(insert()), failureOf(insert())];
    await eventually(() => bench.neon.switchboard.hits()).toEqual([3]);
    bench.neon.switchboard.clear();
    for (const failure of await Promise.all(failures)) {
      expect(failure).toMatchObject({ message: "Error connecting to database: TypeError: fetch failed" });
    }
    expect(await insert()).toMatchObject({ rowCount: 1 });
  });
});

const statusOf = async (query: string) => (await bench.post({ query })).status;

describe("rules", () => {
  test("the first one that matches and has hits left wins, and hits() counts", async () => {
    const { switchboard } = bench.neon;
    switchboard.set(
      { fault: { kind: "edge", status: 521 }, times: 2, matching: "mark" },
      { fault: { kind: "edge", status: 522 }, times: 1 },
      { fault: { kind: "edge", status: 523 }, matching: "mark" },
    );
    const statuses: number[] = [];
    for (const query of [
      "select 1 as mark",
      "select 2",
      "select from mark",
      "select 3",
      "select 4 as mark",
    ]) {
      statuses.push(await statusOf(query));
    }
    expect(statuses).toEqual([521, 522, 521, 200, 523]);
    expect(switchboard.hits()).toEqual([2, 1, 1]);
  });

  test("a text is looked for in every statement of a batch, as SQL and not as JSON", async () => {
    bench.neon.switchboard.set({ fault: { kind: "quota" }, matching: 'from "mark"' });
    const queries = [{ query: "select 1" }, { query: 'select from "mark"' }];
    expect((await bench.post({ queries })).status).toBe(402);
    expect((await bench.post({ query: "select $1", params: ['from "mark"'] })).status).toBe(200);
  });

  test("a rule for a database hits no other", async () => {
    const { switchboard } = bench.neon;
    const fault: Fault = { kind: "quota" };
    switchboard.set({ fault, database: "another" }, { fault, database: "tests", matching: "7" });
    expect([await statusOf("select 6"), await statusOf("select 7")]).toEqual([200, 402]);
    expect(switchboard.hits()).toEqual([0, 1]);
  });

  test("a probability of 0 never hits, of 1 always", async () => {
    const { switchboard } = bench.neon;
    const fault: Fault = { kind: "quota" };
    switchboard.set({ fault, probability: 0 }, { fault, probability: 1, matching: "7" });
    expect([await statusOf("select 6"), await statusOf("select 7")]).toEqual([200, 402]);
    expect(switchboard.hits()).toEqual([0, 1]);
  });

  test("set() replaces all rules, and clear() removes them", async () => {
    const { switchboard } = bench.neon;
    switchboard.set({ fault: { kind: "edge", status: 521 } });
    switchboard.set({ fault: { kind: "edge", status: 522 } });
    expect(await statusOf("select 1")).toBe(522);
    switchboard.clear();
    expect(await statusOf("select 1")).toBe(200);
    expect(switchboard.hits()).toEqual([]);
  });

  test.each([
    '{"kind":"toString"}',
    '{"kind":"latency"}',
    '{"kind":"lingering-locks"}',
    '{"kind":"refused-by-postgres","sqlstate":"08006"}',
  ])("a rule from outside that is none is refused: %s", (json) => {
    const fault: Fault = JSON.parse(json);
    expect(() => bench.neon.switchboard.set({ fault })).toThrow(TypeError);
  });
});
