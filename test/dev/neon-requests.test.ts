// What the local Neon takes and what it refuses before PostgreSQL sees a statement: routes, headers, the
// connection string, bodies, sizes.
import { neon } from "@neondatabase/serverless";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLocalNeon } from "../../dev/neon/server.ts";
import type { Bench } from "./support/neon.ts";
import { eventually, refusal, startBench } from "./support/neon.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.stop());

const ONE = { query: "select 1" };

describe("routes", () => {
  test("OPTIONS /sql answers the preflight of a browser", async () => {
    const response = await fetch(bench.neon.endpoint, { method: "OPTIONS" });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      allow: "OPTIONS, POST",
      "access-control-allow-origin": "*",
      "access-control-allow-headers": expect.stringContaining("Neon-Connection-String"),
      "access-control-max-age": "86400",
    });
    expect(await response.text()).toBe("");
  });

  test.each([
    ["GET", "/sql"],
    ["PUT", "/sql"],
    ["POST", "/"],
    ["POST", "/sql/"],
    ["OPTIONS", "/v2"],
  ])("%s %s is not supported", async (method, path) => {
    const response = await fetch(new URL(path, bench.neon.endpoint), { method });
    expect([response.status, await response.text()]).toEqual([400, '"query is not supported"']);
  });

  test("every answer has an id of its own and may be read from any origin", async () => {
    const answers = [await bench.post(ONE), await bench.post(ONE), await bench.post("{")];
    const ids = answers.map(({ headers }) => headers.get("neon-request-id"));
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    expect(answers.map(({ headers }) => headers.get("access-control-allow-origin"))).toEqual(["*", "*", "*"]);
  });

  test("requests() counts what reached POST /sql, whatever came of it", async () => {
    bench.neon.resetRequests();
    await bench.post(ONE);
    await bench.post("{");
    await fetch(bench.neon.endpoint, { method: "OPTIONS" });
    await fetch(new URL("/", bench.neon.endpoint), { method: "POST" });
    expect(bench.neon.requests()).toBe(2);
  });
});

describe("headers", () => {
  test.each([
    [{ "Neon-Connection-String": null }, "invalid header: neon-connection-string"],
    [{ Authorization: "Bearer x" }, "missing authentication credentials: required password"],
    [{ "Neon-Batch-Isolation-Level": "serializable" }, "invalid isolation level"],
    [{ "Neon-Batch-Isolation-Level": "toString" }, "invalid isolation level"],
    [{ "Neon-Raw-Text-Output": "1" }, expect.stringContaining("no other mode")],
    [{ "Neon-Array-Mode": null }, expect.stringContaining("no other mode")],
  ])("%j: %s", async (headers, message) => {
    expect(await bench.answer(ONE, headers)).toEqual(refusal(message));
  });

  test.each([
    ["not a url", "invalid connection string: not a URL"],
    ["mysql://u:p@ep/db", "incorrect scheme"],
    ["postgresql://u:p@ep", "missing database name"],
    ["postgresql://:p@ep/db", "missing username"],
    ["postgresql://u@ep/db", "missing authentication credentials: required password"],
    ["postgresql://u:p@127.0.0.1/db", "missing hostname"],
    ["postgresql://u:p@[::1]/db", "missing hostname"],
    ["postgresql:///db", "missing username"],
  ])("Neon-Connection-String: %s: %s", async (value, message) => {
    expect(await bench.answer(ONE, { "Neon-Connection-String": value })).toEqual(refusal(message));
  });
});

