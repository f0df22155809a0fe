// One cleanup run and its log line. A run that failed is logged and thrown, so that Cron Events shows it as failed.
import { DatabaseFault } from "../db/fault.ts";
import { errorName, type LogFields, logOf } from "../log.ts";
import type { CleanupReport, CleanupStore } from "./store.ts";
import type { Tier } from "./tiers.ts";

const failureFields = [
  "kind",
  "sqlstate",
  "error",
  "tier",
  "duration_ms",
  "run_id",
  "outcome",
  "deleted",
  "batches",
  "cron",
  "variables",
] as const;

const log = logOf("cleanup", {
  debug: {
    "MCP session cleanup: no expired sessions to delete": {
      meaning: "A run had nothing to do.",
      fields: ["tier", "duration_ms", "run_id", "outcome", "deleted", "batches"],
    },
  },
  info: {
    "MCP session cleanup: deleted {deleted} expired sessions": {
      meaning: "A run has deleted sessions. `outcome` says whether any are left: `completed` or `partial`.",
      fields: ["tier", "duration_ms", "run_id", "outcome", "deleted", "batches"],
    },
    "MCP session cleanup: skipped": {
      meaning: "Another run is at work (`busy`), or the event was handled before (`duplicate`).",
      fields: ["tier", "duration_ms", "run_id", "outcome", "deleted", "batches", "reason"],
    },
  },
  warning: {
    "MCP session cleanup: {blocked} expired sessions cannot be deleted": {
      meaning:
        "They stay, and each run tries them again. `blocked_by` says what keeps them: SQLSTATEs or `kept`.",
      fields: ["tier", "run_id", "blocked", "blocked_by"],
    },
  },
  error: {
    session_cleanup_task_failed: {
      meaning:
        "A run, or a cron event, has failed. `kind` and `sqlstate` say why; what was deleted before stays deleted.",
      fields: failureFields,
    },
  },
});

/** The log line of every failure of a run or of a cron event. */
export const logCleanupFailure = (details: Partial<Pick<LogFields, (typeof failureFields)[number]>>) =>
  log.error("session_cleanup_task_failed", details);

/** The database ended a run with an error, after it had committed and recorded what was deleted until then. */
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
  return (await clean(store, "regular", currentTime)).deleted;
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
  return (await clean(store, "immediate", currentTime)).deleted;
}

/** A run of any tier with all that it reports. @throws DatabaseFault | CleanupFailed */
export async function clean(store: CleanupStore, tier: Tier, currentTime: Date): Promise<CleanupReport> {
  const startedAt = Date.now();
  const timing = () => ({ tier, duration_ms: Date.now() - startedAt });
  let report: CleanupReport;
  try {
    report = await store.clean(tier, currentTime);
  } catch (error) {
    const cause =
      error instanceof DatabaseFault
        ? { kind: error.kind, sqlstate: error.sqlstate }
        : { error: errorName(error) };
    logCleanupFailure({ ...timing(), ...cause });
    throw error;
  }
  const { runId, outcome, deleted, batches, errorCode, blocked, blockedBy } = report;
  const details = { ...timing(), run_id: runId, outcome, deleted, batches };
  if (blocked > 0) {
    log.warning("MCP session cleanup: {blocked} expired sessions cannot be deleted", {
      tier,
      run_id: runId,
      blocked,
      blocked_by: blockedBy,
    });
  }
  if (outcome === "failed") {
    logCleanupFailure({ ...details, kind: "run_failed", sqlstate: errorCode });
    throw new CleanupFailed(tier, report);
  }
  if (outcome === "skipped") log.info("MCP session cleanup: skipped", { ...details, reason: errorCode });
  else if (deleted === 0) log.debug("MCP session cleanup: no expired sessions to delete", details);
  else log.info("MCP session cleanup: deleted {deleted} expired sessions", details);
  return report;
}
