// What the routes of the MCP endpoint say of themselves: which bodies and headers they take, and how they answer.
import { describe, expect, test } from "vitest";
import { BATCH_MESSAGES } from "../../src/http/json-bounds.ts";
import { operations } from "../../src/http/openapi.ts";
import { mcpDeleteRoute, mcpGetRoute, mcpPostRoute } from "../../src/mcp/routes.ts";

const [post, get, end] = [mcpPostRoute, mcpGetRoute, mcpDeleteRoute].map((route) => operations.get(route));
const isRefusal = (body: unknown) => post?.refusal?.safeParse(body).success;
const takes = (body: unknown) => post?.body?.safeParse(body).success;

const request = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const STORE = ["sessions_unavailable", "sessions_unusable"];

describe("a body", () => {
  test.each<[string, object]>([
    ["a request", request],
    ["a request with an id of text", { ...request, id: "a" }],
    ["a notification", { jsonrpc: "2.0", method: "notifications/initialized" }],
    ["parameters", { ...request, params: { cursor: "x", _meta: { progressToken: 7, other: {} } } }],
    ["a token of text", { ...request, params: { _meta: { progressToken: "p" } } }],
    ["a result", { jsonrpc: "2.0", id: 1, result: { content: [] } }],
    ["an error", { jsonrpc: "2.0", id: 1, error: { code: -1, message: "no", data: 1 } }],
    ["an error without an id", { jsonrpc: "2.0", error: { code: -1, message: "no" } }],
    ["a batch of one", [request]],
    ["the largest batch", Array.from({ length: BATCH_MESSAGES }, () => request)],
  ])("may be %s", (_, body) => {
    expect(takes(body)).toBe(true);
  });

  test.each<[string, unknown]>([
    ["of another version", { ...request, jsonrpc: "1.0" }],
    ["with an id that is no whole number", { ...request, id: 1.5 }],
    ["with a token that is an object", { ...request, params: { _meta: { progressToken: {} } } }],
    ["with a member that JSON-RPC does not have", { ...request, more: 1 }],
    ["without a method", { jsonrpc: "2.0", id: 1 }],
    ["with a result and no id", { jsonrpc: "2.0", result: {} }],
    ["with a result that is no object", { jsonrpc: "2.0", id: 1, result: 5 }],
    ["with an error that has no message", { jsonrpc: "2.0", id: 1, error: { code: -1 } }],
    ["with an error whose code is no whole number", { jsonrpc: "2.0", error: { code: 0.5, message: "" } }],
    ["with nothing in its batch", []],
    ["with too much in its batch", Array.from({ length: BATCH_MESSAGES + 1 }, () => request)],
  ])("may not be one %s", (_, body) => {
    expect(takes(body)).toBe(false);
  });
});

test.each([
  ["POST", post, [true, true, true, true]],
  ["GET", get, [false, false, false, true]],
  ["DELETE", end, [false, true, false, true]],
])("%s needs these headers", (_, route, expected) => {
  const session = { "Mcp-Session-Id": "x" };
  const lastEvent = { "Last-Event-ID": "y" };
  const sent = [{}, session, lastEvent, { ...session, ...lastEvent }];
  expect(sent.map((headers) => route?.headers?.safeParse(headers).success)).toEqual(expected);
});

test("a header names a revision with sessions, or none", () => {
  const named = (version: string) => post?.headers?.safeParse({ "MCP-Protocol-Version": version }).success;
  expect(["2025-11-25", "2025-03-26", "2026-07-28", "x"].map(named)).toEqual([true, true, false, false]);
});

test.each([
  [
    "POST",
    post,
    [
      "origin_not_allowed",
      "not_acceptable",
      "unsupported_media_type",
      "parse_error",
      "invalid_request",
      "invalid_params",
      "session_id_required",
      "session_not_found",
      "unsupported_protocol_version",
      "too_many_sessions",
    ],
  ],
  [
    "GET",
    get,
    [
      "origin_not_allowed",
      "not_acceptable",
      "session_id_required",
      "session_not_found",
      "unsupported_protocol_version",
    ],
  ],
  [
    "DELETE",
    end,
    ["origin_not_allowed", "session_id_required", "session_not_found", "unsupported_protocol_version"],
  ],
])("%s is refused for these reasons, and for the store's", (_, route, reasons) => {
  expect([route?.scope, route?.refusals]).toEqual(["mcp", [...reasons, ...STORE]]);
});

describe("an answer", () => {
  test("has one of these statuses, and the types of its body", () => {
    const typesOf = (route: typeof post) =>
      Object.entries(route?.answers ?? {}).map(([status, { contentTypes }]) => [status, contentTypes]);
    expect(typesOf(post)).toEqual([
      ["200", ["application/json", "text/event-stream"]],
      ["202", undefined],
      ["400", undefined],
    ]);
    expect(typesOf(get)).toEqual([["200", ["text/event-stream"]]]);
    expect(typesOf(end)).toEqual([["204", undefined]]);
    expect(end?.answers[204]?.description).toBe("The session is ended");
  });

  test("is a message of JSON-RPC, or a list of them", () => {
    const message = { jsonrpc: "2.0", id: 1, result: {} };
    const isAnswer = (route: typeof post, status: number, body: unknown) =>
      route?.answers[status]?.schema?.safeParse(body).success;
    expect(
      [message, [message, message], { id: 1 }, [{ id: 1 }], "x"].map((body) => isAnswer(post, 200, body)),
    ).toEqual([true, true, false, false, false]);
    expect([message, [message], { id: 1 }].map((body) => isAnswer(post, 400, body))).toEqual([
      true,
      false,
      false,
    ]);
    expect([message, [message], { id: 1 }].map((body) => isAnswer(get, 200, body))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("is a refusal of JSON-RPC, or of OAuth", () => {
    const error = { code: -32000, message: "no" };
    expect(isRefusal({ jsonrpc: "2.0", error, id: null })).toBe(true);
    const data = { kind: "timeout", sqlstate: null };
    expect(isRefusal({ jsonrpc: "2.0", error: { ...error, data }, id: null })).toBe(true);
    expect(isRefusal({ jsonrpc: "2.0", error, id: 1 })).toBe(false);
    for (const name of ["invalid_token", "insufficient_scope"])
      expect(isRefusal({ error: name, error_description: "no" })).toBe(true);
    expect(isRefusal({ error: "other", error_description: "no" })).toBe(false);
    expect(isRefusal({ error: "invalid_token" })).toBe(false);
  });
});
