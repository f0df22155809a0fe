// What is stored of an answer, and when: as little as a client that comes back could need.
import { afterEach, expect, test } from "vitest";
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ServerContext } from "../../src/mcp/context.ts";
import { PROGRESS_EVENTS, RESPONSE_BYTES } from "../../src/streams/recorder.ts";
import { registerAskingTools } from "../support/asking-tools.ts";
import { logged } from "../support/captured-logs.ts";
import { poll } from "../support/cleanup.ts";
import { createDatabase, databaseRequests, setFaults, type TestDatabase } from "../support/worker.ts";
import { isolates } from "./isolates.ts";
import {
  callOf,
  eventsOf,
  firstEventOf,
  messagesOf,
  openSession,
  post,
  resume,
  type Sent,
  textOf,
} from "./wire.ts";

afterEach(() => setFaults());

const streaming = { MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "100" };

/** A tool that reports `reports` numbers, does what the test says, and answers with `text`. */
async function working(database: TestDatabase) {
  const gates: (() => void)[] = [];
  const begun = { times: 0 };
  const register = (server: McpServer, context: ServerContext) => {
    registerAskingTools(server);
    const input = z.object({
      reports: z.number().default(0),
      character: z.string().default(""),
      count: z.number().default(0),
      does: z.enum(["answer", "wait", "throw", "wait and throw"]).default("answer"),
    });
    server.registerTool(
      "do",
      { inputSchema: input },
      async ({ reports, character, count, does }, { mcpReq }) => {
        begun.times += 1;
        for (let progress = 1; progress <= reports; progress++)
          await mcpReq.notify({ method: "notifications/progress", params: { progressToken: "p", progress } });
        if (does.startsWith("wait")) await new Promise<void>((resolve) => gates.push(resolve));
        if (does.endsWith("throw")) throw new Error("It has thrown");
        return { content: [{ type: "text", text: character.repeat(count) || "done" }] };
      },
    );
    server.registerTool(
      "guarded",
      { inputSchema: z.object({}), scopeChallenge: context.requireScopes("guarded") },
      () => ({ content: [] }),
    );
    server.registerTool("awaits", { inputSchema: z.object({}) }, async (_input, { mcpReq }) => {
      const said = await mcpReq.elicitInput({
        message: "?",
        requestedSchema: { type: "object", properties: {} },
      });
      return { content: [{ type: "text", text: said.action }] };
    });
  };
  const workers = isolates(database.env(streaming), register, 1);
  const session = await openSession(workers);
  const rows = () =>
    database.query("SELECT event, message::json FROM mcp_stream_events ORDER BY stream, event");
  return {
    workers,
    session,
    begun,
    rows,
    call: (input: object, more: Sent = {}) => post(workers, callOf("do", input), { session, ...more }),
    release: () => {
      for (const open of gates.splice(0)) open();
    },
    gates,
  };
}

test("an answer that is there at once costs one statement, that of the session", async () => {
  const database = await createDatabase();
  const { workers, call, rows } = await working(database);
  const before = await databaseRequests();
  const events = await eventsOf(await call({ reports: 3 }));
  await workers.settled();
  expect((await databaseRequests()) - before).toBe(1);
  expect(messagesOf(events)).toHaveLength(4);
  expect(new Set(events.map(({ id }) => id)).size).toBe(5);
  expect(await rows()).toEqual([]);
});

test("one whose client has left before is stored, with what was reported before, and is there once", async () => {
  const database = await createDatabase();
  const { workers, session, call, release, gates, begun } = await working(database);
  const stream = await firstEventOf(await call({ reports: 2, does: "wait" }));
  await poll(() => Promise.resolve(gates));
  await stream.cut();
  expect(await resume(workers, stream.id, { session })).toMatchObject({ status: 200 });
  release();
  await workers.settled();
  const { events, messages } = await resume(workers, stream.id, { session });
  expect(messages.map(({ params, result }) => params?.["progress"] ?? result?.content?.[0]?.text)).toEqual([
    1,
    2,
    "done",
  ]);
  expect(events[0]).toEqual({ id: stream.id, message: undefined });
  const middle = events[1]?.id ?? "";
  expect((await resume(workers, middle, { session })).messages).toEqual(messages.slice(1));
  expect((await resume(workers, events.at(-1)?.id ?? "", { session })).messages).toEqual([]);
  expect(begun.times).toBe(1);
});

