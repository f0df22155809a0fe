// What is of a revision with sessions, as the SDK says it: most messages are judged without asking the SDK.
import { isLegacyRequest as isLegacyForSdk, PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import { isLegacyRequest, legacyVersions } from "../../src/mcp/revisions.ts";
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
