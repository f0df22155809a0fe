// What is wrong with a body, in words for its sender.
import { describe, expect, test } from "vitest";
import { batchProblem, bodyProblem, isId, readInitialize } from "../../src/session/messages.ts";

const request = { jsonrpc: "2.0", id: 1, method: "ping" };
const problemOf = (body: unknown, text = JSON.stringify(body)) => bodyProblem(body, text)?.message;

describe("a message", () => {
  test.each<unknown>([
    request,
    { ...request, id: "a" },
    { ...request, params: {} },
    {
      ...request,
      params: { _meta: { progressToken: "t", "io.modelcontextprotocol/related-task": { taskId: "x" } } },
    },
    { jsonrpc: "2.0", method: "notifications/initialized" },
    { jsonrpc: "2.0", id: 1, result: {} },
    { jsonrpc: "2.0", id: 1, result: { _meta: { progressToken: 1 } } },
    { jsonrpc: "2.0", id: 1, error: { code: -1, message: "no", data: 1 } },
    { jsonrpc: "2.0", error: { code: -1, message: "no" } },
  ])("%j is one", (body) => {
    expect(problemOf(body)).toBeUndefined();
  });

  const ID =
    "The member id must be a whole number from -(2^53 - 1) to 2^53 - 1, or text of 256 characters at most";
  const ERROR = "The member error must have a whole number code and a string message";
  test.each<[body: unknown, message: string]>([
    [null, "A message must be an object"],
    ["ping", "A message must be an object"],
    [{ ...request, jsonrpc: "1.0" }, 'The member jsonrpc must be "2.0"'],
    [{ jsonrpc: "2.0", id: 1 }, "The member method is missing"],
    [{ ...request, id: null }, ID],
    [{ ...request, id: 1.5 }, ID],
    [{ ...request, id: 2 ** 53 }, ID],
    [{ ...request, id: "x".repeat(257) }, ID],
    [{ jsonrpc: "2.0", result: {} }, ID],
    [{ jsonrpc: "2.0", id: {}, error: { code: 1, message: "" } }, ID],
    [{ ...request, method: 1 }, "The member method must be a string"],
    [{ ...request, result: {} }, "A request has only jsonrpc, id, method, params"],
    [{ ...request, params: [] }, "The member params must be an object"],
    [{ ...request, params: { _meta: 1 } }, "The member params._meta must be an object"],
    [
      { ...request, params: { _meta: { progressToken: 1.5 } } },
      "The member params._meta.progressToken must be a string or a whole number",
    ],
    [
      { ...request, params: { _meta: { "io.modelcontextprotocol/related-task": { taskId: 1 } } } },
      "The member params._meta.io.modelcontextprotocol/related-task must be an object with a string taskId",
    ],
    [
      { ...request, params: { _meta: { "io.modelcontextprotocol/related-task": "x" } } },
      "The member params._meta.io.modelcontextprotocol/related-task must be an object with a string taskId",
    ],
    [{ jsonrpc: "2.0", id: 1, result: {}, error: {} }, "A response has only jsonrpc, id, result"],
    [{ jsonrpc: "2.0", id: 1, error: {}, params: {} }, "A response has only jsonrpc, id, error"],
    [{ jsonrpc: "2.0", id: 1, result: 1 }, "The member result must be an object"],
    [{ jsonrpc: "2.0", id: 1, result: { _meta: [] } }, "The member result._meta must be an object"],
    [{ jsonrpc: "2.0", id: 1, error: 1 }, ERROR],
    [{ jsonrpc: "2.0", id: 1, error: { code: 1.5, message: "no" } }, ERROR],
    [{ jsonrpc: "2.0", id: 1, error: { code: 1 } }, ERROR],
  ])("%j is none", (body, message) => {
    expect(problemOf(body)).toBe(message);
  });

  test("what is wrong with parameters has the code for that, and what is wrong around them another", () => {
    const codeOf = (body: unknown) => bodyProblem(body, "")?.code;
    expect(codeOf({ ...request, params: 1 })).toBe("invalid_params");
    expect(codeOf({ ...request, params: { _meta: 1 } })).toBe("invalid_params");
    expect(codeOf({ ...request, id: null })).toBe("invalid_request");
    expect(codeOf({ jsonrpc: "2.0", id: 1, result: { _meta: 1 } })).toBe("invalid_request");
  });
});

test("an id is a whole number that a double holds, or text of 256 characters", () => {
  for (const id of [0, -1, 2 ** 53 - 1, "", "x".repeat(256), "🦊".repeat(256)]) expect(isId(id)).toBe(true);
  for (const id of [2 ** 53, 0.5, Number.NaN, "x".repeat(257), "🦊".repeat(257), null, true, {}])
    expect(isId(id)).toBe(false);
});

