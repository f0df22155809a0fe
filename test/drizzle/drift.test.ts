// The drift check of `npm run check` fails when the schema, the migrations and the routines differ.
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findDrift } from "../../drizzle/drift.ts";
import { adminOf, query, withCopy } from "./databases.ts";

/** The drift of a copy of drizzle/ that `change` has changed. */
const driftAfter = (change: (folder: string) => void) =>
  withCopy("drizzle", async (folder) => {
    change(folder);
    try {
      return await findDrift(adminOf("postgres"), folder);
    } finally {
      await query(
        adminOf("postgres"),
        "DROP DATABASE IF EXISTS from_schema",
        "DROP DATABASE IF EXISTS from_files",
      );
    }
  });

test("there is none", async () => {
  expect(await driftAfter(() => {})).toEqual([]);
});

const replaceIn = (file: string, text: string, replacement: string) => (folder: string) => {
  const path = join(folder, file);
  const before = readFileSync(path, "utf8");
  expect(before).toContain(text);
  writeFileSync(path, before.replace(text, replacement));
};
const addTo = (file: string, text: string) => (folder: string) => appendFileSync(join(folder, file), text);
const BASELINE = "0000_baseline.sql";

test.each([
  [
    "a column that the migrations give another default",
    replaceIn(BASELINE, "deleted bigint NOT NULL DEFAULT 0", "deleted bigint NOT NULL DEFAULT 1"),
    "only in src/db/schema.ts: column mcp_cleanup_runs deleted bigint NOT NULL 0",
  ],
  [
    "an index on other columns",
    replaceIn(
      "indexes/idx_mcp_cleanup_runs_tier.sql",
      "mcp_cleanup_runs (tier, run_id)",
      "mcp_cleanup_runs (run_id, tier)",
    ),
    "only in src/db/schema.ts: index CREATE INDEX idx_mcp_cleanup_runs_tier ON mcp_cleanup_runs USING btree (tier, run_id)",
  ],
  [
    "a constraint with another list",
    replaceIn(BASELINE, "trigger IN ('cron', 'manual')", "trigger IN ('cron', 'manual', 'other')"),
    "only in the migrations: constraint mcp_cleanup_runs mcp_cleanup_runs_trigger CHECK ((trigger = ANY (ARRAY['cron'::text, 'manual'::text, 'other'::text])))",
  ],
  [
    "a table of the migrations only",
    addTo(BASELINE, "CREATE TABLE IF NOT EXISTS extra (a text);"),
    "only in the migrations: column extra a text",
  ],
  [
    "a function that a migration makes",
    addTo(BASELINE, "CREATE OR REPLACE FUNCTION extra() RETURNS integer LANGUAGE sql AS 'SELECT 1';"),
    "not in drizzle/routines: extra",
  ],
  [
    "an index that a migration makes",
    addTo(BASELINE, "CREATE INDEX IF NOT EXISTS idx_mcp_sessions_expires ON mcp_sessions (expires_at);"),
    "0000_baseline makes an index: move it to drizzle/indexes/NAME.sql",
  ],
  [
    "an index without its file",
    (folder) => rmSync(join(folder, "indexes/idx_mcp_sessions_expires.sql")),
    "only in src/db/schema.ts: index CREATE INDEX idx_mcp_sessions_expires ON mcp_sessions USING btree (expires_at)",
  ],
  [
    "a snapshot that lacks a column",
    replaceIn("meta/0005_snapshot.json", '"state_version": {', '"state_versio": {'),
    "src/db/schema.ts has changed: run npm run db:generate",
  ],
])("it names %s", async (_, change, line) => {
  expect(await driftAfter(change)).toContain(line);
});

test("a column that the migrations do not make fails it", async () => {
  await expect(driftAfter(replaceIn(BASELINE, "      ('state_version', 'bigint'),\n", ""))).rejects.toThrow(
    "missing: mcp_sessions.state_version",
  );
});

test("a routine without its file fails it", async () => {
  // The triggers call it.
  await expect(
    driftAfter((folder) => rmSync(join(folder, "routines/mcp_count_session_rows.sql"))),
  ).rejects.toThrow("function mcp_count_session_rows() does not exist");
});
