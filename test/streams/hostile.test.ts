// What no client sends: answers, cancellations and cursors of every kind. Each is refused or taken, and never a failure.
import { expect, test } from "vitest";
import { registerAskingTools } from "../support/asking-tools.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { createDatabase, databaseRequests } from "../support/worker.ts";
import { isolates } from "./isolates.ts";
import { answerTo, callOf, eventsOf, openSession, post, resume, textOf } from "./wire.ts";

async function asked() {
  const database = await createDatabase();
  const workers = isolates(database.env({ MCP_STREAMS: "true" }), registerAskingTools);
  const session = await openSession(workers);
  const askName = async (id: string | number = 1, from = session) => {
    const [first, question] = await eventsOf(
      await post(workers, callOf("ask_name", {}, id), { session: from }),
    );
    return { first: first?.id ?? "", question: String(question?.message?.id) };
  };
  return { database, workers, session, askName };
}

// Of what a form may hold; each as it is written.
const contents: Record<string, string> = {
  NUL: String.raw`{"name":"a\u0000b"}`,
  "unpaired surrogates": String.raw`{"name":"\ud800","other":"\udc00\ud800"}`,
  "ends of lines": '{"name":"\u2028\u2029\u0085"}',
  "an event": String.raw`{"name":"\n\ndata: {}\n\nid: 1\r\n"}`,
  "names of prototypes": '{"name":"x","constructor":"y","toString":"z"}',
  "a megabyte": `{"name":"${"x".repeat(1_000_000)}"}`,
  "a megabyte of escapes": `{"name":"${String.raw`\u0001`.repeat(150_000)}"}`,
};

test.each(Object.entries(contents))("an answer with %s reaches the tool as it is", async (_, content) => {
  const { workers, session, askName } = await asked();
  const { first, question } = await askName();
  const answer = `{"jsonrpc":"2.0","id":"${question}","result":{"action":"accept","content":${content}}}`;
  expect((await post(workers, answer, { session })).status).toBe(202);
  await workers.settled();
  const { messages } = await resume(workers, first, { session });
  expect(JSON.parse(textOf(messages.at(-1))?.slice("Hello ".length) ?? "")).toEqual(JSON.parse(content));
});

const results: Record<string, string> = {
  __proto__: '{"action":"accept","content":{"name":"x","__proto__":{"polluted":true}}}',
  "__proto__ of the result": '{"action":"accept","__proto__":{"action":"accept","polluted":true}}',
  "an action that is none": '{"action":"perhaps"}',
  "no action": "{}",
  "another kind of result": '{"roots":[]}',
  "content that is no object": '{"action":"accept","content":[1]}',
  "a result of a call": '{"content":[{"type":"text","text":"x"}],"isError":true}',
  questions: '{"resultType":"input_required","inputRequests":{"name":{"method":"elicitation/create"}}}',
  "deep content": `{"action":"accept","content":${'{"a":'.repeat(150)}1${"}".repeat(150)}}`,
};

test.each(Object.entries(results))(
  "after an answer with %s the call goes on to one end, or asks again",
  async (_, result) => {
    const { workers, session, askName } = await asked();
    const { first, question } = await askName();
    expect(
      (await post(workers, `{"jsonrpc":"2.0","id":"${question}","result":${result}}`, { session })).status,
    ).toBe(202);
    await workers.settled();
    const { messages } = await resume(workers, first, { session });
    // The question, and what has come of its answer.
    expect(messages).toHaveLength(2);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect(logged().filter(({ level }) => level === "ERROR")).toEqual([]);
  },
);

test("an id that no question has is refused without a query beside the session's", async () => {
  const { workers, session, askName } = await asked();
  const { question } = await askName();
  const ids = [
    0,
    1,
    -5,
    "",
    "1",
    "\0",
    "\ud800",
    "é",
    "__proto__",
    "x".repeat(256),
    question.toUpperCase(),
    `${question} `,
    `${question}\0`,
    `{"a":1}`,
    "null",
    "undefined",
  ];
  for (const id of ids) {
    const before = await databaseRequests();
    expect([id, (await post(workers, answerTo(id, {}), { session })).status]).toEqual([id, 400]);
    expect((await databaseRequests()) - before).toBe(1);
  }
  const anonymous = { jsonrpc: "2.0", error: { code: 1, message: "x" } };
  expect((await post(workers, anonymous, { session })).status).toBe(400);
  // Of the right form.
  expect((await post(workers, answerTo(crypto.randomUUID(), {}), { session })).status).toBe(400);
  expect((await post(workers, answerTo(question, {}), { session })).status).toBe(202);
  await workers.settled();
});

