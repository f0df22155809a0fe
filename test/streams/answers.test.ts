// The answers of clients to the questions of tools, on whichever isolate they land.
import { inputRequired, type McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import * as z from "zod";
import { goOn } from "../../src/mcp/reentry.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import { StreamRecorder } from "../../src/streams/recorder.ts";
import { registerAskingTools } from "../support/asking-tools.ts";
import { createIssuer } from "../support/issuer.ts";
import { createDatabase, databaseRequests, keys, type TestDatabase } from "../support/worker.ts";
import { type Isolates, isolates } from "./isolates.ts";
import { stored } from "./stored.ts";
import {
  answerTo,
  callOf,
  eventsOf,
  type Message,
  openSession,
  post,
  resume,
  textOf,
  VERSION,
} from "./wire.ts";

const none = { inputSchema: z.object({}) };
const ask = (text: string) =>
  inputRequired.elicit({
    message: text,
    requestedSchema: { type: "object", properties: { name: { type: "string" } } },
  });
const ran = { times: 0 };

function register(server: McpServer): void {
  registerAskingTools(server);
  // Each fails in another way when it goes on.
  server.registerTool("throws", none, (_input, { mcpReq: { inputResponses } }) => {
    if (inputResponses === undefined) return inputRequired({ inputRequests: { name: ask("?") } });
    ran.times += 1;
    throw new Error("It has thrown");
  });
  server.registerTool("asks_what_cannot_be_asked", none, (_input, { mcpReq: { inputResponses } }) =>
    inputRequired({
      inputRequests: inputResponses === undefined ? { name: ask("?") } : { roots: inputRequired.listRoots() },
    }),
  );
  server.registerTool("asks_nothing", none, (_input, { mcpReq: { inputResponses } }) =>
    inputRequired(
      inputResponses === undefined ? { inputRequests: { name: ask("?") } } : { requestState: "x" },
    ),
  );
  server.registerTool("counts", none, (_input, { mcpReq: { inputResponses } }) => {
    if (inputResponses === undefined)
      return inputRequired({ inputRequests: { name: ask("?"), other: ask("?") } });
    ran.times += 1;
    return { content: [{ type: "text", text: JSON.stringify(inputResponses) }] };
  });
}

async function asked(
  database: TestDatabase,
  tool: string,
  { capabilities = { elicitation: {} }, id = 1 }: { capabilities?: object; id?: string | number } = {},
) {
  ran.times = 0;
  const workers = isolates(database.env({ MCP_STREAMS: "true" }), register, 3);
  const session = await openSession(workers, { capabilities });
  const events = await eventsOf(
    await post(workers, callOf(tool, { text: "\0\ud800\u2028" }, id), { session }),
  );
  return {
    workers,
    session,
    events,
    first: events[0]?.id ?? "",
    questions: events.slice(1).map(({ message }) => message?.id),
  };
}

async function responseOf(
  workers: Isolates,
  lastEventId: string,
  session: string,
): Promise<Message | undefined> {
  await workers.settled();
  const { messages } = await resume(workers, lastEventId, { session });
  const responses = messages.filter((message) => "result" in message || "error" in message);
  expect(responses.length).toBeLessThan(2);
  return responses[0];
}

test.each([
  ["decline", "No name: decline"],
  ["cancel", "No name: cancel"],
])("a client may %s", async (action, text) => {
  const database = await createDatabase();
  const { workers, session, first, questions } = await asked(database, "ask_name");
  await post(workers, { jsonrpc: "2.0", id: questions[0], result: { action } }, { session });
  expect(textOf(await responseOf(workers, first, session))).toBe(text);
});

test("a client that answers with an error ends the call", async () => {
  const database = await createDatabase();
  const { workers, session, first, questions } = await asked(database, "ask_name");
  const error = { jsonrpc: "2.0", id: questions[0], error: { code: -1, message: "I do not want to" } };
  expect((await post(workers, error, { session })).status).toBe(202);
  expect(await responseOf(workers, first, session)).toMatchObject({
    id: 1,
    error: { message: expect.stringContaining("do not want") },
  });
});

test("an answer whose token has not the scopes of the tool ends the call", async () => {
  const issuer = await createIssuer();
  await issuer.publish();
  const env = (await createDatabase()).env({ MCP_STREAMS: "true", OAUTH_ISSUERS: issuer.url });
  const workers = isolates(env, (server, { requireScopes }) => {
    const guarded = { ...none, scopeChallenge: requireScopes("notes:write") };
    server.registerTool("write", guarded, (_input, { mcpReq: { inputResponses } }) =>
      inputResponses === undefined ? inputRequired({ inputRequests: { name: ask("?") } }) : { content: [] },
    );
  });
  const [more, less] = [await issuer.token("zoe", "mcp notes:write"), await issuer.token("zoe", "mcp")];
  const session = await openSession(workers, { key: more, capabilities: { elicitation: {} } });
  const events = await eventsOf(await post(workers, callOf("write"), { session, key: more }));
  const said = await post(workers, answerTo(events[1]?.message?.id, {}), { session, key: less });
  expect(said.status).toBe(202);
  await workers.settled();
  const { messages } = await resume(workers, events[1]?.id ?? "", { session, key: more });
  expect(messages).toEqual([
    { jsonrpc: "2.0", id: 1, error: { code: -32603, message: "The call was refused" } },
  ]);
});

test("of many answers at once to two questions each isolate takes what is new, and the tool goes on once", async () => {
  const database = await createDatabase();
  const { workers, session, first, questions } = await asked(database, "counts");
  const sent = Array.from({ length: 12 }, (_, i) =>
    post(workers, answerTo(questions[i % 2], { name: `${i}` }), { session }),
  );
  expect((await Promise.all(sent)).map(({ status }) => status)).toEqual(Array(12).fill(202));
  const given = JSON.parse(textOf(await responseOf(workers, first, session)) ?? "");
  expect(ran.times).toBe(1);
  const kept = await database.query("SELECT key, answer FROM mcp_questions ORDER BY key");
  expect(kept.map(({ key, answer }) => [key, JSON.parse(String(answer)).result])).toEqual(
    Object.entries(given).toSorted(([a], [b]) => a.localeCompare(b)),
  );
  // Late ones change nothing.
  expect((await post(workers, answerTo(questions[0], { name: "late" }), { session })).status).toBe(202);
  await workers.settled();
  expect(ran.times).toBe(1);
});

test("nobody else answers: neither another session nor another principal", async () => {
  const database = await createDatabase();
  const { workers, session, first, questions } = await asked(database, "ask_name");
  const answer = answerTo(questions[0], { name: "Mallory" });
  for (const key of [keys.alice, keys.bob]) {
    const other = await openSession(workers, { key });
    expect((await post(workers, answer, { session: other, key })).status).toBe(400);
  }
  expect((await post(workers, answer, { session, key: keys.bob })).status).toBe(404);
  await post(workers, answerTo(questions[0], { name: "Ada" }), { session });
  expect(textOf(await responseOf(workers, first, session))).toBe('Hello {"name":"Ada"}');
});

test("after the session has ended no answer is taken", async () => {
  const database = await createDatabase();
  const { workers, session, first, questions } = await asked(database, "counts");
  await post(workers, answerTo(questions[0], { name: "Ada" }), { session });
  await post(workers, "", { session, method: "DELETE" });
  expect((await post(workers, answerTo(questions[1], { name: "Ada" }), { session })).status).toBe(404);
  await workers.settled();
  expect([ran.times, (await resume(workers, first, { session })).status]).toEqual([0, 404]);
});

test.each([
  [{}, "elicitation.form"],
  [{ elicitation: { url: {} } }, "elicitation.form"],
])("a client that has declared %j is not asked, and nothing is stored", async (capabilities, missing) => {
  const database = await createDatabase();
  const before = await databaseRequests();
  const { workers, events } = await asked(database, "ask_name", { capabilities });
  await workers.settled();
  // The session is opened, and found.
  expect((await databaseRequests()) - before).toBe(2);
  expect(events.at(-1)?.message).toMatchObject({
    result: { isError: true, content: [{ text: expect.stringContaining(missing) }] },
  });
  expect(await database.query("SELECT FROM mcp_questions")).toEqual([]);
});

test.each([
  ["throws", { result: { isError: true, content: [{ text: "It has thrown" }] } }],
  ["asks_what_cannot_be_asked", { error: { message: expect.stringContaining("roots") } }],
  ["asks_nothing", {}],
])("a tool that goes on and %s ends its call", async (tool, expected) => {
  const database = await createDatabase();
  const { workers, session, first, questions } = await asked(database, tool);
  expect((await post(workers, answerTo(questions[0], { name: "Ada" }), { session })).status).toBe(202);
  expect(await responseOf(workers, first, session)).toMatchObject({ id: 1, ...expected });
});

test.each(["\0", "\ud800", "🙂".repeat(20), "", 0, -1, 9007199254740991])(
  "a call with the id %j and hostile arguments is asked, goes on and is cancelled like any other",
  async (id) => {
    const database = await createDatabase();
    const { workers, session, first, questions } = await asked(database, "ask_name", { id });
    const answered = await post(workers, answerTo(questions[0], { name: "\0\ud800\u2028" }), { session });
    expect(answered.status).toBe(202);
    const response = await responseOf(workers, first, session);
    expect([response?.id, textOf(response)]).toEqual([
      id,
      `Hello ${JSON.stringify({ name: "\0\ud800\u2028" })}`,
    ]);

    const [again, question] = await eventsOf(
      await post(workers, callOf("ask_name", { text: "\0" }, id), { session }),
    );
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } };
    expect((await post(workers, cancel, { session })).status).toBe(202);
    expect((await post(workers, answerTo(question?.message?.id, {}), { session })).status).toBe(400);
    expect(await responseOf(workers, again?.id ?? "", session)).toMatchObject({ id, error: {} });
  },
);

test("a mistake in here is an end of the call, too", async () => {
  const { store, ask: askIn, replay } = await stored();
  await askIn("s", "q");
  const recorder = new StreamRecorder({
    store,
    stream: { stream: "s", requestId: 1 },
    session: { key: "one", name: "one" },
    requestId: "request",
    lastEvent: 1,
  });
  recorder.startStoring();
  const call = { id: 1, method: "tools/call", params: {} };
  const reentry = {
    create: () => Promise.reject(new Error("Not to be made")),
    url: "https://worker.test/mcp",
    signal: new AbortController().signal,
    authInfo: { token: "", clientId: "alice", scopes: [] },
    session: unknownSession("one", "alice", VERSION, new Date()),
    recorder,
  };
  await expect(goOn(call, { q: "no member of a response" }, reentry)).rejects.toThrow();
  await recorder.settled();
  const { state, events } = await replay("s", 1);
  expect([state, events.map(({ message }) => JSON.parse(message).error.message)]).toEqual([
    "finished",
    ["The call has not ended"],
  ]);
});
