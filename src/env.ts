// The configuration: every variable, parsed once, for both doors. Errors name variables, never their values.
import * as z from "zod";
import { parseApiKeys } from "./api-keys.ts";
import { type CleanupMode, parseCron, type Tier } from "./cleanup/tiers.ts";
import { logFormats, logLevels } from "./log.ts";

// wrangler.toml may hold a variable as a string, a number or a boolean.
const variable = z.union([z.string(), z.number(), z.boolean()], { error: "must be set" }).transform(String);

// Ten years: a time beyond that is a slip of units.
const MAX_SECONDS = 315_360_000;

/** A whole number; without a fallback it may be left out, and is null then. */
function integer<Fallback extends number | null>(fallback: Fallback, min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return variable
    .refine((value) => /^\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max, {
      error,
      abort: true,
    })
    .transform(Number)
    .optional()
    .transform((value) => value ?? fallback);
}

const boolean = (fallback: boolean) =>
  variable
    .transform((value) => value.toLowerCase())
    .pipe(z.enum(["true", "false", "1", "0"], { error: "must be true, false, 1 or 0" }))
    .transform((value) => value === "true" || value === "1")
    .prefault(String(fallback));

const ratio = (fallback: number) =>
  variable
    .refine((value) => /^\d{1,9}(\.\d{1,9})?$/.test(value) && Number(value) > 0, {
      error: "must be a number above 0",
    })
    .transform(Number)
    .prefault(String(fallback));

const choice = <const T extends readonly string[]>(values: T, fallback: T[number]) =>
  variable.pipe(z.enum(values, { error: `must be one of ${values.join(", ")}` })).prefault(fallback);

const cron = (fallback: string) =>
  variable
    .refine(
      (value) => {
        try {
          return parseCron(value) !== undefined;
        } catch {
          return false; // The message below says what a cron must be.
        }
      },
      { error: "must be a cron expression of five fields, as in wrangler.toml" },
    )
    .prefault(fallback);

const databaseUrl = variable.refine(
  (value) => {
    const url = URL.parse(value);
    const isComplete = url?.username && url.password && url.hostname.includes(".") && url.pathname.length > 1;
    return Boolean(isComplete) && ["postgres:", "postgresql:"].includes(url?.protocol ?? "");
  },
  { error: "must be a Neon connection string: postgresql://role:password@host.neon.tech/database" },
);

const origins = variable
  .transform((value) => value.split(/[\s,]+/).filter((origin) => origin !== ""))
  .refine((list) => list.every((origin) => URL.parse(origin)?.origin === origin && /^https?:/.test(origin)), {
    error: "must be origins such as https://app.example.com, separated by commas",
  })
  .prefault("");

// A binding of wrangler.toml, not a variable; a deployment may leave it out.
const rateLimit = z
  .custom<RateLimit>((value) => typeof Object(value).limit === "function", {
    error: "must be a rate limit binding",
  })
  .optional();

// Another: where cron events note how long the database can sleep.
const sleepNotes = z
  .custom<KVNamespace>((value) => typeof Object(value).put === "function", {
    error: "must be a KV namespace",
  })
  .optional();

// Another binding: which version of the Worker this is. Its texts are Cloudflare's.
const versionMetadata = z
  .object({ id: z.string(), tag: z.string(), timestamp: z.string() }, { error: "must be version metadata" })
  .optional();

const loopbackHosts = ["127.0.0.1", "localhost", "[::1]"];
const neonEndpointOverride = variable
  .refine(
    (value) => {
      const url = value === "" ? undefined : URL.parse(value);
      return url === undefined || (url?.protocol === "http:" && loopbackHosts.includes(url.hostname));
    },
    { error: "must be empty, or an http URL whose host is 127.0.0.1, localhost or [::1]" },
  )
  .prefault("");

