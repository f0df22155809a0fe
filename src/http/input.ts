// Parameters of paths and queries: parsed by zod. A refusal names the parameter, never its value.
import type { Context } from "hono";
import * as z from "zod";
import { AppError } from "./errors.ts";

/** @throws AppError `invalid_request` naming the first parameter that is wrong, unknown or given twice. */
export function readQuery<Shape extends z.ZodRawShape>(c: Context, schema: z.ZodObject<Shape>) {
  const result = schema.safeParse(c.req.query());
  if (!result.success) throw refusalOf(result.error, Object.keys(schema.shape));
  const queries = c.req.queries();
  // It is unknown which of the two was meant.
  const twice = Object.keys(schema.shape).find((name) => (queries[name]?.length ?? 0) > 1);
  if (twice !== undefined) throw new AppError("invalid_request", `The parameter ${twice} is given twice`);
  return result.data;
}

/** Of a route that has none: a deletion that is asked for with `dry_run=1` must not be one. */
export const noQuery = z.strictObject({});

/** @throws AppError `invalid_request` naming the parameter of the path that is wrong. */
export function readParams<T>(c: Context, schema: z.ZodType<T>): T {
  return readFields(c.req.param(), schema);
}

/** @throws AppError `invalid_request` naming the field that is wrong. */
export function readFields<T>(fields: object, schema: z.ZodType<T>): T {
  const result = schema.safeParse(fields);
  if (!result.success) throw refusalOf(result.error, []);
  return result.data;
}

// A name that is unknown is text of the client, and could be anything. One as short as this is no key: those have 24.
const REPEATABLE = /^[A-Za-z][A-Za-z0-9_.-]{0,22}$/;

function refusalOf({ issues }: z.ZodError, known: readonly string[]): AppError {
  const [issue] = issues;
  const name = issue?.path[0];
  if (issue !== undefined && name !== undefined)
    return new AppError("invalid_request", `The parameter ${String(name)} ${issue.message}`);
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const subject =
    unknown !== undefined && REPEATABLE.test(unknown) ? `The parameter ${unknown}` : "A parameter";
  const others = known.length === 0 ? "this route has none" : `known are ${known.join(", ")}`;
  return new AppError("invalid_request", `${subject} is not known; ${others}`);
}

/** A whole number in decimal digits, and nothing else that a program could read as one. */
export function wholeNumber(min: number, max: number, error: string) {
  return z
    .string({ error })
    .regex(/^[0-9]{1,16}$/)
    .transform(Number)
    .pipe(z.int({ error }).min(min).max(max));
}

const MAX_PAGE = 1000;

/** The size of a page. */
export const limit = wholeNumber(1, MAX_PAGE, `must be a whole number from 1 to ${MAX_PAGE}`)
  .default(100)
  .describe("The size of a page");
