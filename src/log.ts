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

/** The logger of one subject, such as `cleanup`. */
export function logOf(subject: string) {
  return getLogger(["mcp-sessions", subject]);
}

/**
 * An error as far as a log may have it: its name. Messages stay out: Drizzle puts every parameter into them, and the
 * Neon driver can put the password there.
 */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