describe("the connection string", () => {
  test("its port and all of its parameters mean nothing", async () => {
    const url = bench.url.replace(".localhost/", ".localhost:1/").concat("?");
    const parameters = new URLSearchParams({
      options: "-c statement_timeout=1",
      application_name: "mine",
      sslmode: "require",
      host: "elsewhere",
    });
    const { rows } = await neon(`${url}${parameters}`, { fullResults: true })`
      select current_setting('statement_timeout') as timeout, current_setting('application_name') as name`;
    expect(rows).toEqual([{ timeout: "0", name: "" }]);
  });

  test("postgres:// is postgresql://", async () => {
    const header = { "Neon-Connection-String": bench.url.replace("postgresql:", "postgres:") };
    expect((await bench.post(ONE, header)).status).toBe(200);
  });

  test.each([
    ["a wrong password", "tester:wrong", "tester"],
    ["a role that does not exist", "no%20body:x", "no body"],
  ])("%s is refused, also while a connection of the role idles", async (_name, userinfo, user) => {
    await bench.sql`select 1`;
    const value = `postgresql://${userinfo}@ep-local.localhost/tests`;
    expect(await bench.answer(ONE, { "Neon-Connection-String": value })).toEqual(
      refusal(`password authentication failed for user '${user}'`),
    );
  });

  test("a database that does not exist is PostgreSQL's 3D000 with status 400", async () => {
    await expect(neon(bench.url.replace(/tests$/, "no%20where"))`select 1`).rejects.toMatchObject({
      name: "NeonDbError",
      code: "3D000",
      severity: "FATAL",
      message: 'database "no where" does not exist',
    });
  });
});

describe("bodies", () => {
  const NO_VARIANT =
    "could not parse the HTTP request body: data did not match any variant of untagged enum Payload";

  test.each([
    ["nothing", ""],
    ["no JSON", "select 1"],
    ["half of one", '{"query":"select 1"'],
    ["a byte order mark", '\uFEFF{"query":"select 1"}'],
    ["half of a surrogate pair", '{"query":"select $1","params":["\\ud83d"]}'],
    ["half of a surrogate pair as a key", '{"query":"select $1","params":[{"\\uDC0E":1}]}'],
    ["broken UTF-8", Buffer.from([...Buffer.from('{"query":"'), 0xff, ...Buffer.from('"}')])],
  ])("%s is refused", async (_name, body) => {
    const message = expect.stringMatching(/^could not parse the HTTP request body: (?!data did not match)./);
    expect(await bench.answer(body)).toEqual(refusal(message));
  });

  test.each([
    [null],
    [[]],
    [{}],
    [{ query: 1 }],
    [{ query: "select 1", params: null }],
    [{ query: "select 1", params: "1" }],
    [{ query: "select 1", arrayMode: "no" }],
    [{ queries: {} }],
    [{ queries: [{ query: "select 1" }, {}] }],
  ])("%j is neither a statement nor a batch", async (body) => {
    expect(await bench.answer(body)).toEqual(refusal(NO_VARIANT));
  });

  test("both halves of a surrogate pair are one character", async () => {
    const { text } = await bench.post('{"query":"select $1::text","params":["\\ud83d\\udc0e"]}');
    expect(JSON.parse(text)).toMatchObject({ rows: [["🐎"]] });
  });

  test("a body that reads as one statement is one, whatever else it has", async () => {
    const body = { query: "select 1", queries: [], arrayMode: true, fetch: { deep: [] } };
    expect(JSON.parse((await bench.post(body)).text)).toMatchObject({ rows: [["1"]], rowAsArray: true });
  });

  test("rows as objects are refused, also for one statement of a batch", async () => {
    const objects = { query: "select 1", arrayMode: false };
    const refused = refusal(expect.stringContaining("arrayMode"));
    expect(await bench.answer(objects)).toEqual(refused);
    expect(await bench.answer({ queries: [ONE, objects] })).toEqual(refused);
  });
});

