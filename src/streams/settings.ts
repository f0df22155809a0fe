import { defineSettings, documented, flag, integer, text } from "../settings.ts";

/** How answers outlive their requests. */
export interface StreamConfig {
  /** How long events and questions are kept, in seconds. */
  ttlSeconds: number;
  /** How long a client waits before it comes back, in milliseconds. */
  retryMs: number;
}

export interface StreamsConfig {
  /** Undefined: no answer outlives its request. */
  streams: StreamConfig | undefined;
  /** Undefined: nothing is sealed. */
  requestStateKeys: readonly string[] | undefined;
}

const MIN_KEY_CHARACTERS = 32;

const requestStateKeys = documented(
  text
    .transform((value) => value.split(/[\s,]+/).filter((key) => key !== ""))
    .refine((keys) => keys.length > 0 && keys.every((key) => key.length >= MIN_KEY_CHARACTERS), {
      error: `must be keys of ${MIN_KEY_CHARACTERS} characters or more, with spaces between them`,
    })
    .optional(),
  {
    description:
      "Seals what a tool gives its client from one question to the next, so that `context.requestState` works. The first key seals, all open. [More](../streams.md#what-a-client-carries)",
    form: "random keys of 32 characters or more, with spaces between them",
    default: "not set",
  },
  "secret",
);

export const streamSettings = defineSettings({
  shape: {
    MCP_STREAMS: flag({
      default: false,
      description:
        "Whether clients of 2025-11-25 can take up a broken answer again, and tools can ask them. [More](../streams.md)",
    }),
    // As long as people take to answer; the SDK waits as long.
    MCP_STREAM_TTL_SECONDS: integer({
      default: 600,
      min: 60,
      max: 86_400,
      unit: "seconds",
      description:
        "How long the events of an answer are kept for a client that comes back, and a question for its answer.",
    }),
    MCP_STREAM_RETRY_MS: integer({
      default: 1000,
      min: 100,
      max: 60_000,
      unit: "milliseconds",
      description: "How long a client waits before it asks for the rest of an answer.",
    }),
    MCP_REQUEST_STATE_KEYS: requestStateKeys,
  },
  read: (values): StreamsConfig => ({
    streams: values.MCP_STREAMS
      ? { ttlSeconds: values.MCP_STREAM_TTL_SECONDS, retryMs: values.MCP_STREAM_RETRY_MS }
      : undefined,
    requestStateKeys: values.MCP_REQUEST_STATE_KEYS,
  }),
});
