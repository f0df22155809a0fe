// Requests in one Cloudflare location share a healthy answer for a while, so that monitors do not keep the database awake.
// A failure is never shared, and removes the shared answer. What `write=1` asks for is neither taken from a shared answer nor
// shared.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";

const STORED_AT = "X-Stored-At";

interface SharedAnswersOptions {
  maxAgeSeconds: number;
  now: () => Date;
  /** The parameters of a request. What it throws is thrown whether an answer is shared or not. */
  read: (c: Context) => { verbose: string; write: string };
}

/** With a maximum age of 0 seconds every request asks. A shared answer has the header `Age`, in seconds. */
export function sharedAnswers({ maxAgeSeconds, now, read }: SharedAnswersOptions) {
  return createMiddleware(async function sharedAnswer(c, next) {
    if (maxAgeSeconds === 0) return next();
    // Who asks for a trial gets one.
    const { verbose, write } = read(c);
    const isTrial = write === "1";
    const { origin } = new URL(c.req.url);
    // Not the requested URL: a parameter that a monitor adds against caches would make an answer of its own.
    const keyOf = (detail: string) => `${origin}${c.req.path}?verbose=${detail}`;
    const key = keyOf(verbose);
    // When the cache fails, the database is asked.
    const stored = isTrial ? undefined : await caches.default.match(key).catch(() => undefined);
    if (stored !== undefined) {
      const ageSeconds = Math.floor((now().getTime() - Number(stored.headers.get(STORED_AT))) / 1000);
      if (ageSeconds >= 0 && ageSeconds < maxAgeSeconds) {
        const headers = { "Content-Type": "application/json", Age: String(ageSeconds) };
        return c.body(await stored.text(), 200, headers);
      }
    }
    await next();
    const keep = async () => {
      if (c.res.status === 200 && !isTrial) {
        const headers = { "Cache-Control": `max-age=${maxAgeSeconds}`, [STORED_AT]: String(now().getTime()) };
        await caches.default.put(key, new Response(await c.res.clone().text(), { headers }));
      } else if (c.res.status === 503) {
        await Promise.all(["0", "1"].map((detail) => caches.default.delete(keyOf(detail))));
      }
    };
    // Awaited, so that the next request finds it.
    await keep().catch(() => undefined);
    return undefined;
  });
}
