// Structured logs: one line an event, to the console, which Workers Logs collects. The only place that names a sink.
import {
  configureSync,
  getConsoleSink,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type TextFormatter,
} from "@logtape/logtape";

export const logLevels = ["debug", "info", "warning", "error"] as const;
export const logFormats = ["json", "text"] as const;

export interface LogConfig {
  level: (typeof logLevels)[number];
  format: (typeof logFormats)[number];
}

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

/** Sets level and format for this isolate; called again, it replaces what was set. */
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