describe("sizes", () => {
  test("a request may have exactly the largest size, and one byte more is 413", async () => {
    const body = JSON.stringify({ query: "select 1" });
    const small = await startLocalNeon({ postgres: bench.postgres, maxRequestBytes: body.length });
    try {
      expect((await bench.post(body, {}, small.endpoint)).status).toBe(200);
      expect(await bench.answer(`${body} `, {}, small.endpoint)).toEqual(
        refusal(`request is too large (max is ${body.length} bytes)`, 413),
      );
    } finally {
      await small.close();
    }
  });

  test("413 comes before the body is read, and ends the connection", async () => {
    const small = await startLocalNeon({ postgres: bench.postgres, maxRequestBytes: 100 });
    const socket = connect(small.port, "127.0.0.1");
    const head = [
      "POST /sql HTTP/1.1",
      "Host: api",
      `Neon-Connection-String: ${bench.url}`,
      "Neon-Raw-Text-Output: true",
      "Neon-Array-Mode: true",
    ];
    socket.write([...head, "Content-Length: 101", "", ""].join("\r\n"));
    // It ends although not one byte of the body was sent.
    const answer = await textOf(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    expect(answer).toContain('"request is too large (max is 100 bytes)"');
    await small.close();
  });

  test("a body of unknown length is refused at the first byte that is too many", async () => {
    const small = await startLocalNeon({ postgres: bench.postgres, maxRequestBytes: 100 });
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(Buffer.alloc(60, " ")),
    });
    const sent = fetch(small.endpoint, {
      method: "POST",
      headers: {
        "Neon-Connection-String": bench.url,
        "Neon-Raw-Text-Output": "true",
        "Neon-Array-Mode": "true",
      },
      body: endless,
      duplex: "half",
    } as RequestInit);
    const outcome = await sent.then(
      ({ status }) => status,
      (error: Error) => error.message,
    );
    expect([413, "fetch failed"]).toContain(outcome);
    await small.close();
  });

  test("headers are refused before a body that is too large", async () => {
    const small = await startLocalNeon({ postgres: bench.postgres, maxRequestBytes: 1 });
    const headers = { "Neon-Connection-String": "mysql://u:p@ep/db" };
    expect(await bench.answer(ONE, headers, small.endpoint)).toEqual(refusal("incorrect scheme"));
    await small.close();
  });

  test("the default limits are 10 MiB in either direction", async () => {
    const limit = 10 * 1024 * 1024;
    const text = "x".repeat(limit - 1000);
    const { rows } = await bench.sql`select md5(${text}) as hash`;
    expect(rows).toEqual([{ hash: createHash("md5").update(text).digest("hex") }]);
    // A client that still sends when the connection is closed sees that instead of the answer.
    await expect(bench.sql`select ${"x".repeat(limit)}`).rejects.toThrow(/HTTP status 413|fetch failed/);
    const { rows: wide } =
      await bench.sql`select repeat('x', ${limit - 1000}) as x from generate_series(1, 2)`;
    expect(wide).toHaveLength(2);
    await expect(bench.sql`select repeat('x', ${limit}) from generate_series(1, 2)`).rejects.toThrow(
      /HTTP status 507/,
    );
  });

  test("a response that is too large is refused before its next row, and its query stops", async () => {
    const query = "select repeat('x', 1000), generate_series(1, 1e9::bigint)";
    const refused = refusal("response is too large (max is 10485760 bytes)", 507);
    expect(await bench.answer({ query })).toEqual(refused);
    await eventually(() => bench.backends("query like '%generate_series%'")).toBe(0);
  });

  const three = { query: "select repeat('x', 100) from generate_series(1, 3)" };
  test.each([
    ["one statement", three],
    ["the last one of a batch", { queries: [three, ONE, three] }],
  ])("the limit of a response is for the whole JSON, as far as it has come: %s", async (_name, body) => {
    const { text: whole } = await bench.post(body);
    // Before the last row, and without the comma.
    const length = whole.lastIndexOf(',["xxx');
    for (const [maxResponseBytes, status] of [
      [length, 200],
      [length - 1, 507],
    ] as const) {
      const own = await startLocalNeon({ postgres: bench.postgres, maxResponseBytes });
      expect((await bench.post(body, {}, own.endpoint)).status).toBe(status);
      await own.close();
    }
  });

  test("a batch that is too large is rolled back", async () => {
    const small = await startLocalNeon({ postgres: bench.postgres, maxResponseBytes: 1000 });
    try {
      const wide = { query: "select repeat('x', 600)" };
      const queries = [{ query: "create table too_wide ()" }, wide, wide, wide];
      const refused = refusal("response is too large (max is 1000 bytes)", 507);
      expect(await bench.answer({ queries }, {}, small.endpoint)).toEqual(refused);
      expect(await bench.ask("select to_regclass('too_wide') as t")).toEqual([{ t: null }]);
    } finally {
      await small.close();
    }
  });
});

test("a port that is taken is said to be", async () => {
  const { port } = bench.neon;
  await expect(startLocalNeon({ postgres: bench.postgres, port })).rejects.toMatchObject({
    code: "EADDRINUSE",
    message: expect.stringContaining(String(port)),
  });
});
