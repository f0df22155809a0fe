// What one recorder numbers and stores, by itself. With clients: recorded-answers.test.ts.
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { afterEach, beforeAll, expect, test } from "vitest";
import {
  eventStoreOf,
  PROGRESS_BYTES,
  PROGRESS_EVENTS,
  type RecorderOptions,
  RESPONSE_BYTES,
  StreamRecorder,
} from "../../src/streams/recorder.ts";
import { logged } from "../support/captured-logs.ts";
import { poll } from "../support/cleanup.ts";
import { databaseRequests, setFaults } from "../support/worker.ts";
import { stored, type Stored } from "./stored.ts";

let here: Stored;
beforeAll(async () => {
  here = await stored();
});
afterEach(() => setFaults());

let streams = 0;

/** A recorder of a stream of its own, and what a client would get of it. */
function recording(over: Partial<RecorderOptions> = {}, session = "one") {
  const stream = `stream ${(streams += 1)}`;
  const recorder = new StreamRecorder({
    store: here.store,
    stream: { stream, requestId: 7 },
    session: { key: session, name: "the-name" },
    requestId: "the-request",
    ...over,
  });
  const kept = async () => {
    const { state, lastEvent, events } = await here.replay(stream, 0, session);
    const read = events.map(({ event, message }) => [event, JSON.parse(message) as JSONRPCMessage]);
    return { state, lastEvent, events: read };
  };
  return { recorder, kept };
}

const NOTHING = { state: "expired", lastEvent: 0, events: [] };
const progress = (value: number): JSONRPCMessage => ({
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken: "p", progress: value },
});
const response: JSONRPCMessage = { jsonrpc: "2.0", id: 7, result: { content: [] } };
/** When everything that waits for nothing has been done. */
const later = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
const requestsFor = async (work: () => Promise<unknown>) => {
  const before = await databaseRequests();
  await work();
  return (await databaseRequests()) - before;
};

test("what is never stored is numbered all the same", async () => {
  const { recorder, kept } = recording();
  expect([recorder.record(progress(1)), recorder.record(progress(2))]).toEqual([1, 2]);
  expect([recorder.hasResponse, recorder.isAsking]).toEqual([false, false]);
  expect(recorder.record(response)).toBe(3);
  expect(recorder.hasResponse).toBe(true);
  recorder.end();
  expect(await requestsFor(() => recorder.settled())).toBe(0);
  expect(await kept()).toEqual(NOTHING);
  expect(recording({ lastEvent: 5 }).recorder.record(response)).toBe(6);
});

test("from when on it is stored, so is what was before: in order, and what comes meanwhile at once", async () => {
  const { recorder, kept } = recording();
  recorder.record(progress(1));
  recorder.record(progress(2));
  const requests = await requestsFor(async () => {
    recorder.startStoring();
    recorder.record(progress(3));
    recorder.record(response);
    // The response ends it.
    await recorder.settled();
  });
  expect(requests).toBe(2);
  expect(await kept()).toEqual({
    state: "finished",
    lastEvent: 4,
    events: [
      [1, progress(1)],
      [2, progress(2)],
      [3, progress(3)],
      [4, response],
    ],
  });
});

test("after the response nothing is kept, and an error is a response", async () => {
  const { recorder, kept } = recording();
  const failure: JSONRPCMessage = { jsonrpc: "2.0", id: 7, error: { code: 1, message: "m" } };
  recorder.startStoring();
  expect([recorder.record(failure), recorder.record(progress(1)), recorder.record(response)]).toEqual([
    1, 2, 3,
  ]);
  await recorder.settled();
  expect(recorder.hasResponse).toBe(true);
  expect(await kept()).toEqual({ state: "finished", lastEvent: 1, events: [[1, failure]] });
});

test("it settles when it has ended, and all is stored", async () => {
  const { recorder, kept } = recording();
  let isSettled = false;
  const settled = recorder.settled().then(() => (isSettled = true));
  recorder.startStoring();
  recorder.record(progress(1));
  recorder.record(progress(2));
  await poll(() =>
    here.database.query(`SELECT FROM mcp_stream_events WHERE stream = 'stream ${streams}' AND event = 2`),
  );
  expect(isSettled).toBe(false);
  recorder.record(progress(3));
  recorder.end();
  await settled;
  expect((await kept()).events).toHaveLength(3);
  const idle = recording().recorder;
  idle.startStoring();
  idle.end();
  expect(await requestsFor(() => idle.settled())).toBe(0);
});

