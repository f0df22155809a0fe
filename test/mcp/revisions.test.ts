// What is of a revision with sessions, as the SDK says it: most messages are judged without asking the SDK.
import { isLegacyRequest as isLegacyForSdk, PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import {
  isLegacyRequest,
  legacyCheckOf,
  legacyVersions,
  mcpMethodsOf,
  sessionsOnly,
} from "../../src/mcp/revisions.ts";
import { bodyProblem } from "../../src/session/messages.ts";

const MODERN = "2026-07-28";

const params: Record<string, unknown> = {
  none: undefined,
  empty: {},
  arguments: { name: "add", arguments: { a: 1 } },
  "a token of progress": { _meta: { progressToken: 7 } },
  "a claim": { _meta: { [PROTOCOL_VERSION_META_KEY]: MODERN } },
  "an old claim": { _meta: { [PROTOCOL_VERSION_META_KEY]: "2025-11-25" } },
  "a claim that is none": { _meta: { [PROTOCOL_VERSION_META_KEY]: 7 } },
  "a related task": { _meta: { "io.modelcontextprotocol/related-task": { taskId: "x" } } },
  initialize: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "a", version: "1" } },
};
const methods = ["initialize", "notifications/initialized", "tools/call", "ping", "x/unknown"];
const message = (method: string, id: unknown, value: unknown) => ({
  jsonrpc: "2.0",
  ...(id !== undefined && { id }),
  method,
  ...(value !== undefined && { params: value }),
});

const bodies: [string, unknown][] = [
  ...methods.flatMap((method) =>
    Object.entries(params).flatMap(([name, value]): [string, unknown][] => [
      [`${method}, ${name}`, message(method, 1, value)],
      [`${method} as a notification, ${name}`, message(method, undefined, value)],
    ]),
  ),
  ["a result", { jsonrpc: "2.0", id: 1, result: {} }],
  ["an error", { jsonrpc: "2.0", id: 1, error: { code: -1, message: "no" } }],
  ["a batch", [message("ping", 1, undefined), message("ping", 2, undefined)]],
  ["a batch with a claim", [message("ping", 1, params["a claim"])]],
];

describe.each([undefined, ...legacyVersions, MODERN, "2024-01-01", "2099-01-01"])(
  "with the version %s",
  (version) => {
    test.each(bodies)("%s", async (_name, body) => {
      // The gate refuses others before it asks.
      expect(bodyProblem(body, JSON.stringify(body))).toBeUndefined();
      const request = () =>
        new Request("https://worker.test/mcp", {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            ...(version !== undefined && { "MCP-Protocol-Version": version }),
          },
        });
      expect(await isLegacyRequest(request(), body)).toBe(await isLegacyForSdk(request(), body));
    });
  },
);

test.each(["", "tomorrow", "v2025-11-25", "2025-11-25, 2025-11-25", "2026-07-28, 2026-07-28"])(
  "%j names no revision, and so none without sessions",
  async (version) => {
    const headers = { "MCP-Protocol-Version": version };
    const request = new Request("https://worker.test/mcp", { method: "POST", headers });
    expect(await isLegacyRequest(request, message("tools/call", 1, params["arguments"]))).toBe(true);
  },
);

test("without a body a request has a session", async () => {
  const request = new Request("https://worker.test/mcp", { method: "DELETE" });
  expect(await isLegacyRequest(request, undefined)).toBe(true);
});

test("what is no request with a method is judged as the SDK judges it", async () => {
  const request = () => {
    const headers = { "Content-Type": "application/json", "MCP-Protocol-Version": "tomorrow" };
    return new Request("https://worker.test/mcp", { method: "POST", headers });
  };
  const ping = message("ping", 1, undefined);
  const judged: [unknown, boolean][] = [
    [{ ...ping, jsonrpc: "1.0" }, false],
    [{ ...ping, method: 5 }, false],
    [{ jsonrpc: "2.0", id: 1, result: {} }, true],
  ];
  for (const [body, isLegacy] of judged) {
    expect(await isLegacyForSdk(request(), body)).toBe(isLegacy);
    expect(await isLegacyRequest(request(), body)).toBe(isLegacy);
  }
});

const pinging = (version: string) =>
  new Request("https://worker.test/mcp", {
    method: "POST",
    headers: { "Content-Type": "application/json", "MCP-Protocol-Version": version },
  });

test("where revisions with sessions are served, a request may be of one; where they are not, none is", async () => {
  const body = message("ping", 1, undefined);
  for (const eras of ["both", "sessions"] as const) {
    expect(await legacyCheckOf(eras)(pinging("2025-11-25"), body)).toBe(true);
    expect(await legacyCheckOf(eras)(pinging(MODERN), message("ping", 1, params["a claim"]))).toBe(false);
  }
  expect(await legacyCheckOf("stateless")(pinging("2025-11-25"), body)).toBe(false);
});

test.each([
  ["both", true, ["GET", "POST", "DELETE"]],
  ["both", false, ["POST", "DELETE"]],
  ["sessions", true, ["GET", "POST", "DELETE"]],
  ["stateless", true, ["POST"]],
  ["stateless", false, ["POST"]],
] as const)("%s: with streams, %s, the methods are %j", (eras, areStreamsReplayed, expected) => {
  expect(mcpMethodsOf(eras, areStreamsReplayed)).toEqual(expected);
});

const claiming = (version: unknown, more: object = {}) => ({
  ...message("tools/list", "mine", { _meta: { [PROTOCOL_VERSION_META_KEY]: version } }),
  ...more,
});

test("a client that wants no session reads which revisions there are, and nothing may keep that", async () => {
  const response = sessionsOnly(claiming(MODERN));
  expect([response.status, response.headers.get("Cache-Control")]).toEqual([400, "no-store"]);
  expect(await response.json()).toEqual({
    jsonrpc: "2.0",
    id: "mine",
    error: {
      code: -32022,
      message: expect.stringContaining(MODERN),
      data: { supported: legacyVersions, requested: MODERN },
    },
  });
});

test.each([
  ["2026-07-28", "2026-07-28"],
  ["1999-12-31", "1999-12-31"],
  ["x2026-07-28", "unknown"],
  ["2026-07-28x", "unknown"],
  ["12026-07-28", "unknown"],
  ["2026-7-28", "unknown"],
  ["", "unknown"],
  [20260728, "unknown"],
  [undefined, "unknown"],
])("the revision %j is repeated as %s", async (version, requested) => {
  const { error } = await sessionsOnly(claiming(version)).json<{ error: { data: object } }>();
  expect(error.data).toMatchObject({ requested });
});

test.each([
  ["a", "a"],
  [0, 0],
  [undefined, null],
  [{}, null],
  [true, null],
])("the id %j is repeated as %j", async (id, repeated) => {
  expect(await sessionsOnly(claiming(MODERN, { id })).json()).toMatchObject({ id: repeated });
});

test.each([undefined, null, [], "x"])("a body of %j has no id and names no revision", async (body) => {
  expect(await sessionsOnly(body).json()).toMatchObject({
    id: null,
    error: { data: { requested: "unknown" } },
  });
});
