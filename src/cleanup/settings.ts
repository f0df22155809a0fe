import {
  defineSettings,
  documented,
  flag,
  integer,
  MAX_SECONDS,
  optionalBinding,
  text,
  type Values,
} from "../settings.ts";
import { type CleanupMode, eachTier, parseCron, type Tier, tiers } from "./tiers.ts";

/** What is needed of Workers KV. */
export interface Records {
  get: (key: string) => Promise<string | null>;
  put: (key: string, value: string) => Promise<void>;
}

/** How the cleanup is scheduled and bounded. */
export interface CleanupConfig {
  mode: CleanupMode;
  /** The cron of each tier, as in wrangler.toml. */
  crons: Record<Tier, string>;
  /** How long a session must have been expired for a tier to delete it. */
  minAgeSeconds: Record<Tier, number>;
  /** Sessions in one transaction. */
  batchSize: number;
  timeBudgetMs: number;
  runRetentionDays: number;
  /** Undefined: every cron event asks the database. */
  idleSleep: { records: Records; maxSeconds: number } | undefined;
}

function isCron(value: string): boolean {
  try {
    return parseCron(value) !== undefined;
  } catch {
    return false; // The message says what a cron must be.
  }
}

function cron(fallback: string, description: string) {
  const schema = text
    .refine(isCron, { error: "must be a cron expression of five fields, as in wrangler.toml" })
    .prefault(fallback);
  return documented(schema, { description, form: "five fields, UTC", default: `\`${fallback}\`` });
}

const shape = {
  MCP_AGGRESSIVE_CLEANUP: flag({
    default: false,
    description: "Switches the immediate tier on.",
  }),
  MCP_REGULAR_CLEANUP_CRON: cron(
    "0 * * * *",
    "The cron of the regular tier. `[triggers]` in wrangler.toml must have the same string.",
  ),
  MCP_IMMEDIATE_CLEANUP_CRON: cron(
    "*/10 * * * *",
    "The cron of the immediate tier. `[triggers]` in wrangler.toml must have the same string.",
  ),
  MCP_IMMEDIATE_CLEANUP_AGE_SECONDS: integer({
    default: 3600,
    min: 0,
    max: MAX_SECONDS,
    unit: "seconds",
    description: "How long a session must have been expired before the immediate tier deletes it.",
  }),
  // 1000 rows keep a batch at a few milliseconds on warm pages and under a second on cold ones.
  MCP_CLEANUP_BATCH_SIZE: integer({
    default: 1000,
    min: 1,
    max: 100_000,
    unit: "sessions",
    description: "How many sessions one transaction of a run deletes.",
  }),
  // Cloudflare ends a cron event after 15 minutes.
  MCP_CLEANUP_TIME_BUDGET_MS: integer({
    default: 20_000,
    min: 100,
    max: 600_000,
    unit: "milliseconds",
    description: "How long a run may delete. A regular run waits at most as long for an immediate one.",
  }),
  MCP_CLEANUP_RUN_RETENTION_DAYS: integer({
    default: 30,
    min: 1,
    max: 3650,
    unit: "days",
    description: "How long the records of runs are kept.",
  }),
  MCP_CLEANUP_IDLE_SLEEP: flag({
    default: false,
    description:
      "A cron event leaves the database asleep when no session can have expired. Needs the KV namespace `CLEANUP_SLEEP`.",
  }),
  // A table that only the Worker writes to needs no limit. A day bounds what another program can leave behind.
  MCP_CLEANUP_MAX_SLEEP_SECONDS: integer({
    default: 86_400,
    min: 60,
    max: MAX_SECONDS,
    unit: "seconds",
    description: "The longest sleep. It matters only when other programs write to the table, too.",
  }),
  CLEANUP_SLEEP: optionalBinding<Records>("put", {
    description: "Keeps until when the database can sleep.",
    form: "KV namespace",
  }),
};

export const cleanupSettings = defineSettings({
  shape,
  rules: [
    {
      variable: "MCP_IMMEDIATE_CLEANUP_CRON",
      holds: (values) => values.MCP_REGULAR_CLEANUP_CRON !== values.MCP_IMMEDIATE_CLEANUP_CRON,
      problem: "must differ from MCP_REGULAR_CLEANUP_CRON: the string of a cron event is what names its tier",
    },
    {
      variable: "MCP_CLEANUP_IDLE_SLEEP",
      holds: (values) => !values.MCP_CLEANUP_IDLE_SLEEP || values.CLEANUP_SLEEP !== undefined,
      problem: "needs the KV namespace CLEANUP_SLEEP in wrangler.toml",
    },
  ],
  read,
});

function read(values: Values<typeof shape>): CleanupConfig {
  return {
    mode: values.MCP_AGGRESSIVE_CLEANUP ? "aggressive" : "standard",
    crons: eachTier((tier) => values[tiers[tier].cronVariable]),
    minAgeSeconds: { regular: 0, immediate: values.MCP_IMMEDIATE_CLEANUP_AGE_SECONDS },
    batchSize: values.MCP_CLEANUP_BATCH_SIZE,
    timeBudgetMs: values.MCP_CLEANUP_TIME_BUDGET_MS,
    runRetentionDays: values.MCP_CLEANUP_RUN_RETENTION_DAYS,
    idleSleep:
      values.MCP_CLEANUP_IDLE_SLEEP && values.CLEANUP_SLEEP !== undefined
        ? { records: values.CLEANUP_SLEEP, maxSeconds: values.MCP_CLEANUP_MAX_SLEEP_SECONDS }
        : undefined,
  };
}
