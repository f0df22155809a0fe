// What is said of the variables before the Worker starts.
import { expect, test } from "vitest";
import { checkVariables } from "../../dev/variables.ts";

test("a wrong value is a problem, as the Worker would say it", async () => {
  const { problems, warnings } = await checkVariables({ MCP_AGGRESSIVE_CLEANUP: "yes", LOG_LEVEL: "debug" });
  expect(problems).toEqual(["MCP_AGGRESSIVE_CLEANUP must be true, false, 1 or 0."]);
  expect(warnings).toEqual([]);
});

test("an unknown variable is a warning with the nearest known one", async () => {
  const { problems, warnings } = await checkVariables({ MCP_AGRESSIVE_CLEANUP: "yes", WEATHER_KEY: "x" });
  expect(problems).toEqual([]);
  expect(warnings).toEqual([
    "MCP_AGRESSIVE_CLEANUP is not a variable of this Worker. Did you mean MCP_AGGRESSIVE_CLEANUP?",
  ]);
});

test("bindings that wrangler.toml has are not missing here", async () => {
  expect(await checkVariables({ MCP_CLEANUP_IDLE_SLEEP: "true" })).toEqual({ problems: [], warnings: [] });
});

test("no value is repeated", async () => {
  const { problems } = await checkVariables({ API_KEYS: "alice:mcp:secret" });
  expect(problems.join()).not.toContain("secret");
});