const bindings = z
  .object({
    DATABASE_URL: databaseUrl,
    API_KEYS: variable.transform((value, context) => {
      const { keys, problems } = parseApiKeys(value);
      for (const message of problems) context.addIssue({ code: "custom", message });
      return keys;
    }),
    MCP_AGGRESSIVE_CLEANUP: boolean(false),
    MCP_REGULAR_CLEANUP_CRON: cron("0 * * * *"),
    MCP_IMMEDIATE_CLEANUP_CRON: cron("*/10 * * * *"),
    MCP_IMMEDIATE_CLEANUP_AGE_SECONDS: integer(3600, 0, MAX_SECONDS),
    // 1000 rows keep a batch at a few milliseconds on warm pages and under a second on cold ones.
    MCP_CLEANUP_BATCH_SIZE: integer(1000, 1, 100_000),
    // Cloudflare ends a cron event after 15 minutes.
    MCP_CLEANUP_TIME_BUDGET_MS: integer(20_000, 100, 600_000),
    MCP_CLEANUP_RUN_RETENTION_DAYS: integer(30, 1, 3650),
    MCP_CLEANUP_IDLE_SLEEP: boolean(false),
    // A table that only the Worker writes to needs no cap; a day bounds what another program can leave behind.
    MCP_CLEANUP_MAX_SLEEP_SECONDS: integer(86_400, 60, MAX_SECONDS),
    // Twenty-four hours, as MCP servers commonly keep them.
    MCP_DEGRADED_MODE: choice(["refuse", "serve"], "refuse"),
    MCP_MAX_SESSIONS_PER_PRINCIPAL: integer(1000, 1, 1_000_000),
    MCP_SESSION_TTL_SECONDS: integer(86_400, 1, MAX_SECONDS),
    MCP_SESSION_MAX_LIFETIME_SECONDS: integer(null, 1, MAX_SECONDS),
    // A client that has a use for its session comes back at once.
    MCP_SESSION_INIT_TTL_SECONDS: integer(300, 1, MAX_SECONDS),
    MCP_SESSION_TOUCH_INTERVAL_SECONDS: integer(60, 0, MAX_SECONDS),
    MCP_SESSION_VALIDATION_INTERVAL_SECONDS: integer(0, 0, 3600),
    // MCP clients give up after 60 s; a tool needs most of that.
    MCP_SESSION_TIMEOUT_MS: integer(10_000, 100, 60_000),
    ALLOWED_ORIGINS: origins,
    // Uptime monitors wait 10 to 30 s; a suspended Neon compute needs a few to wake.
    HEALTH_TIMEOUT_MS: integer(8000, 100, 60_000),
    HEALTH_MAX_AGE_SECONDS: integer(0, 0, 3600),
    HEALTH_EXPIRED_RATIO_MAX: ratio(1),
    INITIALIZE_RATE_LIMIT: rateLimit,
    CLEANUP_SLEEP: sleepNotes,
    CF_VERSION_METADATA: versionMetadata,
    LOG_LEVEL: choice(logLevels, "info"),
    LOG_FORMAT: choice(logFormats, "json"),
    NEON_ENDPOINT_OVERRIDE: neonEndpointOverride,
  })
  .refine((all) => all.MCP_REGULAR_CLEANUP_CRON !== all.MCP_IMMEDIATE_CLEANUP_CRON, {
    path: ["MCP_IMMEDIATE_CLEANUP_CRON"],
    error: "must differ from MCP_REGULAR_CLEANUP_CRON: a cron event tells its tier by its string",
  })
  .refine((all) => !all.MCP_CLEANUP_IDLE_SLEEP || all.CLEANUP_SLEEP !== undefined, {
    path: ["MCP_CLEANUP_IDLE_SLEEP"],
    error: "needs the KV namespace CLEANUP_SLEEP in wrangler.toml",
  })
  // A session that is used all the time is touched at the first validation after the touch interval.
  .refine(
    (all) =>
      all.MCP_SESSION_TTL_SECONDS >
      all.MCP_SESSION_TOUCH_INTERVAL_SECONDS + all.MCP_SESSION_VALIDATION_INTERVAL_SECONDS,
    {
      path: ["MCP_SESSION_TTL_SECONDS"],
      error:
        "must be more than MCP_SESSION_TOUCH_INTERVAL_SECONDS and MCP_SESSION_VALIDATION_INTERVAL_SECONDS together, " +
        "or a session would expire while it is used",
    },
  );

