// Structured logs: one line an event, to the console, which Workers Logs collects. The only place that names a sink.
import {
  configureSync,
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
      description: "The least severe lines that are logged.",
    }),
    LOG_FORMAT: choice(logFormats, {
      default: "json",
      description: "JSON for machines, or text for people.",
    }),
  },
  read: (values): LogConfig => ({ level: values.LOG_LEVEL, format: values.LOG_FORMAT }),
});

/** `{"@timestamp","level","message","logger", …properties}` in one line. */
const json = getJsonLinesFormatter({ properties: "flatten", message: "rendered" });

/** For people: `09:31:00.123 INFO message key=value …`. */
const text: TextFormatter = getTextFormatter({
  timestamp: "time",
  timeZone: "UTC",
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

/** Messages of a subject by level, each with what it means. */
type Messages = Partial<Record<LogConfig["level"], Record<string, string>>>;

/** A logger that takes the messages it was made with, and no others. */
type Log<M extends Messages> = {
  [Level in keyof M]-?: (message: keyof M[Level] & string, properties?: Record<string, unknown>) => void;
};

/** What each log line means, for the reference manual: subject, level, message, meaning. */
export const logManual: { subject: string; level: string; message: string; meaning: string }[] = [];

/** The logger of a subject, such as `cleanup`. */
export function logOf<const M extends Messages>(subject: string, messages: M): Log<M> {
  const logger = getLogger(["mcp-sessions", subject]);
  const methods = logLevels.map((level) => {
    for (const [message, meaning] of Object.entries(messages[level] ?? {})) {
      logManual.push({ subject, level, message, meaning });
    }
    return [
      level,
      (message: string, properties?: Record<string, unknown>) => logger[level](message, properties),
    ];
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has every level
  return Object.fromEntries(methods) as Log<M>;
}

/**
 * An error as far as a log may have it: its name. Messages stay out: Drizzle puts every parameter into them, and the
 * Neon driver can put the password there.
 */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
