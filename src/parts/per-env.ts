// What is made of an environment, once in the life of an isolate: Cloudflare passes one `env` for that long.
import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";

/** Makes a value at its first use. When that throws, the next use tries again. */
export function perEnv<T>(make: (env: object) => T): (env: object) => T {
  const made = new WeakMap<object, { value: T }>();
  return (env) => {
    const { value } = made.get(env) ?? { value: make(env) };
    made.set(env, { value });
    return value;
  };
}

/** For an environment that wants nothing done. */
export const pass: MiddlewareHandler = (_c, next) => next();

/** A middleware that is made of the environment at the first request. */
export function fromEnv(make: (env: object) => MiddlewareHandler): MiddlewareHandler {
  const madeOf = perEnv(make);
  return createMiddleware(async function fromEnvironment(c, next) {
    return madeOf(Object(c.env))(c, next);
  });
}