test("one batch is stored at a time, and it settles when the last one is there", async () => {
  let release: () => void = () => {};
  const batches: number[][] = [];
  const held: RecorderOptions["store"] = {
    ...here.store,
    async append(session, events) {
      batches.push(events.messages.map((_, i) => events.firstEvent + i));
      await new Promise<void>((resolve) => (release = resolve));
      return here.store.append(session, events);
    },
  };
  const { recorder, kept } = recording({ store: held });
  recorder.startStoring();
  recorder.record(progress(1));
  recorder.record(progress(2));
  recorder.record(response);
  let isSettled = false;
  const settled = recorder.settled().then(() => (isSettled = true));
  await later();
  expect([batches, isSettled]).toEqual([[[1]], false]);
  release();
  await poll(() => Promise.resolve(batches.slice(1)));
  await later();
  expect([batches, isSettled]).toEqual([[[1], [2, 3]], false]);
  release();
  await settled;
  expect((await kept()).events).toHaveLength(3);
});

test("it settles when it ends, also when nothing is to be stored", async () => {
  for (const isStoring of [true, false]) {
    const { recorder } = recording();
    if (isStoring) recorder.startStoring();
    let isSettled = false;
    void recorder.settled().then(() => (isSettled = true));
    await later();
    expect(isSettled).toBe(false);
    recorder.end();
    await later();
    expect(isSettled).toBe(true);
  }
});

test("what is recorded just before and just after one question is stored, too", async () => {
  const { recorder, kept } = recording();
  const ask: JSONRPCMessage = { jsonrpc: "2.0", id: "q", method: "elicitation/create" };
  recorder.startStoring();
  // While the first is being stored the others wait, for one batch.
  recorder.record(progress(1));
  recorder.record(progress(2));
  const asking = recorder.ask([ask], { call: "{}", questions: [{ id: `one ${streams}`, key: "k" }] });
  recorder.record(progress(3));
  expect(await asking).toBe(3);
  recorder.record(response);
  await recorder.settled();
  expect((await kept()).events).toEqual([
    [1, progress(1)],
    [2, progress(2)],
    [3, ask],
    [4, progress(3)],
    [5, response],
  ]);
});

const sentBytes = (message: object) =>
  new TextEncoder().encode(JSON.stringify(JSON.stringify(JSON.stringify(message)))).length;

/** A message that is so long in JSON in JSON. */
function ofBytes(bytes: number, make: (text: string) => JSONRPCMessage): JSONRPCMessage {
  // Two bytes, and three escapes, which are longer there.
  const odd = 'é"';
  const message = make(odd + "x".repeat(bytes - sentBytes(make(odd))));
  expect(sentBytes(message)).toBe(bytes);
  return message;
}
const logging = (data: string): JSONRPCMessage => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data },
});
const result = (text: string): JSONRPCMessage => ({ jsonrpc: "2.0", id: 7, result: { content: [{ text }] } });

test("a thousand reports are kept, and no more; the response is", async () => {
  expect(PROGRESS_EVENTS).toBe(1000);
  const { recorder, kept } = recording();
  for (let value = 1; value <= PROGRESS_EVENTS + 2; value++) recorder.record(progress(value));
  recorder.record(response);
  recorder.startStoring();
  recorder.end();
  await recorder.settled();
  const { events, lastEvent } = await kept();
  expect(lastEvent).toBe(PROGRESS_EVENTS + 3);
  expect(events).toHaveLength(PROGRESS_EVENTS + 1);
  expect(events.slice(-2)).toEqual([
    [PROGRESS_EVENTS, progress(PROGRESS_EVENTS)],
    [PROGRESS_EVENTS + 3, response],
  ]);
});

test("a mebibyte of reports is kept, and no more; the response is", async () => {
  expect(PROGRESS_BYTES).toBe(1_048_576);
  const whole = ofBytes(PROGRESS_BYTES, logging);
  const [half, rest] = [ofBytes(PROGRESS_BYTES / 2, logging), ofBytes(PROGRESS_BYTES / 2 + 1, logging)];
  for (const [reports, first] of [
    [[whole, progress(1)], whole],
    [[half, rest], half],
    [[ofBytes(PROGRESS_BYTES + 1, logging), progress(1)], undefined],
  ] as const) {
    const { recorder, kept } = recording();
    for (const report of reports) recorder.record(report);
    recorder.record(response);
    recorder.startStoring();
    recorder.end();
    await recorder.settled();
    const before = first === undefined ? [] : [[1, first]];
    expect((await kept()).events).toEqual([...before, [3, response]]);
  }
});

