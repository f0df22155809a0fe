// What answers and bodies of MCP are read as.
import { expect, test } from "vitest";
import { AppError, type ErrorCode, refusalOfFault } from "../../src/http/errors.ts";
import { DatabaseFault } from "../../src/db/fault.ts";
import { isObject, isStream, jsonRpcError, messagesOf, messageTextsOf } from "../../src/session/protocol.ts";

test.each<[ErrorCode, number]>([
  ["parse_error", -32_700],
  ["invalid_request", -32_600],
  ["invalid_params", -32_602],
  ["internal", -32_603],
  ["unauthenticated", -32_000],
  ["session_not_found", -32_001],
])("%s is %d", (code, number) => {
  expect(jsonRpcError(new AppError(code, "words"))).toEqual({
    jsonrpc: "2.0",
    error: { code: number, message: "words" },
    id: null,
  });
});

test("what has failed is there for operators alone", () => {
  const fault = new DatabaseFault("reading", {
    kind: "schema_missing",
    retryable: false,
    outcomeUnknown: false,
    answered: true,
    sqlstate: "42P01",
  });
  expect(jsonRpcError(refusalOfFault(fault, true)).error).toMatchObject({
    data: { kind: "schema_missing", sqlstate: "42P01" },
  });
  expect(jsonRpcError(refusalOfFault(fault, false)).error).not.toHaveProperty("data");
});

const streamed = (text: string, type = "text/event-stream") =>
  new Response(text, { headers: { "Content-Type": type } });

test("a stream has a message in each event with data, an answer in JSON is one", async () => {
  const text = 'id: 1\ndata: \n\nevent: message\ndata: {"a":"\u2028"}\n\n: comment\n\ndata: {"b":2}\n\n';
  expect(await messageTextsOf(streamed(text, "text/event-stream; charset=utf-8"))).toEqual([
    '{"a":"\u2028"}',
    '{"b":2}',
  ]);
  expect(await messageTextsOf(streamed("data: {}\n\n", "application/json"))).toEqual(["data: {}\n\n"]);
});

test("a stream is known by how its type begins", () => {
  expect(isStream(streamed(""))).toBe(true);
  expect(isStream(streamed("", "text/event-stream;charset=utf-8"))).toBe(true);
  expect(isStream(streamed("", "application/json, text/event-stream"))).toBe(false);
  expect(isStream(new Response(null))).toBe(false);
});

test("the messages of a body are its objects", () => {
  const [one, other] = [{ method: "a" }, { method: "b" }];
  expect(messagesOf(one)).toEqual([one]);
  expect(messagesOf([one, 1, null, [other], "x", other])).toEqual([one, other]);
  for (const body of [undefined, null, 7, "a", [], [[]]]) expect(messagesOf(body)).toEqual([]);
  expect([{}, [], null, "a"].map(isObject)).toEqual([true, false, false, false]);
});
