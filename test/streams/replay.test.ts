// What a client gets that comes back for the rest of an answer, by itself. With clients: recorded-answers.test.ts.
import { Hono } from "hono";
import { beforeAll, expect, test } from "vitest";
import { AppError, errorResponse } from "../../src/http/errors.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import { newStream } from "../../src/streams/event-id.ts";
import { replay } from "../../src/streams/replay.ts";
import type { StreamStore } from "../../src/streams/store.ts";
import { databaseRequests } from "../support/worker.ts";
import { stored, type Stored, TTL_SECONDS } from "./stored.ts";

const SESSION_ID = "the id of the session";
const CAME = new Date("2026-11-25T12:00:00Z");

let here: Stored;
beforeAll(async () => {
  here = await stored();
});

const after = (ms: number) => new Date(CAME.getTime() + ms);

interface Coming {
  now: Date;
  store: StreamStore;
  session: string;
  accept: string;
}

/** The answer to one request of session `one`, and its client, which has read up to an event and comes back. */
async function answer(requestId: string | number = 7) {
  const name = await newStream(requestId, SESSION_ID, CAME);
  if (name === undefined) throw new Error("The id of the request is too long");
  const come = async (event: number, over: Partial<Coming> = {}) => {
    // Long ago, so that a stream of which nothing is stored has expired.
    const { now = after(TTL_SECONDS * 1000), store = here.store, session = SESSION_ID, accept } = over;
    const app = new Hono();
    const options = { store, ttlSeconds: TTL_SECONDS, retryMs: 250, now: () => now };
    app.get("/", (c) => replay(c, unknownSession("one", "one", undefined, now), options));
    app.onError((error) => errorResponse(error instanceof AppError ? error : new AppError("internal"), "id"));
    const headers = {
      "Last-Event-ID": name.eventId(event),
      "Mcp-Session-Id": session,
      ...(accept !== undefined && { Accept: accept }),
    };
    return app.request("/", { headers });
  };
  const cursor = (event: number) => `id: ${name.eventId(event)}\nretry: 250\ndata: \n\n`;
  const event = (number: number, message: object) =>
    `event: message\nid: ${name.eventId(number)}\ndata: ${JSON.stringify(message)}\n\n`;
  return { ...name, come, cursor, event };
}

const progress = { method: "notifications/progress" };
const response = { id: 7, result: {} };
const failure = (message: string, id: string | number = 7) => ({
  jsonrpc: "2.0",
  id,
  error: { code: -32_603, message },
});
const LOST = failure("The work was interrupted. Whether it is done is not known");
const texts = (...messages: object[]) => messages.map((message) => JSON.stringify(message));

/** From now on whoever does the work is gone. */
const interrupt = (stream: string) =>
  here.database.query("UPDATE mcp_streams SET detached_at = now() - interval '1 hour' WHERE stream = $1", [
    stream,
  ]);

test("it is a stream that nobody keeps: first the cursor again, then each event after it", async () => {
  const { stream, come, cursor, event } = await answer();
  await here.append(stream, texts(progress, response), { isFinished: true });
  const all = await come(0);
  expect(all.status).toBe(200);
  expect(Object.fromEntries(all.headers)).toEqual({
    "cache-control": "no-cache, no-transform",
    "content-type": "text/event-stream",
  });
  expect(await all.text()).toBe(cursor(0) + event(1, progress) + event(2, response));
  expect(await (await come(1)).text()).toBe(cursor(1) + event(2, response));
  expect(await (await come(2)).text()).toBe(cursor(2));
});

test.each([
  ["runs", async (stream: string) => here.append(stream, texts(progress))],
  ["asks its client", async (stream: string) => here.ask(stream, `question of ${stream}`)],
])("a call that %s has no end yet", async (_, begin) => {
  const { stream, come, cursor } = await answer();
  await begin(stream);
  expect(await (await come(1)).text()).toBe(cursor(1));
});

test.each(["text/event-stream", "text/*", "*/*", "application/json;q=1, text/event-stream;q=0.1", undefined])(
  "a client that takes streams gets one: Accept %s",
  async (accept) => {
    const { come } = await answer();
    expect((await come(1, accept === undefined ? {} : { accept })).status).toBe(200);
  },
);

