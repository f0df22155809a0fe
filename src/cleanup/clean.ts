// One cleanup run and its log line. A run that failed is logged and thrown, so that Cron Events shows it.
import { DatabaseFault } from "../db/fault.ts";
import { describeFault } from "../errors.ts";
import { logOf } from "../log.ts";
import type { CleanupReport, CleanupStore } from "./store.ts";
import type { Tier } from "./tiers.ts";

const log = logOf("cleanup");

/** A run that the database ended with an error, after what it had deleted was committed and recorded. */
export class CleanupFailed extends Error {
  override name = "CleanupFailed";
  readonly report: CleanupReport;

  constructor(tier: Tier, report: CleanupReport) {
    super(`${tier} cleanup failed after ${report.deleted} deletions (${report.errorCode})`);
    this.report = report;
  }
}

/**
 * Regular tier: deletes every session that expired before `currentTime`.
 * @returns the number deleted.
 * @throws DatabaseFault | CleanupFailed
 */
export async function runCleanupOnce(store: CleanupStore, currentTime: Date = new Date()): Promise<number> {
  return (await cleanTier(store, "regular", currentTime)).deleted;
}

/**
 * Immediate tier: deletes the sessions that had been expired for the configured age at `currentTime`.
 * @returns the number deleted.
 * @throws DatabaseFault | CleanupFailed
 */
export async function runImmediateCleanup(
  store: CleanupStore,
  currentTime: Date = new Date(),
): Promise<number> {
  return (await cleanTier(store, "immediate", currentTime)).deleted;
}

/** What the schedule calls for each tier. */
export const runTier = {
  regular: runCleanupOnce,
  immediate: runImmediateCleanup,
} as const satisfies Record<Tier, (store: CleanupStore, currentTime: Date) => Promise<number>>;

/** One run of a tier and its log line. @throws DatabaseFault | CleanupFailed */
export async function cleanTier(store: CleanupStore, tier: Tier, currentTime: Date): Promise<CleanupReport> {
  const startedAt = Date.now();
  const timing = () => ({ tier, duration_ms: Date.now() - startedAt });
  let report: CleanupReport;
  try {
    report = await store.clean(tier, currentTime);
  } catch (error) {
    const fault =
      error instanceof DatabaseFault ? { kind: error.kind, sqlstate: error.sqlstate } : describeFault(error);
    log.error("session_cleanup_task_failed", { ...timing(), ...fault });
    throw error;
  }
  const { runId, outcome, deleted, batches, errorCode } = report;
  const details = { ...timing(), run_id: runId, outcome, deleted, batches };
  if (outcome === "failed") {
    log.error("session_cleanup_task_failed", { ...details, kind: "run_failed", sqlstate: errorCode });
    throw new CleanupFailed(tier, report);
  }
  if (outcome === "skipped") log.info("MCP session cleanup: skipped", { ...details, reason: errorCode });
  else if (deleted === 0) log.debug("MCP session cleanup: no expired sessions to delete", details);
  else log.info("MCP session cleanup: deleted {deleted} expired sessions", details);
  return report;
}
