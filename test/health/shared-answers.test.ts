// HEALTH_MAX_AGE_SECONDS: what may be told twice, and for how long.
import { Hono } from "hono";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sharedAnswers } from "../../src/health/shared-answers.ts";
import { addTrigger } from "../support/owner.ts";
import { bearer, createDatabase, databaseRequests, keys, send, setFaults } from "../support/worker.ts";

// The cache outlives a test, and its key has the host.
let hosts = 0;
const newOrigin = () => `https://health-${++hosts}.test`;
const ask = (env: Env, origin: string, path = "/session-health", key: string = keys.health) =>
  send(env, path, bearer(key), origin);

afterEach(() => {
  vi.useRealTimers();
});

test("an answer is shared for as long as it may be, and says its age", async () => {
  const env = (await createDatabase()).env({ HEALTH_MAX_AGE_SECONDS: "60" });
  const origin = newOrigin();
  const before = await databaseRequests();
  vi.useFakeTimers({ toFake: ["Date"] });
  const first = await ask(env, origin);
  expect(first.headers.get("Age")).toBeNull();
  const body = await first.text();
  vi.setSystemTime(Date.now() + 59_000);
  const second = await ask(env, origin, "/session-health?cache-buster=1");
  expect(second.headers.get("Age")).toBe("59");
  expect(second.headers.get("Cache-Control")).toBe("no-store");
  expect(second.headers.get("Content-Type")).toBe("application/json");
  expect(await second.text()).toBe(body);
  expect((await databaseRequests()) - before).toBe(1);
  vi.setSystemTime(Date.now() + 1000);
  expect((await ask(env, origin)).headers.get("Age")).toBeNull();
  expect((await databaseRequests()) - before).toBe(2);
});

test("an answer of the future is not shared: a clock was set back", async () => {
  const env = (await createDatabase()).env({ HEALTH_MAX_AGE_SECONDS: "60" });
  const origin = newOrigin();
  vi.useFakeTimers({ toFake: ["Date"] });
  await ask(env, origin);
  vi.setSystemTime(Date.now() - 1000);
  expect((await ask(env, origin)).headers.get("Age")).toBeNull();
});

test("without it every request asks", async () => {
  const env = (await createDatabase()).env();
  const origin = newOrigin();
  const before = await databaseRequests();
  for (let i = 0; i < 3; i++) await ask(env, origin);
  expect((await databaseRequests()) - before).toBe(3);
});

test("a verbose answer is another one, and neither is for a key without the scope", async () => {
  const env = (await createDatabase()).env({ HEALTH_MAX_AGE_SECONDS: "60" });
  const origin = newOrigin();
  await ask(env, origin);
  expect(await (await ask(env, origin, "/session-health?verbose=1")).json()).toHaveProperty("cleanup");
  expect((await ask(env, origin, "/session-health", keys.alice)).status).toBe(403);
  expect((await ask(env, origin, "/session-health?verbose=2")).status).toBe(400);
});

test("a parameter is judged before an answer is shared, and a refusal is shared with nobody", async () => {
  const database = await createDatabase();
  const [alone, sharing] = [database.env(), database.env({ HEALTH_MAX_AGE_SECONDS: "60" })];
  const origin = newOrigin();
  expect((await ask(sharing, origin)).status).toBe(200);
  expect((await ask(sharing, origin, "/session-health?verbose=1")).status).toBe(200);
  for (const [query, message] of [
    ["verbose=2", "The parameter verbose must be 0 or 1"],
    ["verbose=", "The parameter verbose must be 0 or 1"],
    ["verbose=true", "The parameter verbose must be 0 or 1"],
    ["verbose=1&verbose=1", "The parameter verbose is given twice"],
    ["verbose=0&verbose=1", "The parameter verbose is given twice"],
    ["write=2", "The parameter write must be 0 or 1"],
    ["write=0&write=1", "The parameter write is given twice"],
  ]) {
    for (const env of [alone, sharing]) {
      const response = await ask(env, origin, `/session-health?${query}`);
      expect([response.status, await response.json()]).toMatchObject([400, { error: { message } }]);
    }
  }
  for (const query of ["", "?verbose=1", "?verbose=0", "?other=1&other=2"])
    expect((await ask(sharing, origin, `/session-health${query}`)).headers.get("Age")).not.toBeNull();
});

test("the path with a slash at its end has the same shared answer", async () => {
  const env = (await createDatabase()).env({ HEALTH_MAX_AGE_SECONDS: "60" });
  const origin = newOrigin();
  await ask(env, origin);
  expect((await ask(env, origin, "/session-health/")).headers.get("Age")).not.toBeNull();
});

test("a failure is never shared, and ends the sharing of what was answered before it", async () => {
  // The shortest delays between attempts, and time for all of them.
  vi.spyOn(Math, "random").mockReturnValue(0);
  const env = (await createDatabase()).env({ HEALTH_MAX_AGE_SECONDS: "60", HEALTH_TIMEOUT_MS: "30000" });
  const origin = newOrigin();
  expect((await ask(env, origin)).status).toBe(200);
  await setFaults({ fault: { kind: "reset" } });
  expect((await ask(env, origin, "/session-health?verbose=1")).status).toBe(503);
  expect((await ask(env, origin)).status).toBe(503);
  await setFaults();
  const back = await ask(env, origin);
  expect(back.status).toBe(200);
  expect(back.headers.get("Age")).toBeNull();
});

