// How failures of PostgreSQL arrive: statements it refuses, connections it refuses, connections it loses.
import { neon } from "@neondatabase/serverless";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bench } from "./support/neon.ts";
import { startLocalNeon } from "../../dev/neon/server.ts";
import { anyFreePort } from "../../dev/ports.ts";
import { eventually, failureOf, refusal, startBench } from "./support/neon.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
  await bench.ask(
    "create table thing (id int primary key, of int references thing deferrable initially deferred)",
  );
  await bench.ask("alter table thing owner to tester");
});
afterAll(() => bench.stop());

const sleeping = () => bench.backends("query like '%pg_sleep%' and state = 'active'");

describe("a statement that PostgreSQL refuses", () => {
  test("is a 400 with all seventeen keys in Neon's order", async () => {
    const { status, headers, text } = await bench.post({ query: "select * from nowhere" });
    expect(status).toBe(400);
    expect(headers.get("content-type")).toBe("application/json");
    expect(text).toMatch(
      new RegExp(
        '^{"message":"relation \\\\"nowhere\\\\" does not exist","code":"42P01","detail":null,"hint":null,' +
          '"position":"15","internalPosition":null,"internalQuery":null,"severity":"ERROR","where":null,' +
          '"table":null,"column":null,"schema":null,"dataType":null,"constraint":null,' +
          '"file":"parse_relation.c","line":"\\d+","routine":"parserOpenTable"}$',
      ),
    );
  });

  test("has PostgreSQL's fields in the driver's error", async () => {
    await bench.sql`insert into thing values (1)`;
    await expect(bench.sql`insert into thing values (1)`).rejects.toMatchObject({
      name: "NeonDbError",
      code: "23505",
      severity: "ERROR",
      detail: "Key (id)=(1) already exists.",
      schema: "public",
      table: "thing",
      constraint: "thing_pkey",
    });
  });

  test("inside another one has the inner statement and the place in it", async () => {
    await expect(bench.sql`do $$ begin execute 'select missing'; end $$`).rejects.toMatchObject({
      code: "42703",
      internalQuery: "select missing",
      internalPosition: "8",
      position: undefined,
      where: expect.stringContaining("inline_code_block"),
    });
  });

  test.each([
    ["two statements", "select 1; select 2", [], "42601"],
    ["too few parameters", "select $1::int + $2::int", [1], "08P01"],
    ["too many parameters", "select 1", [1], "08P01"],
    ["a parameter of another type", "select $1::int", ["one"], "22P02"],
    ["a NUL in a parameter", "select $1::text", ["a\0b"], "22021"],
    ["a cast of its own", "select 1/0", [], "22012"],
    ["a constraint checked at its end", "insert into thing values (5, 6)", [], "23503"],
  ])("%s: %s %j is %s", async (_name, query, params, code) => {
    await expect(bench.sql.query(query, params)).rejects.toMatchObject({ code, severity: "ERROR" });
  });

  test("after some rows sends none of them", async () => {
    await expect(bench.sql`select 10 / (3 - i) from generate_series(1, 5) as i`).rejects.toMatchObject({
      code: "22012",
    });
  });

  test("leaves nothing of itself behind when the answer arrives", async () => {
    await expect(
      bench.sql`with held as (select pg_advisory_xact_lock(7)) select 1 / (count(*) - 1) from held`,
    ).rejects.toMatchObject({ code: "22012" });
    expect(await bench.ask("select pg_try_advisory_xact_lock(7) as free")).toEqual([{ free: true }]);
  });
});

test.each([
  ["COPY to the client", "copy thing to stdout", "unexpected message from server"],
  ["COPY from the client", "copy thing from stdin", "unexpected message from server"],
  ["a NUL in the SQL", "select 1 \0", "error encoding message to server: string contains embedded null"],
])("%s is refused without a code", async (_name, query, message) => {
  await expect(bench.sql.query(query)).rejects.toMatchObject({ message, code: "", severity: "" });
});