test("a cancellation of what is no call does nothing", async () => {
  const { database, workers, session, askName } = await asked();
  const { question } = await askName("mine");
  const long = JSON.stringify("x".repeat(1_000_000));
  for (const id of [
    "null",
    "{}",
    "[]",
    "true",
    "1.5",
    "1e400",
    "-0",
    String.raw`"\u0000"`,
    String.raw`"\ud800"`,
    '"__proto__"',
    '"%"',
    '"mine\\""',
    long,
    '["mine"]',
  ]) {
    const text = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`;
    expect([id.slice(0, 20), (await post(workers, text, { session })).status]).toEqual([
      id.slice(0, 20),
      202,
    ]);
  }
  for (const params of ["", ',"params":{}'])
    expect(
      (await post(workers, `{"jsonrpc":"2.0","method":"notifications/cancelled"${params}}`, { session }))
        .status,
    ).toBe(202);
  expect(await database.query("SELECT FROM mcp_questions")).toHaveLength(1);
  expect((await post(workers, answerTo(question, { name: "x" }), { session })).status).toBe(202);
  await workers.settled();
});

test("a cursor that this session was never given is 404, without a query beside the session's", async () => {
  const { workers, session, askName } = await asked();
  const { first } = await askName();
  const other = await openSession(workers);
  const foreign = (await askName(1, other)).first;
  const [stream = "", request = "", code = ""] = first.split(".");
  const [, , foreignCode = ""] = foreign.split(".");
  const cursors = [
    "",
    "0",
    "null",
    "x".repeat(8000),
    "\u00e9\u00ff",
    "../../x",
    foreign,
    `${first}.1`,
    `${first}0000000000`,
    first.replace(/\.0$/, ".-1"),
    first.replace(/\.0$/, "."),
    first.replace(/\.0$/, ".1e3"),
    first.toLowerCase(),
    `${stream}.${request}.${foreignCode}.0`,
    `${stream}..${code}.0`,
    `${request}.${stream}.${code}.0`,
    `${stream.slice(1)}A.${request}.${code}.0`,
  ];
  for (const cursor of cursors) {
    const before = await databaseRequests();
    expect([cursor.slice(0, 99), (await resume(workers, cursor, { session })).status]).toEqual([
      cursor.slice(0, 99),
      404,
    ]);
    expect((await databaseRequests()) - before).toBe(1);
  }
  // Its own, of an event that is not there.
  for (const event of ["7", "999999999"])
    expect((await resume(workers, first.replace(/0$/, event), { session })).status).toBe(200);
  expect((await resume(workers, first, { session, accept: "application/json" })).status).toBe(406);
});

test("no id of an event, of a question and of a stream, and no answer, is in a log line", async () => {
  const { database, workers, session, askName } = await asked();
  const { first, question } = await askName();
  for (const secret of [first, question, first.split(".")[0] ?? "", "an-answer-in-the-open"])
    keepSecret(secret);
  await post(workers, answerTo(question, { name: "an-answer-in-the-open" }), { session });
  await workers.settled();
  await resume(workers, first, { session });
  // Failures, too.
  for (const table of ["mcp_streams", "mcp_stream_events", "mcp_questions", "mcp_marks"])
    await database.query(`DROP TABLE ${table}`);
  const statuses = [
    (await resume(workers, first, { session })).status,
    (await post(workers, answerTo(question, { name: "an-answer-in-the-open" }), { session })).status,
    (
      await post(
        workers,
        { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: question } },
        { session },
      )
    ).status,
  ];
  expect(statuses).toEqual([503, 503, 503]);
  await (await post(workers, callOf("ask_name"), { session })).text();
  await workers.settled();
  expect(logged("Events not kept")).toMatchObject([{ reason: "schema_missing" }]);
});