describe("a number that is not written as what it is read as", () => {
  const bodyWith = (id: string, name = "id") => `{"jsonrpc":"2.0","method":"ping","${name}" :\t${id}}`;
  const isTaken = (text: string) => problemOf(JSON.parse(text), text) === undefined;

  test.each([
    "1",
    "-7",
    "1.0",
    "-2.500e3",
    "12.5E1",
    "1e3",
    "0.0",
    "-0.0",
    "120e-1",
    "1.0e0",
    "1e+2",
    "1.00",
    "0.0e-5",
    `1.${"0".repeat(38)}`,
  ])("%s is itself", (id) => {
    expect(isTaken(bodyWith(id))).toBe(true);
  });

  test.each([
    "1.00000000000000000001",
    "0.99999999999999999999",
    "1e-400",
    "-1.0000000000000000000001e0",
    `1.${"0".repeat(60)}`,
    "10000000000000000000001e-1",
    "1.0000000000000000000001e1",
    `1.${"0".repeat(39)}`,
    `1e${"0".repeat(39)}`,
    "0.99999999999999999999e10",
    "10.00000000000000000001e-1",
  ])("%s is another", (id) => {
    expect(isTaken(bodyWith(id))).toBe(false);
    for (const name of ["\\u0069d", "i\\u0064", "\\u0069\\u0064"])
      expect(isTaken(bodyWith(id, name))).toBe(false);
    const text = `{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"progressToken":${id}}}}`;
    expect(isTaken(text)).toBe(false);
  });

  test("other members may have any number", () => {
    expect(isTaken(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"grid":1.00000000000000000001}}`)).toBe(
      true,
    );
  });
});

describe("a batch", () => {
  const note = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };

  test("has messages, each with an id of its own, and none that is sent by itself", () => {
    expect(problemOf([])).toBe("A batch must have a message");
    expect(
      problemOf([request, { ...request, id: "1" }, { jsonrpc: "2.0", id: 1, result: {} }]),
    ).toBeUndefined();
    expect(problemOf([request, null])).toBe("Message 2 of the batch: A message must be an object");
    expect(problemOf([request, request])).toBe("Message 2 of the batch: another request has the same id");
    expect(problemOf([{ ...request, method: "initialize" }])).toBe(
      "Message 1 of the batch: initialize must be sent by itself",
    );
    expect(problemOf([{ jsonrpc: "2.0", method: "initialize" }])).toContain("must be sent by itself");
  });

  test("cancels no request of its own, whichever is first", () => {
    expect(problemOf([note, request])).toBe("Message 1 of the batch: it cancels a request of the same batch");
    expect(problemOf([request, note])).toContain("Message 2");
    expect(problemOf([note, { ...request, id: 2 }])).toBeUndefined();
    expect(problemOf([{ ...note, method: "notifications/other" }, request])).toBeUndefined();
    expect(problemOf([{ jsonrpc: "2.0", method: "notifications/cancelled" }, request])).toBeUndefined();
  });

  test("ended with 2025-03-26", () => {
    for (const revision of ["2024-11-05", "2025-03-26"]) expect(batchProblem([], revision)).toBeUndefined();
    expect(batchProblem([], "2025-06-18")).toEqual({
      code: "invalid_request",
      message: "Batches ended with MCP 2025-03-26: send one message a request",
    });
    expect(batchProblem(request, "2025-06-18")).toBeUndefined();
  });
});

describe("initialize", () => {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: { roots: {} },
    clientInfo: { name: "a", version: "1", title: "A" },
  };
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params };

  test("is read, and no other message", () => {
    expect(readInitialize(initialize)).toEqual({ params });
    expect(readInitialize(request)).toBeUndefined();
    expect(readInitialize(null)).toBeUndefined();
  });

  test.each<[change: object, message: string]>([
    [{ params: undefined }, "The member params of initialize is missing"],
    [{ params: 1 }, "The member params of initialize must be an object"],
    [
      { params: { ...params, protocolVersion: undefined } },
      "params.protocolVersion of initialize is missing",
    ],
    [{ params: { ...params, protocolVersion: 1 } }, "must be a string, such as 2025-11-25"],
    [{ params: { ...params, capabilities: [] } }, "params.capabilities of initialize must be an object"],
    [{ params: { ...params, clientInfo: "me" } }, "params.clientInfo of initialize must be an object"],
    [
      { params: { ...params, clientInfo: { name: "a" } } },
      "params.clientInfo.version of initialize is missing",
    ],
    [
      { params: { ...params, clientInfo: { name: 1, version: "1" } } },
      "params.clientInfo.name of initialize must be a string",
    ],
  ])("with %j it is refused by the name of the member", (change, message) => {
    expect(readInitialize({ ...initialize, ...change })).toMatchObject({
      problem: { code: "invalid_params", message: expect.stringContaining(message) },
    });
  });

  test("is a request", () => {
    expect(readInitialize({ jsonrpc: "2.0", method: "initialize", params })).toEqual({
      problem: { code: "invalid_request", message: "initialize is a request: the member id is missing" },
    });
  });
});
