// A stream as one JSON answer, whatever is in it.
import { expect, test } from "vitest";
import { jsonAnswerOf } from "../../src/mcp/json-answer.ts";

const streamOf = (...messages: object[]) =>
  new Response(messages.map((message) => `event: message\ndata: ${JSON.stringify(message)}\n\n`).join(""), {
    headers: { "Content-Type": "text/event-stream" },
  });
const answer = (id: number, text: string) => ({ jsonrpc: "2.0", id, result: { text } });

test.each(["a\u2028b", "\u2029", "a\rb\nc", "data: no", "\u0000", "\ud800"])("keeps %j", async (text) => {
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { message: text } };
  const response = await jsonAnswerOf(streamOf(progress, answer(1, text)));
  expect(response.headers.get("Content-Type")).toBe("application/json");
  expect(await response.json()).toEqual(answer(1, text));
});

test("of a batch it is the list of answers", async () => {
  const answers = [answer(1, "a\u2028"), answer(2, "b")];
  expect(await (await jsonAnswerOf(streamOf(...answers))).json()).toEqual(answers);
});

test("a response that is no stream stays as it is", async () => {
  const response = Response.json(answer(1, "a"));
  expect(await jsonAnswerOf(response)).toBe(response);
});

test("a stream without an answer is a mistake", async () => {
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: {} };
  for (const stream of [streamOf(), streamOf(progress)])
    await expect(jsonAnswerOf(stream)).rejects.toThrow("The stream has no answer");
});
