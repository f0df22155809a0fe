// Who is let in: passwords that are wrong, changed or expired, roles that may not log in. As Neon does it, which knows the
// passwords; and as well as it goes without knowing them.
import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import { readFault } from "../../src/db/read-fault.ts";
import type { Bench } from "./support/neon.ts";
import { eventually, failureOf, refusal, startBench } from "./support/neon.ts";

let bench: Bench;
let blind: LocalNeon;
beforeAll(async () => {
  bench = await startBench();
  blind = await startLocalNeon({ postgres: bench.postgres, connectRetries: 0 });
});
afterAll(async () => {
  await blind.close();
  await bench.stop();
});

const ONE = { query: "select 1" };
let roles = 0;

/** A role of the test's own, with what the driver sends for it. */
async function role(options = "") {
  const name = `role_${++roles}`;
  await bench.ask(`create role ${name} login password 'first' ${options}`);
  const url = (password: string) => `postgresql://${name}:${password}@ep-local.localhost/tests`;
  const ask = (password: string, endpoint = bench.neon.endpoint) =>
    bench.answer(ONE, { "Neon-Connection-String": url(password) }, endpoint);
  const fault = async (password: string) => readFault(await failureOf(neon(url(password))`select 1`), false);
  return { name, ask, fault, refused: refusal(`password authentication failed for user '${name}'`) };
}

const denied = { kind: "permission_denied", retryable: false, outcomeUnknown: false, answered: false };

test("an old password is refused at once, although a connection that it has opened is idle", async () => {
  const { name, ask, fault, refused } = await role();
  for (let i = 0; i < 2; i++) expect((await ask("first")).status).toBe(200);
  await bench.ask(`alter role ${name} password 'second'`);
  expect(await ask("first")).toEqual(refused);
  expect(await fault("first")).toEqual({ ...denied, httpStatus: 400 });
  expect((await ask("second")).status).toBe(200);
  await bench.ask(`alter role ${name} password null`);
  expect(await ask("second")).toEqual(refused);
});

test("a password with characters beyond ASCII is known too", async () => {
  const { name, ask, refused } = await role();
  await bench.ask(`alter role ${name} password 'pä$$ñ'`);
  const right = encodeURIComponent("pä$$ñ");
  expect((await ask(right)).status).toBe(200);
  expect((await ask(right)).status).toBe(200);
  expect(await ask(encodeURIComponent("pa$$n"))).toEqual(refused);
});

describe.each([
  ["a role that may not log in", "nologin", "28000", "is not permitted to log in"],
  ["a role that has expired", "valid until '2020-01-01'", "28P01", "password authentication failed for user"],
])("%s", (_name, options, code, message) => {
  test("is PostgreSQL's error with status 500, and needs an operator", async () => {
    const { name, ask, fault } = await role();
    await bench.ask(`alter role ${name} ${options}`);
    expect(await ask("first")).toMatchObject({
      status: 500,
      body: { code, severity: "FATAL", message: expect.stringContaining(message) },
    });
    expect(await fault("first")).toEqual({ ...denied, httpStatus: 500, sqlstate: code });
  });

  test("with a wrong password is a wrong password", async () => {
    const { name, ask, refused } = await role();
    await bench.ask(`alter role ${name} ${options}`);
    expect(await ask("wrong")).toEqual(refused);
  });
});

describe("without a superuser", () => {
  test("an old password is refused when it has to prove itself again, after a second", async () => {
    const { name, ask, refused } = await role();
    expect((await ask("first", blind.endpoint)).status).toBe(200);
    await bench.ask(`alter role ${name} password 'second'`);
    await eventually(() => ask("first", blind.endpoint)).toEqual(refused);
    expect((await ask("second", blind.endpoint)).status).toBe(200);
  });

  test("connections are shared all the same", async () => {
    const { name } = await role();
    const url = `postgresql://${name}:first@ep-local.localhost/tests`;
    const pids = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const query = "select pg_backend_pid()";
      pids.add((await bench.post({ query }, { "Neon-Connection-String": url }, blind.endpoint)).text);
    }
    expect(pids.size).toBeLessThan(20);
  });

  test("an expired role looks like a wrong password, and one that may not log in does not", async () => {
    const { name, ask, refused } = await role("valid until '2020-01-01'");
    expect(await ask("first", blind.endpoint)).toEqual(refused);
    await bench.ask(`alter role ${name} valid until 'infinity' nologin`);
    expect(await ask("first", blind.endpoint)).toMatchObject({ status: 500, body: { code: "28000" } });
  });
});

test("a superuser that cannot be asked changes nothing for those who are let in", async () => {
  const superuser = { user: "nobody", password: "none" };
  const own = await startLocalNeon({ postgres: bench.postgres, superuser, connectRetries: 0 });
  const { ask } = await role();
  expect((await ask("first", own.endpoint)).status).toBe(200);
  expect((await ask("first", own.endpoint)).status).toBe(200);
  expect((await ask("wrong", own.endpoint)).status).toBe(400);
  await own.close();
});
