// What the pages of lists have in common.
import type * as z from "zod";
import { AppError } from "../http/errors.ts";
import { readFields } from "../http/input.ts";
import type { Html } from "./elements.ts";
import { frameOf, type PageContext } from "./guard.ts";
import { type Frame, page } from "./layout.ts";
import { filledIn } from "./list.ts";

export const show = (c: PageContext, title: string, body: Html, more: Partial<Frame> = {}) =>
  c.html(page({ ...frameOf(c, title), ...more }, body));

/** What the address asks for. @throws AppError `invalid_request` naming the parameter that is wrong. */
export const asked = <T>(c: PageContext, schema: z.ZodType<T>): T =>
  readFields(filledIn(c.req.query()), schema);

export interface ListPage<Query, Found> {
  title: string;
  query: z.ZodType<Query>;
  find: (query: Query) => Promise<Found>;
  /** @param found undefined when what was filled in cannot be asked for. */
  body: (query: Query | Record<string, string>, found: Found | undefined) => Html;
}

/** A list; above it what is wrong with what was filled in. */
export async function showList<Query, Found>(
  c: PageContext,
  { title, query: schema, find, body }: ListPage<Query, Found>,
): Promise<Response> {
  try {
    const query = asked(c, schema);
    return await show(c, title, body(query, await find(query)));
  } catch (error) {
    if (!(error instanceof AppError && error.code === "invalid_request")) throw error;
    c.status(400);
    const notice = { kind: "bad", text: `${error.message}.` } as const;
    return show(c, title, body(filledIn(c.req.query()), undefined), { notice });
  }
}
