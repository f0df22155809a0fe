// Changes of session state that meet each other.
import { expect, test } from "vitest";
import type { Json } from "../../src/mcp/context.ts";
import { callTool, open, rowsOf } from "../support/mcp.ts";
import { createDatabase, databaseRequests, setFaults } from "../support/worker.ts";

async function opened() {
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  const call = (name: string, input?: object, isolate = env) => callTool(isolate, session, name, input);
  const content = async (name: string, input?: object) => (await call(name, input)).structuredContent;
  return { database, call, content };
}

const hundred = Array.from({ length: 100 });

test("a hundred increments at once give a hundred", async () => {
  const { call, content } = await opened();
  const answers = await Promise.all(hundred.map(() => call("session_state_increment", { key: "n" })));
  expect(answers.filter(({ isError }) => isError)).toEqual([]);
  expect(await content("session_state_get", { key: "n" })).toEqual({ found: true, value: 100, version: 100 });
  // Each of them has written one of the values.
  const values = answers.map(({ structuredContent }) => Number(structuredContent?.["value"]));
  expect(values.toSorted((a, b) => a - b)).toEqual(hundred.map((_, i) => i + 1));
});

test("two isolates at once lose no increment either", async () => {
  const { database, call, content } = await opened();
  // An env of its own has an app and stores of its own, as another isolate does.
  const isolates = [database.env(), database.env()];
  const answers = await Promise.all(
    hundred.map((_, i) => call("session_state_increment", { key: "n" }, isolates[i % 2])),
  );
  expect(answers.filter(({ isError }) => isError)).toEqual([]);
  expect(await content("session_state_get", { key: "n" })).toMatchObject({ value: 100 });
});

test("reading and then writing without a version loses updates, which is why there is `update`", async () => {
  const { call, content } = await opened();
  await Promise.all(hundred.map(() => call("get_then_set", { key: "n" })));
  const entry = await content("session_state_get", { key: "n" });
  expect(Number(entry?.["value"])).toBeLessThan(100);
});

test("an increment whose answers are lost after the commit counts once", async () => {
  const { content } = await opened();
  await content("session_state_increment", { key: "n" });
  await setFaults({ fault: { kind: "lost-after-commit" }, matching: "UPDATE mcp_sessions s", times: 1 });
  expect(await content("session_state_increment", { key: "n" })).toMatchObject({ value: 2, version: 2 });
  await setFaults();
  expect(await content("session_state_get", { key: "n" })).toMatchObject({ value: 2, version: 2 });
});

test("a write or a deletion whose answer is lost after the commit is done once", async () => {
  const { database, content } = await opened();
  const lose = (times: number) =>
    setFaults({ fault: { kind: "lost-after-commit" }, matching: "UPDATE mcp_sessions s", times });
  await lose(2);
  expect(await content("session_state_set", { key: "k", value: "a" })).toMatchObject({ version: 1 });
  expect((await rowsOf(database))[0]?.["state_version"]).toBe("1");
  await lose(2);
  expect(await content("session_state_delete", { key: "k" })).toEqual({ deleted: true });
  expect((await rowsOf(database))[0]?.["state_version"]).toBe("2");
  await setFaults();
});

test("a change without a rival takes two statements", async () => {
  const { content } = await opened();
  const before = await databaseRequests();
  await content("session_state_increment", { key: "n" });
  // The session is resumed, the value read and written.
  expect((await databaseRequests()) - before).toBe(3);
});

test("a write with a version writes only over that version", async () => {
  const { call, content } = await opened();
  const mismatch = "The value has been changed meanwhile; nothing was written";
  const refusal = async (name: string, input: object) => {
    const { isError, content: texts } = await call(name, input);
    return [isError, texts[0]?.text];
  };
  const set = (value: Json, if_version?: number) => ({ key: "k", value, if_version });

  // 0: only if there is none.
  expect(await refusal("session_state_set", set("a", 1))).toEqual([true, mismatch]);
  expect(await content("session_state_set", set("a", 0))).toMatchObject({ version: 1 });
  expect(await refusal("session_state_set", set("b", 0))).toEqual([true, mismatch]);
  expect(await content("session_state_set", set("b", 1))).toMatchObject({ version: 2 });
  expect(await refusal("session_state_set", set("c", 1))).toEqual([true, mismatch]);
  expect(await content("session_state_get", { key: "k" })).toEqual({ found: true, value: "b", version: 2 });

  // Another key has its own version, and does not disturb this one.
  await content("session_state_set", { key: "other", value: 1 });
  expect(await content("session_state_set", set("c", 2))).toMatchObject({ version: 4 });

  expect(await refusal("session_state_delete", { key: "k", if_version: 2 })).toEqual([true, mismatch]);
  expect(await content("session_state_delete", { key: "k", if_version: 4 })).toEqual({ deleted: true });
  // A value that is written again has a version that it never had.
  expect(await content("session_state_set", set("d"))).toMatchObject({ version: 6 });
});

test("a document of before there were versions counts as written once", async () => {
  const { database, content } = await opened();
  await database.query(`UPDATE mcp_sessions SET state = '{"k": 1, "l": 2}'`);
  expect(await content("session_state_get", { key: "k" })).toEqual({ found: true, value: 1, version: 1 });
  expect(await content("session_state_set", { key: "k", value: 2, if_version: 1 })).toMatchObject({
    version: 2,
  });
  expect(await content("session_state_get", { key: "l" })).toEqual({ found: true, value: 2, version: 1 });
  expect((await rowsOf(database))[0]?.["state_version"]).toBe("2");
});
