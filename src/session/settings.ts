import {
  choice,
  defineSettings,
  integer,
  MAX_SECONDS,
  optionalBinding,
  optionalInteger,
  type Values,
} from "../settings.ts";
import { CLIENT_DATA_BYTES } from "./client-data.ts";
import type { Lifetimes } from "./session.ts";

/** What is needed of a rate limit binding. */
export interface RateLimit {
  limit: (options: { key: string }) => Promise<{ success: boolean }>;
}

/** How sessions live, and what they may use. */
export interface SessionConfig extends Lifetimes {
  /** How long an isolate serves a session that it has found, without asking the database. */
  validationIntervalSeconds: number;
  /** The time for all attempts of one statement. */
  timeoutMs: number;
  degradedMode: "refuse" | "serve";
  /** How many live sessions a principal may have. */
  maxPerPrincipal: number;
  /** How many bytes a client may say of itself in `initialize`. */
  clientDataMaxBytes: number;
  /** Undefined: opening sessions is not limited in time. */
  initializeRateLimit: RateLimit | undefined;
}

/** Twenty-four hours, as MCP servers commonly keep their sessions. */
export const DEFAULT_TTL_SECONDS = 86_400;

const shape = {
  MCP_SESSION_TTL_SECONDS: integer({
    default: DEFAULT_TTL_SECONDS,
    min: 1,
    max: MAX_SECONDS,
    unit: "seconds",
    description: "How long a session lives after its last use.",
  }),
  // A client that needs its session comes back at once.
  MCP_SESSION_INIT_TTL_SECONDS: integer({
    default: 300,
    min: 1,
    max: MAX_SECONDS,
    unit: "seconds",
    description:
      "How long a session lives after `initialize` until its client comes back for the first time.",
  }),
  MCP_SESSION_MAX_LIFETIME_SECONDS: optionalInteger({
    default: "no limit",
    min: 1,
    max: MAX_SECONDS,
    unit: "seconds",
    description: "How long a session lives at most, even while it is used.",
  }),
  MCP_SESSION_TOUCH_INTERVAL_SECONDS: integer({
    default: 60,
    min: 0,
    max: MAX_SECONDS,
    unit: "seconds",
    description: "A session that is used is written to the database at most once in this time.",
  }),
  MCP_SESSION_VALIDATION_INTERVAL_SECONDS: integer({
    default: 0,
    min: 0,
    max: 3600,
    unit: "seconds",
    description:
      "How long an isolate serves a session from its cache, without a query. A session that was ended on another isolate is served until then.",
  }),
  // MCP clients give up after 60 s, and a tool needs most of that.
  MCP_SESSION_TIMEOUT_MS: integer({
    default: 10_000,
    min: 100,
    max: 60_000,
    unit: "milliseconds",
    description: "The time limit of a statement for an MCP request or an operator, retries included.",
  }),
  MCP_MAX_SESSIONS_PER_PRINCIPAL: integer({
    default: 1000,
    min: 1,
    max: 1_000_000,
    unit: "sessions",
    description:
      "How many live sessions a principal may have. One more ends the least recently used one. As many expired or ended ones may wait for the cleanup; one more deletes the oldest.",
  }),
  // A quarter of what a body may have: parseBody takes `initialize` up to four times as long.
  MCP_CLIENT_DATA_MAX_BYTES: integer({
    default: CLIENT_DATA_BYTES,
    min: 1024,
    max: 262_144,
    unit: "bytes",
    description:
      "How much a client may say of itself in `initialize`: `clientInfo` and `capabilities` together, as JSON in UTF-8 without white space. It is kept in the row of the session.",
  }),
  MCP_DEGRADED_MODE: choice(["refuse", "serve"], {
    default: "refuse",
    description:
      "What a request of a session gets while the database cannot be asked. `refuse`: 503. `serve`: its tools run, without the state of the session.",
  }),
  INITIALIZE_RATE_LIMIT: optionalBinding<RateLimit>("limit", {
    description: "How fast a principal may open sessions, in each Cloudflare location.",
    form: "rate limit binding",
  }),
};

export const sessionSettings = defineSettings({
  shape,
  rules: [
    {
      variable: "MCP_SESSION_TTL_SECONDS",
      // A session in constant use is touched at the first validation after the touch interval.
      holds: (values) =>
        values.MCP_SESSION_TTL_SECONDS >
        values.MCP_SESSION_TOUCH_INTERVAL_SECONDS + values.MCP_SESSION_VALIDATION_INTERVAL_SECONDS,
      problem:
        "must be more than MCP_SESSION_TOUCH_INTERVAL_SECONDS and MCP_SESSION_VALIDATION_INTERVAL_SECONDS together, " +
        "or a session would expire while it is used",
    },
  ],
  read,
});

function read(values: Values<typeof shape>): SessionConfig {
  return {
    ttlSeconds: values.MCP_SESSION_TTL_SECONDS,
    initTtlSeconds: values.MCP_SESSION_INIT_TTL_SECONDS,
    maxLifetimeSeconds: values.MCP_SESSION_MAX_LIFETIME_SECONDS,
    touchIntervalSeconds: values.MCP_SESSION_TOUCH_INTERVAL_SECONDS,
    validationIntervalSeconds: values.MCP_SESSION_VALIDATION_INTERVAL_SECONDS,
    timeoutMs: values.MCP_SESSION_TIMEOUT_MS,
    degradedMode: values.MCP_DEGRADED_MODE,
    maxPerPrincipal: values.MCP_MAX_SESSIONS_PER_PRINCIPAL,
    clientDataMaxBytes: values.MCP_CLIENT_DATA_MAX_BYTES,
    initializeRateLimit: values.INITIALIZE_RATE_LIMIT,
  };
}