test("of a tool that closes its stream and answers at once the answer is stored", async () => {
  const database = await createDatabase();
  const { workers, session } = await working(database);
  const work = { steps: 0, step_ms: 0, closes: true };
  const events = await eventsOf(await post(workers, callOf("work", work), { session }));
  expect(messagesOf(events)).toEqual([]);
  await workers.settled();
  const { messages } = await resume(workers, events[0]?.id ?? "", { session });
  expect(messages.map(textOf)).toEqual(["Done in 0 steps"]);
});

test("a client that leaves after it has taken its answer leaves nothing", async () => {
  const database = await createDatabase();
  const { workers, call, rows } = await working(database);
  const leaving = new AbortController();
  await (await call({}, { signal: leaving.signal })).text();
  leaving.abort();
  await workers.settled();
  expect(await rows()).toEqual([]);
});

test("what takes longer than a second is stored although its client is connected", async () => {
  const database = await createDatabase();
  const { workers, session, call, release, rows } = await working(database);
  const stream = await firstEventOf(await call({ reports: 1, does: "wait" }));
  await poll(rows);
  release();
  const live = messagesOf(await stream.rest());
  await workers.settled();
  expect((await resume(workers, stream.id, { session })).messages).toEqual(live);
});

test("while the database is down the answer is not kept, and its client gets an error in the end", async () => {
  const database = await createDatabase();
  const { workers, session, call, release } = await working(database);
  const stream = await firstEventOf(await call({ does: "wait" }));
  await setFaults({ fault: { kind: "quota" } });
  await stream.cut();
  release();
  await workers.settled();
  await setFaults();
  expect(logged("Events not kept")).toMatchObject([
    { reason: "quota_exceeded", session: expect.stringMatching(/^\w{8}$/) },
  ]);
  expect((await resume(workers, stream.id, { session })).messages).toEqual([]);
  await database.query("UPDATE mcp_streams SET detached_at = detached_at - interval '46 seconds'");
  const { messages } = await resume(workers, stream.id, { session });
  expect(messages).toMatchObject([{ id: 1, error: { code: -32603 } }]);
  // One response for good.
  expect((await resume(workers, stream.id, { session })).messages).toEqual(messages);
});

test("more progress than is kept is left out, and the response is not", async () => {
  const database = await createDatabase();
  const { workers, session, call, release, gates } = await working(database);
  const stream = await firstEventOf(await call({ reports: PROGRESS_EVENTS + 5, does: "wait" }));
  await poll(() => Promise.resolve(gates));
  await stream.cut();
  release();
  await workers.settled();
  const { messages, events } = await resume(workers, stream.id, { session });
  expect(messages).toHaveLength(PROGRESS_EVENTS + 1);
  expect(textOf(messages.at(-1))).toBe("done");
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
});

// A quotation mark is escaped in the message, in the list of messages, and in the statement.
test.each([
  ["é", 2, true],
  ["é", 2, false],
  ['"', 8, true],
  ['"', 8, false],
])(
  "of a response of %j, which is %i bytes in the database's answer: kept is %s, or an error that says so",
  async (character, size, isKept) => {
    const count = RESPONSE_BYTES / size + (isKept ? -1000 : 1);
    const database = await createDatabase();
    const { workers, session, call, release } = await working(database);
    const stream = await firstEventOf(await call({ character, count, does: "wait" }));
    await stream.cut();
    release();
    await workers.settled();
    const { messages } = await resume(workers, stream.id, { session });
    const kept = { result: { content: [{ text: character.repeat(count) }] } };
    const tooLarge = { error: { message: expect.stringContaining("too large") } };
    expect(messages).toMatchObject([{ id: 1, ...(isKept ? kept : tooLarge) }]);
    expect(logged("Events not kept")).toHaveLength(isKept ? 0 : 1);
  },
);

test("when the session ends in the middle nothing more is kept, and nobody gets anything", async () => {
  const database = await createDatabase();
  const { workers, session, call, release, rows } = await working(database);
  const stream = await firstEventOf(await call({ does: "wait" }));
  await stream.cut();
  expect((await post(workers, "", { session, method: "DELETE" })).status).toBe(204);
  release();
  await workers.settled();
  expect(await rows()).toEqual([]);
  expect(logged("Events not kept")).toMatchObject([{ reason: "refused" }]);
  expect(await resume(workers, stream.id, { session })).toMatchObject({ status: 404 });
});

test("a tool that throws has an answer like any other, also when its client has left", async () => {
  const database = await createDatabase();
  const { workers, session, call, release, gates } = await working(database);
  const thrown = [{ result: { isError: true, content: [{ text: "It has thrown" }] } }];
  expect(messagesOf(await eventsOf(await call({ does: "throw" })))).toMatchObject(thrown);
  const stream = await firstEventOf(await call({ does: "wait and throw" }));
  await poll(() => Promise.resolve(gates));
  await stream.cut();
  release();
  await workers.settled();
  expect((await resume(workers, stream.id, { session })).messages).toMatchObject(thrown);
});

