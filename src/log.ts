// Structured logs: one line an event, to the console, which Workers Logs collects. The only place that names a sink.
import {
  configureSync,
  getConfig,
  getConsoleSink,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type TextFormatter,
} from "@logtape/logtape";
import { choice, defineSettings } from "./settings.ts";

export const logLevels = ["debug", "info", "warning", "error"] as const;
export const logFormats = ["json", "text"] as const;

export interface LogConfig {
  level: (typeof logLevels)[number];
  format: (typeof logFormats)[number];
}

export const logSettings = defineSettings({
  shape: {
    LOG_LEVEL: choice(logLevels, {
      default: "info",
      description: "The least severe level that is logged.",
    }),
    LOG_FORMAT: choice(logFormats, {
      default: "json",
      description: "How a line is written: `json`, one JSON object a line, or `text`, for people.",
    }),
  },
  read: (values): LogConfig => ({ level: values.LOG_LEVEL, format: values.LOG_FORMAT }),
});

/** `{"@timestamp","level","message","logger", …properties}` in one line. */
const json = getJsonLinesFormatter({ properties: "flatten", message: "rendered" });

/** For people: `09:31:00.123 INFO message key=value …`, in UTC, which is what it does when no zone is named. A named one loads Intl. */
const text: TextFormatter = getTextFormatter({
  timestamp: "time",
  level: "FULL",
  format: ({ timestamp, level, message, record }) => {
    const properties = Object.entries(record.properties).map(
      ([key, value]) => `${key}=${JSON.stringify(value)}`,
    );
    return [timestamp, level, message, ...properties].join(" ");
  },
});