test("what write=1 asks for is neither taken from a shared answer nor shared, but its failure ends the sharing", async () => {
  const database = await createDatabase();
  const env = database.env({ HEALTH_MAX_AGE_SECONDS: "60" });
  const origin = newOrigin();
  const trial = () => ask(env, origin, "/session-health?write=1");
  const before = await databaseRequests();
  expect((await trial()).status).toBe(200);
  expect((await ask(env, origin)).headers.get("Age")).toBeNull();
  expect((await trial()).headers.get("Age")).toBeNull();
  expect((await databaseRequests()) - before).toBe(3);
  expect((await ask(env, origin)).headers.get("Age")).not.toBeNull();

  await addTrigger(database, "DELETE", "RAISE EXCEPTION 'of the owner'");
  expect((await trial()).status).toBe(503);
  expect((await ask(env, origin)).headers.get("Age")).toBeNull();
});

test.each(["verbose=2", "write=2", "write=1&write=1"])(
  "what is refused, such as %s, is refused again, and is nobody's answer",
  async (query) => {
    const env = (await createDatabase()).env({ HEALTH_MAX_AGE_SECONDS: "60" });
    const origin = newOrigin();
    for (const path of [`/session-health?${query}`, `/session-health?${query}`]) {
      const refused = await ask(env, origin, path);
      expect([refused.status, refused.headers.get("Age")]).toEqual([400, null]);
    }
    const answer = await ask(env, origin);
    expect([answer.status, answer.headers.get("Age")]).toEqual([200, null]);
    expect(await answer.json()).toMatchObject({ status: "healthy" });
  },
);

describe("by itself", () => {
  const AGE_SECONDS = 3000;

  /** A route that answers what the test says, and how often it was asked. Its time is the test's. */
  function sharing(maxAgeSeconds = AGE_SECONDS) {
    const origin = newOrigin();
    const state = { now: Date.parse("2026-11-26T12:00:00Z"), status: 200, asked: 0, read: 0 };
    const app = new Hono()
      .use(
        sharedAnswers({
          maxAgeSeconds,
          now: () => new Date(state.now),
          read: (c) => {
            state.read += 1;
            return { verbose: c.req.query("verbose") ?? "0", write: c.req.query("write") ?? "0" };
          },
        }),
      )
      .get("/health", () => {
        state.asked += 1;
        return Response.json({ answer: state.asked }, { status: state.status });
      });
    const get = async (query = "") => {
      const response = await app.request(`${origin}/health${query}`);
      const { answer } = await response.json<{ answer: number }>();
      return [response.status, answer, response.headers.get("Age")];
    };
    return { state, get, app, origin };
  }

  test("an answer is shared from its first moment until its last second has passed", async () => {
    const { state, get, app, origin } = sharing();
    expect(await get()).toEqual([200, 1, null]);
    expect(await get()).toEqual([200, 1, "0"]);
    state.now += 1999;
    expect(await get()).toEqual([200, 1, "1"]);
    state.now += 1000 * AGE_SECONDS - 2000;
    expect(await get()).toEqual([200, 1, `${AGE_SECONDS - 1}`]);
    const shared = await app.request(`${origin}/health`);
    expect(shared.headers.get("Content-Type")).toBe("application/json");
    state.now += 1;
    expect(await get()).toEqual([200, 2, null]);
    expect(await get()).toEqual([200, 2, "0"]);
    state.now -= 1;
    expect(await get()).toEqual([200, 3, null]);
  });

  test("with a maximum age of 0 nothing is read and nothing is kept", async () => {
    const { state, get, origin } = sharing(0);
    expect([await get(), await get()]).toEqual([
      [200, 1, null],
      [200, 2, null],
    ]);
    expect(state.read).toBe(0);
    expect(await caches.default.match(`${origin}/health?verbose=0`)).toBeUndefined();
  });

  test("a trial is asked for each time, and is no answer for others", async () => {
    const { get } = sharing();
    expect(await get("?write=1")).toEqual([200, 1, null]);
    expect(await get("?write=0")).toEqual([200, 2, null]);
    expect(await get("?write=1")).toEqual([200, 3, null]);
    expect(await get()).toEqual([200, 2, "0"]);
  });

  test("each detail has an answer of its own, whatever else stands in the query", async () => {
    const { get } = sharing();
    expect(await get("?verbose=1&x=1")).toEqual([200, 1, null]);
    expect(await get("?x=2")).toEqual([200, 2, null]);
    expect(await get("?x=3&verbose=1")).toEqual([200, 1, "0"]);
    expect(await get("?verbose=0")).toEqual([200, 2, "0"]);
  });

  test("a failure ends the sharing of both details, also that of a trial", async () => {
    for (const failing of ["?write=1", "?write=1&verbose=1"]) {
      const { state, get } = sharing();
      await get();
      await get("?verbose=1");
      state.status = 503;
      expect(await get(failing)).toEqual([503, 3, null]);
      expect(await get()).toEqual([503, 4, null]);
      expect(await get("?verbose=1")).toEqual([503, 5, null]);
    }
  });

  test("another refusal is not shared, and ends no sharing", async () => {
    const { state, get } = sharing();
    state.status = 400;
    expect([await get(), await get()]).toEqual([
      [400, 1, null],
      [400, 2, null],
    ]);
    state.status = 200;
    await get();
    state.status = 400;
    expect(await get("?write=1")).toEqual([400, 4, null]);
    expect(await get()).toEqual([200, 3, "0"]);
  });
});
