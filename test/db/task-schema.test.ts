// What the table of tasks holds by itself. That the migrations make just this: test/drizzle/drift.test.ts.
import type { SQL } from "drizzle-orm";
import { getTableConfig, PgDialect } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { mcpTasks } from "../../src/db/task-schema.ts";

const textOf = (part: SQL | undefined) =>
  part && new PgDialect().sqlToQuery(part).sql.replaceAll('"mcp_tasks".', "");

test("a task has one of five states, and is tried again or fails when who runs it is lost", () => {
  const { checks } = getTableConfig(mcpTasks);
  expect(checks.map(({ name, value }) => [name, textOf(value)])).toEqual([
    [
      "mcp_tasks_status_check",
      `"status" IN ('working', 'input_required', 'completed', 'cancelled', 'failed')`,
    ],
    ["mcp_tasks_on_lost_check", `"on_lost" IN ('retry', 'fail')`],
  ]);
});

test("the index of those that are due has the two states of a task that has not ended, and no others", () => {
  const { indexes } = getTableConfig(mcpTasks);
  expect(indexes.map(({ config }) => [config.name, textOf(config.where)])).toEqual([
    ["idx_mcp_tasks_by_owner", undefined],
    ["idx_mcp_tasks_expires", undefined],
    ["idx_mcp_tasks_alive", `"status" IN ('working', 'input_required')`],
  ]);
});
