// notifications/cancelled reaches the tool that it is meant for, on whichever isolate it runs.
import { afterEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { DatabaseFault, type Fault } from "../../src/db/fault.ts";
import { type Call, CANCELLATION_CHECK_MS, createCancellation } from "../../src/streams/cancellation.ts";
import { poll } from "../support/cleanup.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";
import { connectTo, isolates } from "./isolates.ts";

const DOWN: Fault = { kind: "timeout", retryable: true, outcomeUnknown: false, answered: false };

/** Calls that one isolate watches, with a time of their own. The store beneath counts what it is asked. */
function watching(isCancelled: () => Promise<boolean> = async () => false) {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const seen: string[] = [];
  const cancellation = createCancellation({
    async cancel(sessionKey, requestId) {
      seen.push(`a mark for ${sessionKey} ${JSON.stringify(requestId)}`);
    },
    isCancelled(sessionKey, requestId) {
      seen.push(`a look for ${sessionKey} ${JSON.stringify(requestId)}`);
      return isCancelled();
    },
  });
  return {
    seen,
    cancel: async (which: Call) => cancellation.cancel(which),
    watch: (which: Call, name = "the call") => cancellation.watch(which, () => void seen.push(name)),
  };
}

const pass = async (ms: number) => vi.advanceTimersByTimeAsync(ms);
const call: Call = { sessionKey: "s", requestId: 1 };
const MARK = "a mark for s 1";
const LOOK = "a look for s 1";

describe("a call that an isolate watches", () => {
  afterEach(() => void vi.useRealTimers());

  test("is cancelled there once, without a query; after that there is nothing but a mark", async () => {
    const { watch, cancel, seen } = watching();
    watch(call);
    await cancel(call);
    expect(seen).toEqual(["the call"]);
    expect(vi.getTimerCount()).toBe(0);
    await cancel(call);
    expect(seen).toEqual(["the call", MARK]);
  });

  test.each<[string, Call, mark: string]>([
    ["an id that is another type", { ...call, requestId: "1" }, 'a mark for s "1"'],
    ["another id", { ...call, requestId: 11 }, "a mark for s 11"],
    ["another session", { ...call, sessionKey: "t" }, "a mark for t 1"],
  ])("is not the one that is cancelled with %s", async (_, other, mark) => {
    const { watch, cancel, seen } = watching();
    watch(call);
    await cancel(other);
    expect(seen).toEqual([mark]);
  });

  test("is not cancelled any more when it has ended, and looks for nothing", async () => {
    const { watch, cancel, seen } = watching();
    const stop = watch(call);
    stop();
    expect(vi.getTimerCount()).toBe(0);
    await cancel(call);
    expect(seen).toEqual([MARK]);
  });

  test("looks for its mark every five seconds, and no more once it has found it", async () => {
    expect(CANCELLATION_CHECK_MS).toBe(5000);
    let isCancelled = false;
    const { watch, cancel, seen } = watching(async () => isCancelled);
    watch(call);
    await pass(4999);
    expect(seen).toEqual([]);
    await pass(1);
    expect(seen).toEqual([LOOK]);
    await pass(4999);
    isCancelled = true;
    expect(seen).toEqual([LOOK]);
    await pass(1);
    expect(seen).toEqual([LOOK, LOOK, "the call"]);
    expect(vi.getTimerCount()).toBe(0);
    await cancel(call);
    expect(seen.slice(3)).toEqual([MARK]);
  });

  test("looks again when the database cannot be asked", async () => {
    let isDown = true;
    const { watch, seen } = watching(async () => {
      if (isDown) throw new DatabaseFault("looking", DOWN);
      return true;
    });
    watch(call);
    await pass(5000);
    expect(seen).toEqual([LOOK]);
    isDown = false;
    await pass(5000);
    expect(seen).toEqual([LOOK, LOOK, "the call"]);
  });

  test("is not cancelled when it has ended while it looked", async () => {
    let answer: (isCancelled: boolean) => void = () => {};
    const { watch, seen } = watching(async () => new Promise((resolve) => (answer = resolve)));
    for (const isCancelled of [true, false]) {
      const stop = watch(call);
      await pass(5000);
      stop();
      answer(isCancelled);
      await pass(0);
      expect(vi.getTimerCount()).toBe(0);
    }
    expect(seen).toEqual([LOOK, LOOK]);
  });

  test("gives way to a later one of the same id, whose watch does not end with it", async () => {
    const { watch, cancel, seen } = watching();
    const stop = watch(call, "the first");
    watch(call, "the second");
    stop();
    await cancel(call);
    expect(seen).toEqual(["the second"]);
  });
});

const streaming = { MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "100" };

/** A client, and a tool that works until it is cancelled. */
async function working(database: TestDatabase, count: number) {
  const seen: string[] = [];
  const workers = isolates(
    database.env(streaming),
    (server, { signal: own }) => {
      server.registerTool("work", { inputSchema: z.object({}) }, async (_input, { mcpReq: { signal } }) => {
        seen.push("begun");
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        seen.push(`cancelled ${own.aborted}`);
        return { content: [] };
      });
    },
    count,
  );
  const { client, transport } = await connectTo(workers);
  await client.connect(transport);
  return { client, workers, seen };
}

test.each([
  ["the same isolate: at once, without a query", 1],
  ["another isolate: by a mark in the database", 2],
])("a call that runs on %s", async (_where, count) => {
  const database = await createDatabase();
  const { client, workers, seen } = await working(database, count);
  // The open stream of GET takes a turn, too.
  await expect.poll(() => workers.exchanges.length).toBe(3);
  const giving = new AbortController();
  const called = client.callTool({ name: "work", arguments: {} }, { signal: giving.signal });
  await expect.poll(() => seen).toEqual(["begun"]);
  giving.abort();
  await expect(called).rejects.toThrow();
  await poll(() => Promise.resolve(seen.filter((word) => word !== "begun")));
  expect(seen).toEqual(["begun", "cancelled true"]);
  const marks = await database.query("SELECT FROM mcp_marks");
  expect(marks).toHaveLength(count - 1);
  await client.close();
  await workers.settled();
});