describe("a connection that is lost while a statement runs", () => {
  test("by pg_terminate_backend is 57P01", async () => {
    const failure = failureOf(bench.sql`select pg_sleep(60)`);
    await eventually(sleeping).toBe(1);
    await bench.ask(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'",
    );
    expect(await failure).toMatchObject({ name: "NeonDbError", code: "57P01", severity: "FATAL" });
  });

  test("by a crash is a 400 without a code, and the restarted server is found again", async () => {
    const wire = bench.post({ query: "select pg_sleep(60)" });
    await eventually(sleeping).toBe(1);
    await bench.postgres.stop("immediate");
    const { status, text } = await wire;
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({
      message: "connection closed",
      code: "",
      severity: "",
    });
    await bench.postgres.start();
    expect((await bench.sql`select 1 as one`).rows).toEqual([{ one: 1 }]);
  });
});

describe("a connection that cannot be had", () => {
  test("because PostgreSQL refuses it is a 500 with the SQLSTATE in its text only", async () => {
    await bench.ask("create role crowded login password 'pw' connection limit 0");
    const url = "postgresql://crowded:pw@ep-local.localhost/tests";
    const { status, text } = await bench.post({ query: "select 1" }, { "Neon-Connection-String": url });
    expect(status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({
      message: 'too many connections for role "crowded"',
      code: "53300",
      severity: "FATAL",
    });
    await expect(neon(url)`select 1`).rejects.toMatchObject({
      message: expect.stringMatching(/^Server error \(HTTP status 500\): \{.*"code":"53300"/),
      code: undefined,
    });
  });

  test("because PostgreSQL is stopped is said of the compute, and idle connections survive the restart", async () => {
    await Promise.all([bench.sql`select pg_sleep(0.01)`, bench.sql`select pg_sleep(0.01)`]);
    await bench.postgres.stop();
    const { status, text } = await bench.post({ query: "select 1" });
    expect(status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({
      message: "Couldn't connect to compute node",
      code: "",
      severity: "",
    });
    await bench.postgres.start();
    expect((await bench.sql`select 1 as one`).rows).toEqual([{ one: 1 }]);
  });

  test("because nothing listens is tried again, as often as it is told", async () => {
    const port = await anyFreePort();
    const late = { host: "127.0.0.1", port };
    const neons = await Promise.all(
      [4, 0].map((connectRetries) => startLocalNeon({ postgres: late, connectRetries })),
    );
    const [patient, hasty] = neons.map((one) => bench.post({ query: "select 1" }, {}, one.endpoint));
    // The first attempt of both has failed when one of them has given up.
    expect((await hasty)?.status).toBe(500);
    const { port: there } = bench.postgres;
    const door = createServer((socket) => {
      const inner = connect(there, "127.0.0.1");
      socket.pipe(inner).pipe(socket);
      for (const side of [socket, inner]) side.on("error", () => socket.destroy());
    }).listen(port, "127.0.0.1");
    expect((await patient)?.status).toBe(200);
    await Promise.all(neons.map((one) => one.close()));
    await new Promise((resolve) => door.close(resolve));
  });

  test("because it breaks before PostgreSQL has greeted is a loss, and no statement ran", async () => {
    const door = createServer((socket) => socket.once("data", () => socket.end())).listen(0, "127.0.0.1");
    await once(door, "listening");
    const { port } = door.address() as AddressInfo;
    const own = await startLocalNeon({ postgres: { host: "127.0.0.1", port }, connectRetries: 0 });
    expect(await bench.answer({ query: "select 1" }, {}, own.endpoint)).toEqual(
      refusal("connection closed", 500),
    );
    await own.close();
    await new Promise((resolve) => door.close(resolve));
  });

  test("because PostgreSQL was restarted in between does not show", async () => {
    await bench.sql`select 1`;
    await bench.postgres.start();
    expect((await bench.sql`select 1 as one`).rows).toEqual([{ one: 1 }]);
  });
});