/** Sets level and format for this isolate. A second call replaces the first. */
export function configureLog({ level, format }: LogConfig): void {
  configureSync({
    reset: true,
    sinks: { console: getConsoleSink({ formatter: format === "json" ? json : text }) },
    loggers: [
      { category: "mcp-sessions", lowestLevel: level, sinks: ["console"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["console"] },
    ],
  });
}

/** The same, unless the program has a configuration of its own: then its sinks get the lines of `mcp-sessions`. */
export function configureLogOnce(config: LogConfig): void {
  if (getConfig() === null) configureLog(config);
}

/** Every field that a line of ours can have, beside the four that all have. The reference manual takes these texts. */
export interface LogFields {
  /** Whether the tier of the cron event is switched on. */
  active: boolean;
  /** How many times the task was begun, since its client's last answers. */
  attempt: number;
  /** How often the statement was sent. */
  attempts: number;
  /** How many transactions of the run have deleted sessions. */
  batches: number;
  /** The operator: the name of the key; `person:` and 8 hex digits for the bearer of a token. */
  by: string;
  /** The cron of the event, as in wrangler.toml. */
  cron: string;
  /** How many expired sessions cannot be deleted. */
  blocked: number;
  /** What keeps them: SQLSTATEs or `kept`, the most frequent first. */
  blocked_by: string | null;
  /** How many sessions the run has deleted. */
  deleted: number;
  /** How long it took, in milliseconds. Of a request: until the response begins. */
  duration_ms: number;
  /** How many sessions were ended. */
  ended: number;
  /** The name of the error, such as `TypeError`. Never its message, which can hold a secret. */
  error: string;
  /** How many sessions were ended to make room for newer ones. */
  evicted: number;
  /**
   * Why it failed: a [fault of the database](metrics.md#faults-of-the-database), `run_failed`, `unknown_cron` or
   * `configuration_invalid`.
   */
  kind: string | undefined;
  /** The handle: the first 8 characters of its key, which is the SHA-256 of its id. */
  handle: string;
  /** How many tasks have failed, because they were lost and must not be begun again. */
  lost: number;
  /** The method of the request. */
  method: string;
  /** `standard`, or `aggressive` when the immediate tier is switched on. */
  mode: string;
  /** The known variable with the most similar name; null when none is similar. */
  nearest: string | null;
  /** What was done, such as `reading session state`. */
  operation: string;
  /** How it ended. Of a run: see [outcomes](metrics.md#outcomes-of-runs). Of an operation: `succeeded` or `failed`. */
  outcome: string;
  /** Who asked, or whose session it is: the name of a key; `person:` and 8 hex digits for the bearer of a token. */
  principal: string | undefined;
  /** What another Worker has called, such as `open`. */
  verb: string;
  /** The MCP revision that was negotiated, such as `2025-11-25`. */
  protocol_version: string;
  /**
   * Of an ended session: see [end reasons](metrics.md#end-reasons). Of a skipped run: `busy` or `duplicate`. Of a failed
   * health check: a [fault of the database](metrics.md#faults-of-the-database). Of a token: see
   * [OAuth](../oauth.md#it-says-401). Of a refused sign-in: `unknown_key` or `lacks_scope`.
   */
  reason: string | null;
  /** The id of the request. Its response has the same in the header `X-Request-Id`. */
  request_id: string;
  /** The route, such as `/sessions/:handle`; `unmatched` when there is none. Never the path, which the client chose. */
  route: string;
  /** The number of the run: `run_id` in `mcp_cleanup_runs`. */
  run_id: number;
  /** When the cron event was due. */
  scheduled_at: Date;
  /** The session: the first 8 characters of its key, which is the SHA-256 of its id. */
  session: string | undefined;
  /** What did not answer: `metadata`, `keys`, `introspection` or `binding`. */
  source: string;
  /** PostgreSQL's code of the error, such as `57014`; left out when PostgreSQL gave none. */
  sqlstate: string | null | undefined;
  /** How many tasks a runner was asked for. */
  started: number;
  /** The status of the response. */
  status: number;
  /** What a session could not do: a [step of its life](routes.md#get-session-health). Left out when it was not that. */
  step: string | undefined;
  /** The task: the first 8 characters of its key, which is the SHA-256 of its id. */
  task: string;
  /** The cleanup tier: `regular` or `immediate`. */
  tier: string;
  /** Until when cron events leave the database asleep. */
  until: Date;
  /** The name of the variable. */
  variable: string;
  /** The name of each wrong variable, with what it must be. Never its value. */
  variables: Record<string, string>;
}
type LogField = keyof LogFields;

/** A line, for the reference manual; the compiler holds its fields to it. */
interface Line {
  meaning: string;
  fields: readonly LogField[];
}

/** The lines of a subject, by level and message. */
type Lines = Partial<Record<LogConfig["level"], Record<string, Line>>>;

type Properties<L> = L extends { fields: readonly (infer Field extends LogField)[] }
  ? Partial<Pick<LogFields, Field>>
  : never;

/** A logger that takes the messages it was made with, each with its fields, and no others. */
type Log<L extends Lines> = {
  [Level in keyof L]-?: <Message extends keyof L[Level] & string, P extends Properties<L[Level][Message]>>(
    message: Message,
    // What is no field of this line has the type never, also when a variable brings it.
    properties?: P & Record<Exclude<keyof P, keyof Properties<L[Level][Message]>>, never>,
  ) => void;
};

/** Every log line of the modules that are loaded, for the reference manual. */
export const logManual: (Line & { subject: string; level: string; message: string })[] = [];

/** The logger of a subject, such as `cleanup`. */
export function logOf<const L extends Lines>(subject: string, lines: L): Log<L> {
  const logger = getLogger(["mcp-sessions", subject]);
  const methods = logLevels.map((level) => {
    for (const [message, line] of Object.entries(lines[level] ?? {})) {
      logManual.push({ subject, level, message, ...line });
    }
    return [
      level,
      (message: string, properties: Record<string, unknown> = {}) =>
        logger[level](message, definedOf(properties)),
    ];
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has every level
  return Object.fromEntries(methods) as Log<L>;
}

/** Without the fields that a line has nothing to say in. */
function definedOf(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}

/**
 * An error as far as a log may have it: its name. Messages stay out: Drizzle puts every parameter into them, and the
 * Neon driver can put the password there.
 */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
