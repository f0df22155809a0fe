// A database whose clock stands still, so that a test can meet a bound exactly.
import { asSuperuser, nameOf, type TestDatabase } from "../support/worker.ts";

/**
 * From now on statements of the Worker read this time from `now()`. Routines, triggers and defaults keep the real clock, so the
 * time is best one of long ago.
 */
export async function stopClock(database: TestDatabase, time: string): Promise<void> {
  const moment = new Date(time).toISOString();
  // What a path names before pg_catalog is found first.
  const path = "SET search_path = public, pg_catalog";
  await asSuperuser(`ALTER DATABASE ${nameOf(database.url)} ${path}`, database);
  await database.query(
    `CREATE OR REPLACE FUNCTION public.now() RETURNS timestamptz STABLE LANGUAGE sql AS $$SELECT '${moment}'::timestamptz$$`,
  );
}
