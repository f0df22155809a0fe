// What becomes of an error: the client's refusal, and the operator's line.
import { Hono } from "hono";
import { expect, test } from "vitest";
import { DatabaseFault } from "../../src/db/fault.ts";
import { faultOfSqlstate } from "../../src/db/read-fault.ts";
import { AppError } from "../../src/http/errors.ts";
import { refusalOf } from "../../src/http/refusal.ts";
import type { RequestVariables } from "../../src/http/request-log.ts";
import { logged } from "../support/captured-logs.ts";

async function refused(thrown: Error): Promise<AppError | undefined> {
  let refusal: AppError | undefined;
  const app = new Hono<{ Variables: RequestVariables }>();
  app.use(async (c, next) => {
    c.set("requestId", "of this request");
    await next();
  });
  app.get("/", () => Promise.reject(thrown));
  app.onError((error, c) => {
    refusal = refusalOf(error, c);
    return c.body(null);
  });
  await app.request("/");
  return refusal;
}
const lines = () =>
  logged().map(({ level, message, kind, sqlstate, error, request_id }) => ({
    level,
    message,
    kind,
    sqlstate,
    error,
    request_id,
  }));

test("a refusal stays as it is, and is no operator's business", async () => {
  const error = new AppError("session_not_found");
  expect(await refused(error)).toBe(error);
  expect(lines()).toEqual([]);
});

test("a fault of the database is logged by its kind and SQLSTATE, with the request", async () => {
  const refusal = await refused(new DatabaseFault("reading", faultOfSqlstate("42501", "denied", 400), 1));
  expect(refusal?.code).toBe("sessions_unusable");
  expect(lines()).toEqual([
    {
      level: "ERROR",
      message: "MCP session store failed",
      kind: "permission_denied",
      sqlstate: "42501",
      error: undefined,
      request_id: "of this request",
    },
  ]);
});

test("of any other error only the name is logged", async () => {
  expect((await refused(new TypeError("a secret")))?.code).toBe("internal");
  expect(lines()).toEqual([
    {
      level: "ERROR",
      message: "The request failed",
      kind: undefined,
      sqlstate: undefined,
      error: "TypeError",
      request_id: "of this request",
    },
  ]);
});
