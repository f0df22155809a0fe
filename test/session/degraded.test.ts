// The session of a request while the database cannot be asked. What is served with it: test/recovery/degraded.test.ts.
import { expect, test } from "vitest";
import { DEGRADED_HEADER, unknownSession } from "../../src/session/degraded.ts";

const NOW = new Date("2026-11-25T12:00:00Z");

test("nothing is known of it but its key, its principal and the version of the request", () => {
  expect(unknownSession("the key", "alice", "2025-11-25", NOW)).toEqual({
    key: "the key",
    principal: "alice",
    protocolVersion: "2025-11-25",
    clientInfo: { name: "unknown", version: "unknown" },
    capabilities: {},
    logLevel: null,
    createdAt: NOW,
    lastActive: NOW,
    expiresAt: NOW,
    isDegraded: true,
  });
});

test("a request without a version has that of 2025-03-26, as MCP 2025-06-18 says", () => {
  expect(unknownSession("k", "alice", undefined, NOW).protocolVersion).toBe("2025-03-26");
});

test("the answer says so in a header", () => {
  expect(DEGRADED_HEADER).toBe("Mcp-Session-Degraded");
});
