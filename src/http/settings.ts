import { defineSettings, documented, text } from "../settings.ts";

const origins = text
  .transform((value) => value.split(/[\s,]+/).filter((origin) => origin !== ""))
  .refine((list) => list.every((origin) => URL.parse(origin)?.origin === origin && /^https?:/.test(origin)), {
    error: "must be origins such as https://app.example.com, separated by commas",
  })
  .prefault("");

export const httpSettings = defineSettings({
  shape: {
    ALLOWED_ORIGINS: documented(origins, {
      description: "The web pages that may call `/mcp`, by their origins.",
      form: "origins such as `https://app.example.com`, separated by commas or spaces",
      default: "none",
    }),
  },
  read: (values) => ({ allowedOrigins: values.ALLOWED_ORIGINS }),
});
