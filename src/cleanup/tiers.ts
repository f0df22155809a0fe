// The cleanup tiers: what each deletes, when, and under which names its runs are recorded. Pure.
import { Cron } from "croner";

export const tierNames = ["regular", "immediate"] as const;
export type Tier = (typeof tierNames)[number];
export type CleanupMode = "standard" | "aggressive";

interface TierRule {
  /** The modes in which the tier's cron event starts a run. */
  modes: readonly CleanupMode[];
  /** The variable with its cron expression. */
  cronVariable: "MCP_REGULAR_CLEANUP_CRON" | "MCP_IMMEDIATE_CLEANUP_CRON";
}

/** What is known of each tier. A tier that is added to `tierNames` does not compile without its entry here. */
export const tiers: Record<Tier, TierRule> = {
  // Every session that has expired.
  regular: { modes: ["standard", "aggressive"], cronVariable: "MCP_REGULAR_CLEANUP_CRON" },
  // Every session that expired MCP_IMMEDIATE_CLEANUP_AGE_SECONDS ago or earlier.
  immediate: { modes: ["aggressive"], cronVariable: "MCP_IMMEDIATE_CLEANUP_CRON" },
};

/** One value for each tier, in their order. */
export function eachTier<T>(valueOf: (tier: Tier) => T): Record<Tier, T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are exactly the tiers
  return Object.fromEntries(tierNames.map((tier) => [tier, valueOf(tier)])) as Record<Tier, T>;
}

/** What starts a run. */
export const triggers = ["cron", "manual"] as const;
export type Trigger = (typeof triggers)[number];

/** How a run can end. `partial`: its time budget was used up, and the next run goes on. */
export const endedOutcomes = ["completed", "partial", "skipped", "failed"] as const;

/** How a run can stand: it is `running` until it has ended. */
export const runOutcomes = ["running", ...endedOutcomes] as const;
export type RunOutcome = (typeof runOutcomes)[number];

/** Upper bounds of the histogram of durations, in milliseconds. mcp_count_cleanup_run has the same. */
export const durationBoundsMs = [10, 50, 100, 500, 1000, 5000, 20_000, 60_000, 300_000] as const;

export function runsIn(tier: Tier, mode: CleanupMode): boolean {
  return tiers[tier].modes.includes(mode);
}

/** A cron event that belongs to no tier: wrangler.toml and the variables disagree. */
export class UnknownCron extends Error {
  override name = "UnknownCron";
}

/**
 * The tier of a cron event. Cloudflare passes the string of wrangler.toml character for character.
 * @throws UnknownCron: guessing a tier here would delete on a schedule that nobody asked for.
 */
export function tierForCron(cron: string, crons: Record<Tier, string>): Tier {
  const tier = tierNames.find((name) => crons[name] === cron);
  if (tier === undefined) {
    const variables = tierNames.map((name) => tiers[name].cronVariable).join(" and ");
    throw new UnknownCron(
      `No cleanup tier has the cron ${JSON.stringify(cron)}: ${variables} must say the same as the triggers in wrangler.toml`,
    );
  }
  return tier;
}

/**
 * A cron as Cloudflare reads it: five fields, UTC, weekdays from 1 (Sunday) to 7.
 * @throws when the expression is not a cron, or has no event in the future.
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
