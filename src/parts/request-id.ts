// The id of a request in an app that may, or may not, give it one.
import type { Context } from "hono";

/** The id that `hono/request-id` has given the request, or a new one. */
export function requestIdOf(c: Context): string {
  const id: unknown = c.get("requestId");
  if (typeof id === "string") return id;
  const made = crypto.randomUUID();
  c.set("requestId", made);
  return made;
}
