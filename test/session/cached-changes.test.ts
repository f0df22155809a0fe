// What a change makes the cache forget, and what it leaves there.
import { expect, test } from "vitest";
import { createCachedStore } from "../../src/session/cached-store.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import type { Session } from "../../src/session/session.ts";
import type { SessionStore } from "../../src/session/store.ts";
import { callTool, mcp, open } from "../support/mcp.ts";
import { createDatabase } from "../support/worker.ts";

const TRUSTING = { MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60" };

test("a log level holds at once where it is set, and elsewhere after the interval", async () => {
  const database = await createDatabase();
  const [here, elsewhere] = [database.env(TRUSTING), database.env(TRUSTING)];
  const session = await open(here);
  const levelOn = async (env: Env) =>
    (await callTool(env, session, "session_info")).structuredContent?.["log_level"];
  for (const env of [here, elsewhere]) expect(await levelOn(env)).toBeNull();
  await mcp(here, { method: "logging/setLevel", params: { level: "warning" } }, { session });
  expect(await levelOn(here)).toBe("warning");
  expect(await levelOn(elsewhere)).toBeNull();
  // An env of its own has a cache of its own, as an isolate after the interval does.
  expect(await levelOn(database.env(TRUSTING))).toBe("warning");
});

const later = new Date("2027-01-01T00:00:00Z");
const sessionOf = (key: string, principal = "alice"): Session => ({
  ...unknownSession(key, principal, undefined, later),
  isDegraded: false,
});

/** A cache that has found sessions `a` and `b` of alice and `c` of bob, over a store that only counts what it is asked. */
async function filled(over: Partial<SessionStore> = {}) {
  const asked: string[] = [];
  const beneath: SessionStore = {
    open: async () => 0,
    resume: async (key, principal) => {
      asked.push(key);
      return sessionOf(key, principal);
    },
    end: async () => true,
    list: async () => [],
    endOthers: async () => 1,
    setLogLevel: async () => {},
    ...over,
  };
  let time = Date.parse("2026-11-23T12:00:00Z");
  const store = createCachedStore(beneath, { intervalSeconds: 60, now: () => new Date(time) });
  const all = [
    ["a", "alice"],
    ["b", "alice"],
    ["c", "bob"],
  ] as const;
  const use = async () => {
    asked.length = 0;
    for (const [key, principal] of all) await store.resume(key, principal);
    return [...asked];
  };
  await use();
  return { store, use, pass: (ms: number) => (time += ms) };
}

test.each<[string, Partial<SessionStore>, (store: SessionStore) => Promise<unknown>, string[]]>([
  ["a use", {}, (store) => store.resume("a", "alice"), []],
  ["a list", {}, (store) => store.list("alice"), []],
  ["a log level of one", {}, (store) => store.setLogLevel(sessionOf("a"), "error"), ["a"]],
  ["an end of one", {}, (store) => store.end("a", "alice"), ["a"]],
  ["an end that found nothing", { end: async () => false }, (store) => store.end("a", "alice"), ["a"]],
  ["an end by another principal", { end: async () => false }, (store) => store.end("a", "bob"), []],
  ["an end of all but one", {}, (store) => store.endOthers("alice", "b"), ["a"]],
  ["an end of all", {}, (store) => store.endOthers("alice", undefined), ["a", "b"]],
  ["an opening", {}, (store) => store.open(sessionOf("new")), []],
  ["an opening that evicts", { open: async () => 1 }, (store) => store.open(sessionOf("new")), ["a", "b"]],
])("after %s exactly the sessions that it may have changed are asked for", async (_, over, change, asked) => {
  const { store, use } = await filled(over);
  expect(await use()).toEqual([]);
  await change(store);
  expect(await use()).toEqual(asked);
  expect(await use()).toEqual([]);
});

test("an operator's end makes those of its principal alone be asked for", async () => {
  const { store, use } = await filled();
  store.forgetAll("alice");
  expect(await use()).toEqual(["a", "b"]);
});

test("what the store no longer has is not recalled, and a question of another principal changes nothing", async () => {
  let isThere = true;
  const { store, pass } = await filled({
    resume: async (key, principal) =>
      isThere && principal === "alice" ? sessionOf(key, principal) : undefined,
  });
  expect(await store.resume("a", "bob")).toBeUndefined();
  expect(store.recall("a", "alice")).toEqual(sessionOf("a"));
  isThere = false;
  pass(60_000);
  expect(await store.resume("a", "bob")).toBeUndefined();
  expect(store.recall("a", "alice")).toEqual(sessionOf("a"));
  expect(await store.resume("a", "alice")).toBeUndefined();
  expect(store.recall("a", "alice")).toBeUndefined();
});

test.each<[string, (store: SessionStore) => Promise<unknown>]>([
  ["its log level is set", (store) => store.setLogLevel(sessionOf("a"), "error")],
  ["the others are ended", (store) => store.endOthers("alice", undefined)],
])("a validation in flight while %s does not put what was before back into the cache", async (_, change) => {
  const answers: (() => void)[] = [];
  const beneath = async (key: string) =>
    new Promise<Session>((resolve) => {
      answers.push(() => resolve(sessionOf(key)));
    });
  const store = createCachedStore(
    {
      open: async () => 0,
      resume: beneath,
      end: async () => true,
      list: async () => [],
      endOthers: async () => 1,
      setLogLevel: async () => {},
    },
    { intervalSeconds: 60, now: () => new Date("2026-11-23T12:00:00Z") },
  );
  const inFlight = store.resume("a", "alice");
  await change(store);
  answers[0]?.();
  await inFlight;
  void store.resume("a", "alice");
  expect(answers).toHaveLength(2);
});

test("a session is remembered as ended only when it was ended", async () => {
  const { store } = await filled({ end: async () => false });
  await store.end("a", "alice");
  expect(store.recall("a", "alice")).toBeUndefined();
  await store.endOthers("alice", "b");
  expect(store.recall("b", "alice")).toEqual(sessionOf("b"));
});
