// A part of a page by itself.
import type { Html } from "../../src/page/elements.ts";
import { read } from "./operator.ts";

export const htmlOf = async (part: Html): Promise<string> => String(await part);

/** Reads a part as if it were a whole page. */
export const readPart = async (part: Html) => read(new Response(`<main>${await htmlOf(part)}</main>`));
