// Which requests the middleware reads at all, before it asks for a session.
import { Hono } from "hono";
import { expect, test } from "vitest";
import { AppError, errorResponse } from "../../src/http/errors.ts";
import type { RequestVariables } from "../../src/http/request-log.ts";
import { sessionMiddleware, type SessionVariables } from "../../src/session/middleware.ts";
import { sessionsOf } from "../support/mcp.ts";
import { createDatabase } from "../support/worker.ts";

const ping = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" });

/** @returns the code that a request is refused with, and `Allow`. */
async function gate(more: { replays?: boolean; isLegacy?: boolean } = {}) {
  const { replays, isLegacy = true } = more;
  const app = new Hono<{ Variables: SessionVariables & RequestVariables }>();
  const options = {
    store: sessionsOf(await createDatabase()),
    principal: () => "somebody",
    isLegacy: () => Promise.resolve(isLegacy),
    protocolVersions: ["2025-06-18"],
    ...(replays !== undefined && { replays }),
  };
  app.all("/", sessionMiddleware(options), (c) => c.json({ error: { code: "the handler" } }));
  app.onError((error) => errorResponse(error instanceof AppError ? error : new AppError("internal"), "id"));
  return async (method: string, headers: Record<string, string> = {}, body?: string) => {
    const response = await app.request("/", { method, headers, ...(body !== undefined && { body }) });
    const { error } = await response.json<{ error: { code: string } }>();
    return [error.code, response.headers.get("Allow")];
  };
}

const READ = ["session_id_required", null];
const json = { "Content-Type": "application/json" };

test("JSON is read, with a parameter or without", async () => {
  const send = await gate();
  const types = [
    "application/json",
    "Application/JSON",
    "application/json;charset=utf-8",
    "application/json \t ; a=b",
  ];
  for (const type of types) expect(await send("POST", { "Content-Type": type }, ping)).toEqual(READ);
  const others = [
    "text/plain",
    "x-application/json",
    "application/jsonx",
    "application/json-rpc",
    "application/json x",
  ];
  for (const type of [...others, "application/json,text/plain", ""])
    expect(await send("POST", { "Content-Type": type }, ping)).toEqual(["unsupported_media_type", null]);
});

test("a session is asked for and ended, and by no other method", async () => {
  const send = await gate();
  const refused = ["method_not_allowed", "POST, DELETE"];
  expect(await send("POST", json, ping)).toEqual(READ);
  expect(await send("DELETE")).toEqual(READ);
  for (const method of ["GET", "PUT", "PATCH"]) expect(await send(method)).toEqual(refused);
  expect(await send("GET", { "Last-Event-ID": "1" })).toEqual(refused);
});

test("where answers are replayed, a client that has seen a part of one comes for the rest", async () => {
  const send = await gate({ replays: true });
  const refused = ["method_not_allowed", "POST, DELETE"];
  expect(await send("GET", { "Last-Event-ID": "1" })).toEqual(READ);
  for (const method of ["GET", "PUT"]) expect(await send(method)).toEqual(refused);
  expect(await send("PUT", { "Last-Event-ID": "1" })).toEqual(refused);
});

test("what has no session by its era goes to the handler; a rest of an answer never does", async () => {
  const send = await gate({ isLegacy: false, replays: true });
  expect(await send("POST", json, ping)).toEqual(["the handler", null]);
  expect(await send("GET", { "Last-Event-ID": "1" })).toEqual(READ);
});

test("what cannot be answered in a form that its client takes is refused", async () => {
  const send = await gate();
  const asking = (Accept: string) => send("POST", { ...json, Accept }, ping);
  for (const accept of ["application/json", "text/event-stream", "*/*", "text/html, application/json;q=0.1"])
    expect(await asking(accept)).toEqual(READ);
  for (const accept of ["text/html", "application/json;q=0", "application/json;q=0, text/event-stream;q=0"])
    expect(await asking(accept)).toEqual(["not_acceptable", null]);
  // An answer to DELETE has no body.
  expect(await send("DELETE", { Accept: "text/html" })).toEqual(READ);
});
