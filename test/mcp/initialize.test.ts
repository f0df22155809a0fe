// What is wrong with the parameters of an `initialize`, in words that hold nothing of it.
import { expect, test } from "vitest";
import { initializeProblem } from "../../src/mcp/initialize.ts";

const clientInfo = { name: "a client", version: "1" };
const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };

test("nothing is wrong with what the protocol takes", () => {
  expect(initializeProblem(params)).toBeUndefined();
  const capabilities = { roots: { listChanged: true }, experimental: { mine: {} } };
  expect(initializeProblem({ ...params, capabilities })).toBeUndefined();
});

test.each<[string, unknown]>([
  ["params", undefined],
  ["params.protocolVersion", { ...params, protocolVersion: 5 }],
  ["params.clientInfo.version", { ...params, clientInfo: { name: "secret" } }],
  ["params.capabilities.roots", { ...params, capabilities: { roots: 5 } }],
  ["params.capabilities.experimental", { ...params, capabilities: { experimental: { "secret name": 5 } } }],
])("%s is named when it is wrong", (member, given) => {
  const message = `The member ${member} of initialize is not as the Model Context Protocol has it`;
  expect(initializeProblem(given)).toBe(message);
});
