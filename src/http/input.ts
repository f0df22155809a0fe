// Parameters of paths and queries: parsed by zod. A refusal names the parameter, never its value.
import type { Context } from "hono";
import * as z from "zod";
import { AppError } from "./errors.ts";

/** @throws AppError `invalid_request` naming the first parameter that is wrong. */
export function readQuery<T>(c: Context, schema: z.ZodType<T>): T {
  const queries = c.req.queries();
  const twice = Object.keys(queries).find((name) => (queries[name]?.length ?? 0) > 1);
  const result = schema.safeParse(c.req.query());
  if (!result.success) throw refusalOf(result.error);
  // It is unknown which of the two was meant.
  if (twice !== undefined) throw new AppError("invalid_request", "A parameter is given twice");
  return result.data;
}

/** @throws AppError `invalid_request` naming the parameter of the path that is wrong. */
export function readParams<T>(c: Context, schema: z.ZodType<T>): T {
  const result = schema.safeParse(c.req.param());
  if (!result.success) throw refusalOf(result.error);
  return result.data;
}

function refusalOf({ issues }: z.ZodError): AppError {
  const [issue] = issues;
  // The name of an unknown parameter is text of the client, so it is not repeated.
  if (issue?.path[0] === undefined) return new AppError("invalid_request", "A parameter is not known");
  return new AppError("invalid_request", `The parameter ${String(issue.path[0])} ${issue.message}`);
}

const MAX_PAGE = 1000;

/** The size of a page. */
export const limit = z.coerce
  .number({ error: `must be a whole number from 1 to ${MAX_PAGE}` })
  .int({ error: `must be a whole number from 1 to ${MAX_PAGE}` })
  .min(1, { error: `must be a whole number from 1 to ${MAX_PAGE}` })
  .max(MAX_PAGE, { error: `must be a whole number from 1 to ${MAX_PAGE}` })
  .default(100)
  .describe("The size of a page");

/** The name of a principal: any text that PostgreSQL can hold, because other front ends have other names than API_KEYS. */
export const principalName = z
  .string()
  .min(1, { error: "must not be empty" })
  .max(512, { error: "must be 512 characters at most" })
  .regex(/^\P{Cc}+$/u, { error: "must have no control characters" })
  .describe("Who opened the session: the name of a key");
