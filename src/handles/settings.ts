import { defineSettings, flag, integer, MAX_SECONDS } from "../settings.ts";

/** How handles live, and what they may hold. */
export interface HandleConfig {
  /** How long a handle lives, unless its tool says something else. */
  ttlSeconds: number;
  /** How many bytes a value may have as JSON text. */
  limitBytes: number;
  /** How many handles a principal may have. */
  maxPerPrincipal: number;
}

export const handleSettings = defineSettings({
  shape: {
    MCP_HANDLES: flag({
      default: false,
      description:
        "Whether tools can keep values in handles, for clients with and without a session. [More](../handles.md)",
    }),
    // As long as a session.
    MCP_HANDLE_TTL_SECONDS: integer({
      default: 86_400,
      min: 1,
      max: MAX_SECONDS,
      unit: "seconds",
      description: "How long a handle lives when its tool does not say it.",
    }),
    // A quarter of the document of a session: a principal may have a thousand of them.
    MCP_HANDLE_LIMIT_BYTES: integer({
      default: 16_384,
      min: 1,
      max: 1_048_576,
      unit: "bytes",
      description: "How long the value of a handle may be, as JSON in UTF-8 without white space.",
    }),
    MCP_HANDLES_PER_PRINCIPAL: integer({
      default: 1000,
      min: 1,
      max: 1_000_000,
      unit: "handles",
      description: "How many handles a principal may have. One more ends the least recently used one.",
    }),
  },
  read: (values): { handles: HandleConfig | undefined } => ({
    handles: values.MCP_HANDLES
      ? {
          ttlSeconds: values.MCP_HANDLE_TTL_SECONDS,
          limitBytes: values.MCP_HANDLE_LIMIT_BYTES,
          maxPerPrincipal: values.MCP_HANDLES_PER_PRINCIPAL,
        }
      : undefined,
  }),
});
