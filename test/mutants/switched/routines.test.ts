// Which routines a test comes by, and how one is replaced while its mutant is active.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { reachOf, type Replacement, RoutineSwitch } from "./routines.ts";

const FILES = new Map([
  ["drizzle/routines/mcp_open.sql", "CREATE FUNCTION mcp_open() … PERFORM mcp_total(1)"],
  ["drizzle/routines/mcp_total.sql", "… mcp_total …"],
  ["drizzle/routines/mcp_open_all.sql", "… mcp_open() …"],
  ["drizzle/routines/mcp_counted.sql", "… RETURNS trigger …"],
  ["drizzle/routines/mcp_counted_later.sql", "CREATE OR REPLACE TRIGGER mcp_counted_later … mcp_counted()"],
]);
const reached = (...names: string[]) =>
  [...reachOf(FILES)(names).keys()].map((file) => file.replace(/.*\/(.*)\.sql/, "$1")).toSorted();

test("a statement comes by the routines that it names, those that they name, and all triggers", () => {
  const triggers = ["mcp_counted", "mcp_counted_later"];
  expect(reached()).toEqual([]);
  expect(reached("mcp_sessions")).toEqual(triggers);
  expect(reached("mcp_total")).toEqual([...triggers, "mcp_total"]);
  expect(reached("mcp_open")).toEqual([...triggers, "mcp_open", "mcp_total"]);
  expect(reached("mcp_open_all", "mcp_runs")).toEqual([...triggers, "mcp_open", "mcp_open_all", "mcp_total"]);
});

test("what a statement names is nearer than what that names in its turn, and than a trigger", () => {
  const far = reachOf(FILES)(["mcp_open_all", "mcp_total"]);
  const of = (name: string) => far.get(`drizzle/routines/${name}.sql`);
  expect(["mcp_open_all", "mcp_total", "mcp_open", "mcp_counted"].map(of)).toEqual([0, 0, 1, 1]);
});

const FILE = "drizzle/routines/mcp_read_handle.sql";
const OTHER = "drizzle/routines/mcp_end_handle.sql";
const original = readFileSync(FILE, "utf8");
const said: { text: string | null; original: string }[] = [];
let isTaken = true;
const server = createServer((request, response) => {
  void (async () => {
    said.push((await json(request)) as (typeof said)[number]);
    response.writeHead(isTaken ? 200 : 500).end();
  })();
});
let turning: RoutineSwitch;
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  said.length = 0;
  isTaken = true;
  turning = new RoutineSwitch(() => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const change = {
    mutator: "number",
    start: 0,
    end: 0,
    replacement: "mutated ",
  } satisfies Partial<Replacement>;
  turning.expect({ a: { ...change, file: FILE }, b: { ...change, file: OTHER } });
});

test("it is there until another one is, or none", async () => {
  expect(await turning.turnTo(null)).toBe(true);
  expect(await turning.turnTo("unknown")).toBe(true);
  expect(said).toEqual([]);
  expect(await turning.turnTo("a")).toBe(true);
  expect(said).toEqual([{ text: `mutated ${original}`, original }]);
  await turning.turnTo("b");
  await turning.turnTo(null);
  await turning.turnTo(null);
  expect(said.map(({ text }) => text?.slice(0, 8) ?? null)).toEqual(["mutated ", null, "mutated ", null]);
});

test("one that PostgreSQL refuses is taken away again, and said", async () => {
  isTaken = false;
  expect(await turning.turnTo("a")).toBe(false);
  expect(said.map(({ text }) => text === null)).toEqual([false, true]);
  isTaken = true;
  expect(await turning.turnTo(null)).toBe(true);
  expect(said).toHaveLength(2);
});
