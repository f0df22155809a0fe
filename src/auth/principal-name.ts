// Which texts can be the name of a principal in a parameter. Pure.
import * as z from "zod";

/** The name of a principal: any text that PostgreSQL can hold, because other front ends have other names than API_KEYS. */
export const principalName = z
  .string()
  .min(1, { error: "must not be empty" })
  // Spelled out, because \p{Cc} is not known to every engine that reads the OpenAPI document.
  // oxlint-disable-next-line no-control-regex -- these are what it is about
  .regex(/^[^\u0000-\u001f\u007f-\u009f]+$/, { error: "must have no control characters" })
  // As PostgreSQL and JSON Schema count them: a character beyond 2^16 is one.
  .refine((name) => name.length <= 1024 && Array.from(name).length <= 512, {
    error: "must be 512 characters at most",
  })
  .meta({ maxLength: 512 })
  .describe("Who opened the session: the name of a key");