/** A configuration that stops the Worker. Its message names the variables and what they must be. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
  /** Variable name → what it must be. */
  readonly problems: Record<string, string>;

  constructor(problems: Record<string, string>) {
    const list = Object.entries(problems).map(([name, problem]) => `${name} ${problem}`);
    super(`The configuration is wrong: ${list.join("; ")}`);
    this.problems = problems;
  }
}

/**
 * The Worker's bindings as a configuration; README.md has every variable with its unit.
 * @throws ConfigurationError naming every variable that is wrong.
 */
export function readConfig(env: object) {
  const parsed = bindings.safeParse(env);
  if (!parsed.success) {
    const problems: Record<string, string> = {};
    for (const { path, message } of parsed.error.issues) {
      const name = String(path[0]);
      problems[name] = problems[name] === undefined ? message : `${problems[name]}, ${message}`;
    }
    throw new ConfigurationError(problems);
  }
  const vars = parsed.data;
  const mode: CleanupMode = vars.MCP_AGGRESSIVE_CLEANUP ? "aggressive" : "standard";
  return {
    database: { url: vars.DATABASE_URL, endpointOverride: vars.NEON_ENDPOINT_OVERRIDE },
    apiKeys: vars.API_KEYS,
    cleanup: {
      mode,
      crons: {
        regular: vars.MCP_REGULAR_CLEANUP_CRON,
        immediate: vars.MCP_IMMEDIATE_CLEANUP_CRON,
      } satisfies Record<Tier, string>,
      minAgeSeconds: {
        regular: 0,
        immediate: vars.MCP_IMMEDIATE_CLEANUP_AGE_SECONDS,
      } satisfies Record<Tier, number>,
      batchSize: vars.MCP_CLEANUP_BATCH_SIZE,
      timeBudgetMs: vars.MCP_CLEANUP_TIME_BUDGET_MS,
      runRetentionDays: vars.MCP_CLEANUP_RUN_RETENTION_DAYS,
    },
    sleep: vars.MCP_CLEANUP_IDLE_SLEEP
      ? { notes: vars.CLEANUP_SLEEP, maxSeconds: vars.MCP_CLEANUP_MAX_SLEEP_SECONDS }
      : undefined,
    sessions: {
      ttlSeconds: vars.MCP_SESSION_TTL_SECONDS,
      initTtlSeconds: vars.MCP_SESSION_INIT_TTL_SECONDS,
      maxLifetimeSeconds: vars.MCP_SESSION_MAX_LIFETIME_SECONDS,
      touchIntervalSeconds: vars.MCP_SESSION_TOUCH_INTERVAL_SECONDS,
      validationIntervalSeconds: vars.MCP_SESSION_VALIDATION_INTERVAL_SECONDS,
      timeoutMs: vars.MCP_SESSION_TIMEOUT_MS,
      degradedMode: vars.MCP_DEGRADED_MODE,
      maxPerPrincipal: vars.MCP_MAX_SESSIONS_PER_PRINCIPAL,
    },
    initializeRateLimit: vars.INITIALIZE_RATE_LIMIT,
    version: {
      id: vars.CF_VERSION_METADATA?.id ?? "unknown",
      tag: vars.CF_VERSION_METADATA?.tag ?? "",
      deployedAt: vars.CF_VERSION_METADATA?.timestamp ?? null,
    },
    allowedOrigins: vars.ALLOWED_ORIGINS,
    health: {
      timeoutMs: vars.HEALTH_TIMEOUT_MS,
      maxAgeSeconds: vars.HEALTH_MAX_AGE_SECONDS,
      expiredRatioMax: vars.HEALTH_EXPIRED_RATIO_MAX,
    },
    log: { level: vars.LOG_LEVEL, format: vars.LOG_FORMAT },
  };
}

export type Config = ReturnType<typeof readConfig>;
