import { defineSettings, documented, integer, text } from "../settings.ts";
import { BODY_VALUES } from "./json-bounds.ts";

// URL gives these no origin, but browsers send one.
const EXTENSION = /^[a-z][a-z-]*-extension:\/\/[\w.-]+$/;

const isOrigin = (value: string) =>
  EXTENSION.test(value) || (/^https?:/.test(value) && URL.parse(value)?.origin === value);

const origins = text
  .transform((value) => value.split(/[\s,]+/).filter((origin) => origin !== ""))
  .refine((list) => list.every(isOrigin), {
    error:
      "must be origins such as https://app.example.com or chrome-extension://abcdefghijklmnopabcdefghijklmnop, separated by commas",
  })
  .prefault("");

export const httpSettings = defineSettings({
  shape: {
    ALLOWED_ORIGINS: documented(origins, {
      description: "The web pages and browser extensions that may call `/mcp`, by their origins.",
      form: "origins such as `https://app.example.com`, `chrome-extension://ID` or `moz-extension://ID`, separated by commas or spaces",
      default: "none",
    }),
    // 1 MiB holds 524,288 values at most, so the upper end is no bound any more.
    MCP_BODY_MAX_VALUES: integer({
      default: BODY_VALUES,
      min: 1000,
      max: 1_000_000,
      unit: "values",
      description:
        "How many values a body may have on all levels: texts, numbers, `true`, `false`, `null`, arrays and objects. The name of a member counts as one, too.",
    }),
  },
  read: (values) => ({
    allowedOrigins: values.ALLOWED_ORIGINS,
    bodyMaxValues: values.MCP_BODY_MAX_VALUES,
  }),
});