test("a response of eight mebibytes is kept, and in the place of a longer one an error that says so", async () => {
  expect(RESPONSE_BYTES).toBe(8_388_608);
  const longest = ofBytes(RESPONSE_BYTES, result);
  const one = recording();
  one.recorder.startStoring();
  one.recorder.record(longest);
  await one.recorder.settled();
  const [[, answer] = []] = (await one.kept()).events;
  expect(JSON.stringify(answer) === JSON.stringify(longest)).toBe(true);
  expect(logged("Events not kept")).toEqual([]);
  const other = recording();
  other.recorder.startStoring();
  other.recorder.record(ofBytes(RESPONSE_BYTES + 1, result));
  await other.recorder.settled();
  const error = { code: -32603, message: "The result is too large to be kept for a client that comes back" };
  expect(await other.kept()).toEqual({
    state: "finished",
    lastEvent: 1,
    events: [[1, { jsonrpc: "2.0", id: 7, error }]],
  });
  expect(logged("Events not kept")).toMatchObject([
    { reason: "too_large", session: "the-name", request_id: "the-request" },
  ]);
});

test("questions are stored before they are sent, with what was reported before them", async () => {
  const { recorder, kept } = recording();
  recorder.record(progress(1));
  const asks = ["a", "b"].map((id): JSONRPCMessage => ({ jsonrpc: "2.0", id, method: "elicitation/create" }));
  const call = { call: "{}", questions: ["a", "b"].map((id) => ({ id: `${id} ${streams}`, key: id })) };
  const requests = await requestsFor(async () => expect(await recorder.ask(asks, call)).toBe(2));
  expect([requests, recorder.isAsking, recorder.hasResponse]).toEqual([2, true, false]);
  expect(await kept()).toEqual({
    state: "asking",
    lastEvent: 3,
    events: [
      [1, progress(1)],
      [2, asks[0]],
      [3, asks[1]],
    ],
  });
  expect(recorder.record(progress(2))).toBe(4);
});

test("questions that are not kept are not asked", async () => {
  const { recorder } = recording({}, "gone");
  const call = { call: "{}", questions: [{ id: "gone", key: "k" }] };
  expect(await recorder.ask([{ jsonrpc: "2.0", id: "gone", method: "ping" }], call)).toBeUndefined();
  expect(recorder.isAsking).toBe(false);
  expect(logged("Events not kept")).toMatchObject([{ reason: "refused" }]);
});

test("what is refused once is not sent again, and is said once", async () => {
  const { recorder } = recording({}, "gone");
  recorder.startStoring();
  recorder.record(progress(1));
  recorder.record(progress(2));
  expect(
    await requestsFor(async () => {
      recorder.record(response);
      await recorder.settled();
    }),
  ).toBe(1);
  expect(logged("Events not kept")).toHaveLength(1);
});

test("what the database cannot keep is said by its kind", async () => {
  await setFaults({ fault: { kind: "quota" } });
  const { recorder } = recording();
  recorder.startStoring();
  recorder.record(response);
  await recorder.settled();
  expect(logged("Events not kept")).toMatchObject([{ reason: "quota_exceeded" }]);
});

test("an error of another kind is said to be internal", async () => {
  const failing = { ...here.store, append: () => Promise.reject(new TypeError("a secret")) };
  const { recorder } = recording({ store: failing });
  recorder.startStoring();
  recorder.record(response);
  await recorder.settled();
  expect(logged("Events not kept")).toMatchObject([{ reason: "internal" }]);
});

test("a call that is cancelled leaves nothing, or the end of what is stored", async () => {
  const unstored = recording();
  unstored.recorder.record(progress(1));
  unstored.recorder.cancel();
  expect(unstored.recorder.hasResponse).toBe(true);
  unstored.recorder.startStoring();
  unstored.recorder.record(response);
  await unstored.recorder.settled();
  expect(await unstored.kept()).toEqual(NOTHING);
  const { recorder, kept } = recording();
  recorder.startStoring();
  recorder.record(progress(1));
  recorder.cancel();
  recorder.record(response);
  await recorder.settled();
  expect(recorder.hasResponse).toBe(true);
  expect(await kept()).toEqual({
    state: "finished",
    lastEvent: 2,
    events: [
      [1, progress(1)],
      [2, { jsonrpc: "2.0", id: 7, error: { code: -32800, message: "The call was cancelled" } }],
    ],
  });
});

test("the SDK's transport gets the ids of what is numbered, and of what it numbers itself", async () => {
  const { recorder } = recording();
  const numbers = new Map<JSONRPCMessage, number>([[response, recorder.record(response)]]);
  const events = eventStoreOf(recorder, { eventId: (event) => `id ${event}` }, (message) =>
    numbers.get(message),
  );
  // Its priming event is empty.
  expect(await events.storeEvent("s", {} as JSONRPCMessage)).toBe("id 0");
  expect(await events.storeEvent("s", response)).toBe("id 1");
  expect(await events.storeEvent("s", progress(1))).toBe("id 2");
  await expect(events.replayEventsAfter("id 1", { send: () => Promise.resolve() })).rejects.toThrow(
    "Not the transport's to replay",
  );
});
