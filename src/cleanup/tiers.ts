// The cleanup tiers: which cron starts which, and in which mode. Pure.
import { Cron } from "croner";

export const tierNames = ["regular", "immediate"] as const;
export type Tier = (typeof tierNames)[number];
export type CleanupMode = "standard" | "aggressive";

/** How a run can stand: `partial` has used up its time budget, and the next one goes on. */
export const runOutcomes = ["running", "completed", "partial", "skipped", "failed"] as const;

interface TierRule {
  /** The modes in which the tier's cron does something. */
  modes: readonly CleanupMode[];
}

const tiers: Record<Tier, TierRule> = {
  // Every session that has expired.
  regular: { modes: ["standard", "aggressive"] },
  // Every session that expired MCP_IMMEDIATE_CLEANUP_AGE_SECONDS ago or earlier.
  immediate: { modes: ["aggressive"] },
};

export function runsIn(tier: Tier, mode: CleanupMode): boolean {
  return tiers[tier].modes.includes(mode);
}

/** A cron event that no tier knows: wrangler.toml and the variables disagree. */
export class UnknownCron extends Error {
  override name = "UnknownCron";
}

/**
 * The tier that a cron event is for. Cloudflare passes the string of wrangler.toml character for character.
 * @throws UnknownCron: guessing a tier here would delete on a schedule that nobody asked for.
 */
export function tierForCron(cron: string, crons: Record<Tier, string>): Tier {
  const tier = tierNames.find((name) => crons[name] === cron);
  if (tier === undefined) {
    throw new UnknownCron(
      `No cleanup tier has the cron ${JSON.stringify(cron)}: MCP_REGULAR_CLEANUP_CRON and ` +
        "MCP_IMMEDIATE_CLEANUP_CRON must say the same as the triggers in wrangler.toml",
    );
  }
  return tier;
}

/**
 * A cron as Cloudflare reads it: five fields, UTC, weekdays from 1 (Sunday) to 7.
 * @throws when the expression is none, or never comes.
 */
export function parseCron(expression: string): Cron {
  const cron = new Cron(expression, { utcOffset: 0, mode: "5-part", alternativeWeekdays: true });
  if (cron.nextRun() === null) throw new Error("The cron has no event");
  return cron;
}

/** The time between two events around `now`, in seconds: the longer one of the last two intervals. */
export function intervalSeconds(cron: Cron, now: Date): number {
  const next = cron.nextRun(now)?.getTime() ?? Number.POSITIVE_INFINITY;
  const [last = Number.NEGATIVE_INFINITY, before = last] = cron
    .previousRuns(2, now)
    .map((event) => event.getTime());
  return Math.max(next - last, last - before) / 1000;
}
