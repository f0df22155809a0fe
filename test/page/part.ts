// A part of a page by itself, and a frame around it.
import type { Html } from "../../src/page/elements.ts";
import type { Frame } from "../../src/page/layout.ts";
import { read } from "./operator.ts";

export const htmlOf = async (part: Html): Promise<string> => String(await part);

/** Reads a part as if it were a whole page. */
export const readPart = async (part: Html) => read(new Response(`<main>${await htmlOf(part)}</main>`));

/** Around the list of runs, for an operator who has signed in. */
export const frame: Frame = {
  title: "Runs",
  path: "/admin/runs",
  nonce: "the-nonce",
  csrf: "the-token",
  viewer: { label: "ops", scopes: ["admin"], isSignedIn: true },
};
