// A run whose caller goes away. Not behind PgBouncer, which closes the connection without cancelling what runs on it.
import { sql } from "drizzle-orm";
import { expect, inject, test } from "vitest";
import { runCleanupOnce } from "../../src/cleanup/clean.ts";
import { connect } from "../../src/db/client.ts";
import { addExpired, poll, slowDown, storeOf } from "../support/cleanup.ts";
import { createDatabase } from "../support/worker.ts";

test("a run whose caller has gone is cancelled, recorded with its count, and lets the next one run", async () => {
  const database = await createDatabase();
  await slowDown(database);
  await addExpired(database, 100);
  const abandoned = connect({ url: database.url, endpointOverride: inject("neonEndpoint") }).run(
    { name: "an impatient cleanup", budgetMs: 500, isIdempotent: false },
    (db) => db.execute(sql`CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 2, 60000, 30)`),
  );
  await expect(abandoned).rejects.toMatchObject({ kind: "timeout" });
  const failed = await poll(() => database.query("SELECT * FROM mcp_cleanup_runs WHERE outcome = 'failed'"));
  const done = Number(failed["deleted"]);
  expect(failed["error_code"]).toBe("57014");
  expect(done).toBeGreaterThan(0);
  expect(await runCleanupOnce(storeOf(database))).toBe(100 - done);
});
