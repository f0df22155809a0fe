// Every fault of Neon's against handles: the tool fails with the kind of the fault, and what it wanted is done whole or not at all;
// when the fault is over, it is done once.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Fault } from "../../dev/neon/switchboard.ts";
import { toolCall } from "../handles/modern.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { databaseRequests, faultHits, setFaults } from "../support/worker.ts";
import { type Case, casesOf, each, env, rows, strike, whileItLasts } from "./cases.ts";

afterEach(() => setFaults());

// The shortest delays between attempts.
beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});

interface HandleCase extends Case {
  handle: string;
  worker: Env;
}

const withHandles = { MCP_HANDLES: "true" };
const fresh = ({ database }: Case) => database.env(withHandles);

async function handleCases(chosen = rows): Promise<HandleCase[]> {
  const cases = await casesOf(chosen, false);
  const made: HandleCase[] = [];
  for (const one of cases) {
    const { is } = await toolCall(fresh(one), "handle_make", { kind: "cart", value: 1 });
    const { handle } = is as { handle: string };
    made.push({ ...one, handle: keepSecret(handle), worker: { ...env(one), ...withHandles } });
  }
  return made;
}

/** What a tool says of a verb, or how it has failed. */
const says =
  (name: string, input: (one: HandleCase) => object = ({ handle }) => ({ handle })) =>
  (one: Case) => {
    const own = one as HandleCase;
    return toolCall(own.worker, `handle_${name}`, input(own)).catch((error: Error) => error.message);
  };

const failed = (what: string) => (cases: Case[]) =>
  each(cases, ({ fault, reason }) => `${what} failed: ${reason}${sqlstateOf(fault)}`);

const now = async (one: Case) => {
  const { is } = await toolCall(fresh(one), "handle_read", { handle: (one as HandleCase).handle });
  return (is as { value: unknown } | null)?.value ?? null;
};

describe("while a fault lasts", () => {
  test("nobody gets a handle, and at most one row is left that nobody knows", async () => {
    const cases = await handleCases();
    const make = says("make", () => ({ kind: "cart", value: 2 }));
    expect(await whileItLasts(cases, make, { matching: "mcp_make_handle" })).toEqual(
      await failed("making a handle")(cases),
    );
    const others = async ({ database }: Case) =>
      (await database.query("SELECT FROM mcp_handles WHERE value = '2'")).length;
    expect(await each(cases, others)).toEqual(await each(cases, ({ commits = false }) => (commits ? 1 : 0)));
  });

  test("what cannot be read is not lost", async () => {
    const cases = await handleCases();
    expect(await whileItLasts(cases, says("read"), { matching: "mcp_read_handle" })).toEqual(
      await failed("reading a handle")(cases),
    );
    expect(await each(cases, now)).toEqual(await each(cases, () => 1));
  });

  test("a change is made whole or not at all", async () => {
    const cases = await handleCases();
    const change = says("change", ({ handle }) => ({ handle, value: 2, if_version: 1 }));
    expect(await whileItLasts(cases, change, { matching: "mcp_change_handle" })).toEqual(
      await failed("changing a handle")(cases),
    );
    expect(await each(cases, now)).toEqual(await each(cases, ({ commits = false }) => (commits ? 2 : 1)));
  });

  test("an end that nobody heard of has happened once or not at all", async () => {
    const cases = await handleCases();
    expect(await whileItLasts(cases, says("end"), { matching: "mcp_end_handle" })).toEqual(
      await failed("ending a handle")(cases),
    );
    expect(await each(cases, now)).toEqual(await each(cases, ({ commits = false }) => (commits ? null : 1)));
  });

  test("a list is not given", async () => {
    const cases = await handleCases();
    expect(
      await whileItLasts(
        cases,
        says("list", () => ({})),
        { matching: "FROM mcp_handles" },
      ),
    ).toEqual(await failed("listing handles")(cases));
  });
});

test("when a fault hits once, everything is answered as if nothing had happened, with one attempt more, and done once", async () => {
  const cases = await handleCases(rows.filter(({ isRetried }) => isRetried !== false));
  const hit = async <T>(work: (one: Case) => Promise<T>, requests: number, matching: string) => {
    await strike(cases, { times: 1, matching });
    const before = await databaseRequests();
    const outcomes = await each(cases, work);
    expect(await faultHits()).toEqual(cases.map(() => 1));
    expect((await databaseRequests()) - before).toBe(cases.length * (requests + 1));
    await setFaults();
    return outcomes;
  };
  const all = <T>(value: T) => each(cases, () => value);
  const time = expect.any(String);

  const read = { is: { kind: "cart", value: 1, version: 1, expiresAt: time } };
  expect(await hit(says("read"), 1, "mcp_read_handle")).toEqual(await all(read));
  const change = says("change", ({ handle }) => ({ handle, value: 2, if_version: 1 }));
  expect(await hit(change, 1, "mcp_change_handle")).toEqual(
    await all({ is: { version: 2, expiresAt: time } }),
  );
  expect(await hit(says("increment"), 2, "mcp_change_handle")).toEqual(
    await all({ is: { kind: "cart", value: 3, version: 3, expiresAt: time } }),
  );
  const made = await hit(
    says("make", () => ({ kind: "cart", value: 5 })),
    1,
    "mcp_make_handle",
  );
  expect(made).toEqual(await all({ is: { handle: time, version: 1, expiresAt: time } }));
  const list = (await hit(
    says("list", () => ({})),
    1,
    "FROM mcp_handles",
  )) as Record<string, { is: unknown[] }>;
  expect(Object.values(list).map(({ is }) => is.length)).toEqual(cases.map(() => 2));
  expect(await hit(says("end"), 1, "mcp_end_handle")).toEqual(await all({ is: true }));
  const totals = async ({ database }: Case) =>
    database.query(
      "SELECT name, sum(value)::int AS total FROM mcp_session_totals WHERE name LIKE 'handles%' GROUP BY name ORDER BY name",
    );
  expect(await each(cases, totals)).toEqual(
    await all([
      { name: "handles_ended/client", total: 1 },
      { name: "handles_made", total: 2 },
    ]),
  );
});

function sqlstateOf(fault: Fault): string {
  if (fault.kind === "lingering-locks") return " (SQLSTATE 40001)";
  return fault.kind === "refused-by-postgres" ? ` (SQLSTATE ${fault.sqlstate})` : "";
}
