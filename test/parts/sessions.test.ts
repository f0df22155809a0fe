// The sessions that the parts of one environment share.
import { expect, test } from "vitest";
import { sessionsIn } from "../../src/parts/sessions.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { createDatabase } from "../support/worker.ts";

const opening = {
  protocolVersion: "2025-11-25",
  clientInfo: { name: "known", version: "1" },
  capabilities: {},
};

test.each([
  [{ MCP_DEGRADED_MODE: "serve" }, true],
  [{ MCP_DEGRADED_MODE: "refuse" }, false],
  [{ MCP_DEGRADED_MODE: "refuse", MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60" }, true],
])("with %j found sessions are remembered: %s", async (variables, isRemembered) => {
  const env = (await createDatabase()).env(variables);
  const { store } = sessionsIn(env);
  const key = keepSecret("a".repeat(64));
  await store.open({ ...opening, key, principal: "ann" });
  await store.resume(key, "ann");
  expect(store.recall(key, "ann") !== undefined).toBe(isRemembered);
});
