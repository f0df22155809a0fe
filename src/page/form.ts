// Reads a form, and only one that a page of ours has sent: its browser says so, and its token.
import type * as z from "zod";
import { readBytes } from "../http/body.ts";
import { AppError } from "../http/errors.ts";
import { readFields } from "../http/input.ts";
import type { Csrf } from "./csrf.ts";
import type { PageContext } from "./guard.ts";

const FORM = "application/x-www-form-urlencoded";
const FOREIGN = "The form did not come from this page. Nothing was done";
const OLD =
  "The form is too old, or was made for somebody else. Nothing was done: load its page again, and try again";

/** How a route reads forms. */
export type ReadForm = <Shape extends z.ZodRawShape>(
  c: PageContext,
  schema: z.ZodObject<Shape>,
) => Promise<z.output<z.ZodObject<Shape>>>;

/**
 * Reads forms of the viewer, or, before the guard, of somebody who is not known.
 * @throws AppError `origin_not_allowed`, `forbidden` for a wrong token, `invalid_request` naming the field that is wrong.
 */
export const createReadForm = (csrf: Csrf): ReadForm =>
  async function readForm(c, schema) {
    if (!isOfOwnOrigin(c)) throw new AppError("origin_not_allowed", FOREIGN);
    const type = c.req.header("Content-Type")?.split(";")[0]?.trim().toLowerCase();
    if (type !== FORM) throw new AppError("unsupported_media_type", `Content-Type must be ${FORM}`);
    const text = new TextDecoder().decode(await readBytes(c));
    const { csrf: token = "", ...fields } = Object.fromEntries(new URLSearchParams(text));
    if (!(await csrf.isTokenOf(token, c.get("formsOf") ?? NOBODY))) throw new AppError("forbidden", OLD);
    return readFields(fields, schema);
  };

/** The subject of forms of who has not signed in. */
export const NOBODY = "nobody";

/** Every browser sends Origin with a form; one that hides it says null. Sec-Fetch-Site is younger. */
function isOfOwnOrigin({ req }: PageContext): boolean {
  const site = req.header("Sec-Fetch-Site");
  return req.header("Origin") === new URL(req.url).origin && (site === undefined || site === "same-origin");
}