test.each(["application/json", "text/html, application/json", "*/*, text/event-stream;q=0"])(
  "a client that takes none is refused before the database is asked: Accept %s",
  async (accept) => {
    const { come } = await answer();
    const before = await databaseRequests();
    const refused = await come(1, { accept, session: "another session" });
    expect(refused.status).toBe(406);
    expect(await refused.json()).toMatchObject({
      error: { code: "not_acceptable", message: "Accept must allow text/event-stream" },
    });
    expect(await databaseRequests()).toBe(before);
  },
);

test("an id that the session was never given is of no session, and the database is not asked", async () => {
  const { come } = await answer();
  const before = await databaseRequests();
  const refused = await come(1, { session: "another session" });
  expect(refused.status).toBe(404);
  expect(await refused.json()).toMatchObject({ error: { code: "session_not_found" } });
  expect(await databaseRequests()).toBe(before);
});

test("while a request is younger than events are kept, it may have stored nothing yet", async () => {
  const { come, cursor } = await answer();
  const young = await come(0, { now: after(TTL_SECONDS * 1000 - 1) });
  expect(await young.text()).toBe(cursor(0));
  const old = await answer();
  const late = await old.come(0, { now: after(TTL_SECONDS * 1000) });
  expect(await late.text()).toContain("The rest of this answer is not kept any more");
});

test("an answer that has expired ends with an error after what its client has, and nothing is stored", async () => {
  const { stream, come, cursor, event } = await answer("the call");
  for (const last of [0, 5])
    expect(await (await come(last)).text()).toBe(
      cursor(last) + event(last + 1, failure("The rest of this answer is not kept any more", "the call")),
    );
  expect(await here.database.query("SELECT FROM mcp_streams WHERE stream = $1", [stream])).toEqual([]);
});

test("an answer that is lost ends with an error after its last event, which stays its response", async () => {
  const { stream, come, cursor, event } = await answer();
  await here.append(stream, texts(progress, progress, progress));
  await interrupt(stream);
  expect(await (await come(1)).text()).toBe(
    cursor(1) + event(2, progress) + event(3, progress) + event(4, LOST),
  );
  expect(await here.replay(stream, 3)).toEqual({
    state: "finished",
    lastEvent: 4,
    events: [{ event: 4, message: JSON.stringify(LOST) }],
  });
  expect(await (await come(3)).text()).toBe(cursor(3) + event(4, LOST));
  expect(await here.append(stream, texts(response), { firstEvent: 5, isFinished: true })).toBe(false);
});

test("an error comes after all that its client has, also when some of it was never stored", async () => {
  const { stream, come, cursor, event } = await answer();
  await here.append(stream, texts(progress, progress));
  await interrupt(stream);
  expect(await (await come(9)).text()).toBe(cursor(9) + event(10, LOST));
});

test("a call whose question was not answered in time ends with an error that says so", async () => {
  const { stream, come, cursor, event } = await answer();
  const question = `question of ${stream}`;
  await here.ask(stream, question);
  await here.database.query("UPDATE mcp_questions SET expires_at = now() WHERE question = $1", [question]);
  const end = event(2, failure("The question of this call was not answered in time"));
  expect(await (await come(1)).text()).toBe(cursor(1) + end);
  expect(await here.replay(stream)).toMatchObject({ state: "finished", lastEvent: 2 });
});

test("a response that comes while an error is to be stored is the response", async () => {
  const { stream, come, cursor, event } = await answer();
  await here.append(stream, texts(progress));
  await interrupt(stream);
  let asked = 0;
  const store: StreamStore = {
    ...here.store,
    async replay(...cursorOf) {
      const found = await here.store.replay(...cursorOf);
      asked += 1;
      if (asked === 1) await here.append(stream, texts(response), { firstEvent: 2, isFinished: true });
      return found;
    },
  };
  expect(await (await come(1, { store })).text()).toBe(cursor(1) + event(2, response));
  expect(asked).toBe(2);
});
