// What the tables of sessions and runs hold by themselves. That the migrations make just these: test/drizzle/drift.test.ts.
import { getTableConfig, PgDialect, type PgTable } from "drizzle-orm/pg-core";
import type { SQL } from "drizzle-orm";
import { expect, test } from "vitest";
import { mcpCleanupRuns, mcpSessions } from "../../src/db/schema.ts";

const textOf = (part: SQL | undefined) =>
  part && new PgDialect().sqlToQuery(part).sql.replaceAll('"mcp_cleanup_runs".', "");
const checksOf = (table: PgTable) =>
  Object.fromEntries(getTableConfig(table).checks.map(({ name, value }) => [name, textOf(value)]));

test("a run is of a tier, was started by something, and stands in one of the ways", () => {
  expect(checksOf(mcpCleanupRuns)).toMatchObject({
    mcp_cleanup_runs_tier: `"tier" IN ('regular', 'immediate')`,
    mcp_cleanup_runs_trigger: `"trigger" IN ('cron', 'manual')`,
    mcp_cleanup_runs_outcome: `"outcome" IN ('running', 'completed', 'partial', 'skipped', 'failed')`,
  });
});

test("a run that is running has no end, its counts are not below 0, and a skipped or failed one has a code", () => {
  const checks = checksOf(mcpCleanupRuns);
  expect(checks).toMatchObject({
    mcp_cleanup_runs_finished: `("outcome" = 'running') = ("finished_at" IS NULL)`,
    mcp_cleanup_runs_counts: `"deleted" >= 0 AND "batches" >= 0 AND "blocked" >= 0`,
    mcp_cleanup_runs_error_code: `("outcome" IN ('skipped', 'failed')) = ("error_code" IS NOT NULL)`,
  });
  expect(Object.keys(checks)).toHaveLength(6);
});

test("the table of sessions, which another program may share, has no check and three indexes", () => {
  const { checks, indexes } = getTableConfig(mcpSessions);
  expect(checks).toEqual([]);
  expect(indexes.map(({ config }) => [config.name, textOf(config.where)])).toEqual([
    ["idx_mcp_sessions_expires", undefined],
    ["idx_mcp_sessions_by_owner", "principal IS NOT NULL"],
    ["idx_mcp_sessions_by_handle", undefined],
  ]);
});
