// The marks that show which statements a test comes by.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { marked, Marks } from "./marks.ts";

const FILE = "drizzle/routines/mcp_read_handle.sql";

test("a routine writes a mark before each statement", () => {
  expect(marked("drizzle/routines/mcp_f.sql", "AS $$ BEGIN IF a THEN b := 1; END IF; RETURN; END $$")).toBe(
    "AS $$ BEGIN RAISE LOG 'come by mcp_f 0'; IF a THEN RAISE LOG 'come by mcp_f 1'; b := 1; END IF; " +
      "RAISE LOG 'come by mcp_f 2'; RETURN; END $$",
  );
});

test("one of a single query stays as it is", () => {
  const query = "AS $$ SELECT 1; $$ LANGUAGE sql";
  expect(marked("drizzle/routines/mcp_f.sql", query)).toBe(query);
});

let log = "";
const said: [path: string, body: unknown][] = [];
const server = createServer((request, response) => {
  void (async () => {
    said.push([request.url ?? "", await json(request)]);
    response.end(JSON.stringify(request.url === "/log" ? log : null));
    log = "";
  })();
});
let marks: Marks;
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  said.length = 0;
  log = "";
  marks = new Marks(() => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
const lines = (...numbers: number[]) => numbers.map((n) => `LOG:  come by mcp_f ${n}\n`).join("");

test("what is written belongs to the test that runs, also when it runs twice, and what is before it to none", async () => {
  await marks.turnOn([FILE]);
  log = lines(9);
  await marks.begin("a");
  log = lines(1, 2, 2);
  await marks.begin("b");
  log = lines(3);
  await marks.begin("a");
  log = lines(4);
  await marks.begin(undefined);
  log = lines(5);
  await marks.begin("c");
  await marks.begin(undefined);
  expect([marks.take("a"), marks.take("b"), marks.take("c")]).toEqual([
    ["mcp_f 1", "mcp_f 2", "mcp_f 4"],
    ["mcp_f 3"],
    [],
  ]);
  expect(marks.take("a")).toEqual([]);
});

test("without routines nothing is asked, and in the end they are as they were", async () => {
  await marks.turnOn([]);
  await marks.begin("a");
  expect(said).toEqual([]);
  await marks.turnOn([FILE]);
  await marks.turnOn([]);
  await marks.turnOn([]);
  await marks.begin("a");
  expect(said.map(([path, body]) => [path, (body as { text: string | null }).text === null])).toEqual([
    ["/routine", false],
    ["/routine", true],
  ]);
});
