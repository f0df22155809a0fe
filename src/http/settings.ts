import { defineSettings, documented, text } from "../settings.ts";

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
  },
  read: (values) => ({ allowedOrigins: values.ALLOWED_ORIGINS }),
});
