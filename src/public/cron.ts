// mcp-sessions/cron: the cleanup of sessions on Cron Triggers.
export { CleanupFailed } from "../cleanup/clean.ts";
export { type Tier, tierNames, UnknownCron } from "../cleanup/tiers.ts";
export { type CronEvent, scheduledCleanup } from "../parts/scheduled.ts";
