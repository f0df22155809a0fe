// The stylesheet and the script. Their addresses change with their texts, so browsers keep them.
import type { Context } from "hono";
import type { RequestVariables } from "../http/request-log.ts";
import { assets } from "./layout.ts";

const KEPT = "public, max-age=31536000, immutable";

/** Anybody may have them: they are the same everywhere. */
export function assetEndpoint(kind: keyof typeof assets) {
  return function asset(c: Context<{ Variables: RequestVariables }>) {
    const { text, version, type } = assets[kind];
    if (c.req.query("v") === version()) c.set("cacheControl", KEPT);
    return c.body(text, 200, { "Content-Type": `${type}; charset=utf-8` });
  };
}
