// What a client is told, and what only an operator and clients of OAuth are told.
import { expect, test } from "vitest";
import { DatabaseFault } from "../../src/db/fault.ts";
import {
  AppError,
  bearerError,
  errorResponse,
  oauthError,
  refusalOfFault,
  statusOf,
} from "../../src/http/errors.ts";

const fault = (kind: "overloaded" | "schema_missing") =>
  new DatabaseFault("a test", {
    kind,
    retryable: false,
    outcomeUnknown: false,
    answered: true,
    sqlstate: "42P01",
  });

test("a database that may be back soon is to be asked again in five seconds, and another one is not", () => {
  expect(refusalOfFault(fault("overloaded"))).toMatchObject({
    code: "sessions_unavailable",
    headers: { "Retry-After": "5" },
    fault: undefined,
  });
  expect(refusalOfFault(fault("schema_missing"))).toMatchObject({ code: "sessions_unusable", headers: {} });
  const untold = new DatabaseFault("a test", {
    kind: "timeout",
    retryable: false,
    outcomeUnknown: false,
    answered: false,
  });
  expect(refusalOfFault(untold, true).fault).toEqual({ kind: "timeout", sqlstate: null });
});

test("an operator is told the kind and the SQLSTATE", async () => {
  const bodyOf = (error: AppError) => errorResponse(error, "an id").json();
  const common = {
    code: "sessions_unusable",
    message: "The session store cannot be used; its operator must act",
    request_id: "an id",
  };
  expect(await bodyOf(refusalOfFault(fault("schema_missing")))).toEqual({ error: common });
  expect(await bodyOf(refusalOfFault(fault("schema_missing"), true))).toEqual({
    error: { ...common, kind: "schema_missing", sqlstate: "42P01" },
  });
});

test("a refusal is not stored, has the id of its request, and may have another body", async () => {
  const error = new AppError("forbidden", "Not you", { "X-More": "1" });
  const response = errorResponse(error, "an id", { other: true });
  expect([response.status, statusOf("forbidden"), await response.json()]).toEqual([
    403,
    403,
    { other: true },
  ]);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "cache-control": "no-store",
    "x-request-id": "an id",
    "x-more": "1",
  });
});

test("OAuth's own paths are told in OAuth's words", () => {
  const words = { error: "not_found", error_description: "There is no such route" };
  const ofOAuth = ["/register", "/authorize", "/token", "/revoke", "/.well-known/oauth-authorization-server"];
  const below = ["/mcp/.well-known/openid-configuration", "/.well-known/oauth-protected-resource/mcp"];
  for (const path of [...ofOAuth, ...below])
    expect(oauthError(path, new AppError("not_found"))).toEqual(words);
  for (const path of [
    "/tokens",
    "/x/token",
    "/mcp",
    "/.well-known/security.txt",
    "/.well-known/",
    "/registered",
  ])
    expect(oauthError(path, new AppError("not_found"))).toBeUndefined();
});

test("a refusal of the guard has the words of RFC 6750, and no other one has", () => {
  expect(bearerError(new AppError("unauthenticated", "Who?"))).toEqual({
    error: "invalid_token",
    error_description: "Who?",
  });
  expect(bearerError(new AppError("forbidden", "No"))).toEqual({
    error: "insufficient_scope",
    error_description: "No",
  });
  expect(bearerError(new AppError("not_found"))).toBeUndefined();
});
