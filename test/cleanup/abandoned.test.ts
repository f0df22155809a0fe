// A run whose caller goes away. Not behind PgBouncer, which closes the connection without cancelling what runs on it.
import { neon, neonConfig } from "@neondatabase/serverless";
import { expect, inject, test } from "vitest";
import { runCleanupOnce } from "../../src/cleanup/clean.ts";
import { addExpired, poll, runInProgress, slowDown, storeOf } from "../support/cleanup.ts";
import { createDatabase } from "../support/worker.ts";

test("a run whose caller has gone is cancelled, recorded with its count, and lets the next one run", async () => {
  const database = await createDatabase();
  await slowDown(database);
  await addExpired(database, 1000);
  const caller = new AbortController();
  neonConfig.fetchEndpoint = inject("neonEndpoint");
  const abandoned = neon(database.url, { fetchOptions: { signal: caller.signal } }).query(
    "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 2, 60000, 30)",
  );
  abandoned.catch(() => {});
  await runInProgress(database);
  caller.abort();
  await expect(abandoned).rejects.toThrow();
  const failed = await poll(() => database.query("SELECT * FROM mcp_cleanup_runs WHERE outcome = 'failed'"));
  const done = Number(failed["deleted"]);
  expect(failed["error_code"]).toBe("57014");
  expect(done).toBeGreaterThan(0);
  await database.query("DROP TRIGGER slow ON mcp_sessions");
  expect(await runCleanupOnce(storeOf(database))).toBe(1000 - done);
});