test("a tool that never ends keeps its client, and is lost when that has gone", async () => {
  const database = await createDatabase();
  const { workers, session, call, release, rows } = await working(database);
  const stream = await firstEventOf(await call({ reports: 1, does: "wait" }));
  await poll(rows);
  await stream.cut();
  expect((await resume(workers, stream.id, { session })).messages).toHaveLength(1);
  await database.query("UPDATE mcp_streams SET detached_at = detached_at - interval '46 seconds'");
  const { messages } = await resume(workers, stream.id, { session });
  expect(messages).toMatchObject([
    { params: { progress: 1 } },
    { id: 1, error: { message: expect.stringContaining("interrupted") } },
  ]);
  // What comes after all is no second response.
  release();
  await workers.settled();
  expect((await resume(workers, stream.id, { session })).messages).toEqual(messages);
});

test("a client whose cursor is beyond what is kept gets the end all the same, again and again", async () => {
  const database = await createDatabase();
  const { workers, session, call, release, rows } = await working(database);
  const stream = await firstEventOf(await call({ reports: 1, does: "wait" }));
  await poll(rows);
  await stream.cut();
  // The last one that it has got was left out of what is kept.
  const last = stream.id.replace(/\.0$/, ".1500");
  await resume(workers, last, { session });
  await database.query("UPDATE mcp_streams SET detached_at = detached_at - interval '46 seconds'");
  for (let times = 0; times < 2; times++)
    expect((await resume(workers, last, { session })).messages).toMatchObject([{ id: 1, error: {} }]);
  release();
  await workers.settled();
});

test.each([
  ["that gets no priming keeps its open stream", { version: "2025-06-18" }],
  ["that takes JSON alone gets JSON", { accept: "application/json" }],
])("a client %s, nothing is stored, and it cannot be asked", async (_, sent) => {
  const database = await createDatabase();
  const { workers, rows } = await working(database);
  const session = await openSession(workers, sent);
  const done = await post(workers, callOf("work", { steps: 1, step_ms: 1200, closes: true }), {
    session,
    ...sent,
  });
  const text = await done.text();
  expect(text).toContain("Done in 1 steps");
  expect(text).not.toMatch(/^(id|retry):/m);
  const refused = await (await post(workers, callOf("ask_name"), { session, ...sent })).text();
  expect(refused).toContain("cannot ask its client");
  await workers.settled();
  expect(await rows()).toEqual([]);
  expect(await database.query("SELECT FROM mcp_questions")).toEqual([]);
});

test("a batch is answered as ever", async () => {
  const database = await createDatabase();
  const { workers, rows } = await working(database);
  const version = "2025-03-26";
  const session = await openSession(workers, { version });
  const batch = [callOf("do", {}, 1), callOf("do", {}, 2)];
  const response = await post(workers, JSON.stringify(batch), { session, version });
  expect(
    messagesOf(await eventsOf(response))
      .map(({ id }) => Number(id))
      .toSorted((a, b) => a - b),
  ).toEqual([1, 2]);
  await workers.settled();
  expect(await rows()).toEqual([]);
});

test("a call that is refused for its scopes, and one that is no request of the protocol, end at once", async () => {
  const database = await createDatabase();
  const { workers, session, rows } = await working(database);
  for (const message of [callOf("guarded"), callOf("nothing"), { jsonrpc: "2.0", id: 1, method: "no/such" }])
    await (await post(workers, message, { session })).text();
  const before = await databaseRequests();
  await workers.settled();
  // Nothing looks for a cancellation any more.
  expect((await databaseRequests()) - before).toBe(0);
  expect(await rows()).toEqual([]);
});

test("a tool that waits for its client is told how to be written", async () => {
  const database = await createDatabase();
  const { workers, session, rows } = await working(database);
  const [, event] = await eventsOf(await post(workers, callOf("awaits"), { session }));
  expect(textOf(event?.message)).toContain("return inputRequired(…) instead");
  await workers.settled();
  expect(await rows()).toEqual([]);
});

test("the log level that a client sets is kept", async () => {
  const database = await createDatabase();
  const { workers, session } = await working(database);
  await (
    await post(
      workers,
      { jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "error" } },
      { session },
    )
  ).text();
  expect(await database.query("SELECT log_level FROM mcp_sessions")).toEqual([{ log_level: "error" }]);
});
