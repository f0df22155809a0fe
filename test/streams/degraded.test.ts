// MCP_DEGRADED_MODE=serve: a session that was not asked for has no streams, and nobody else's.
import { afterEach, expect, test } from "vitest";
import { registerAskingTools } from "../support/asking-tools.ts";
import { createDatabase, keys, setFaults, type TestDatabase } from "../support/worker.ts";
import { isolates } from "./isolates.ts";
import { answerTo, callOf, eventsOf, openSession, post, resume, textOf, VERSION } from "./wire.ts";

afterEach(() => setFaults());

const streaming = { MCP_STREAMS: "true", MCP_DEGRADED_MODE: "serve" };

/** A session that is asked its name. From then on it cannot be asked for, and everything else of the database works. */
async function asked(database: TestDatabase) {
  const workers = isolates(database.env(streaming), registerAskingTools, 1);
  const session = await openSession(workers);
  const events = await eventsOf(await post(workers, callOf("ask_name"), { session }));
  await setFaults({ fault: { kind: "quota" }, matching: "mcp_resume_session" });
  return { workers, session, question: events.at(-1)?.message?.id, first: events[0]?.id ?? "" };
}

test("neither an answer nor a result is lost", async () => {
  const database = await createDatabase();
  const { workers, session, question, first } = await asked(database);
  const ping = await post(workers, { jsonrpc: "2.0", id: 1, method: "ping" }, { session });
  expect([ping.status, ping.headers.get("Mcp-Session-Degraded")]).toEqual([200, "true"]);
  for (const sent of [
    answerTo(question, { name: "Ada" }),
    { jsonrpc: "2.0", id: question, error: { code: 1, message: "no" } },
  ]) {
    expect((await post(workers, sent, { session })).status).toBe(503);
  }
  expect(await resume(workers, first, { session })).toMatchObject({ status: 503 });
  await setFaults();
  expect((await post(workers, answerTo(question, { name: "Ada" }), { session })).status).toBe(202);
  await workers.settled();
  const { messages } = await resume(workers, first, { session });
  expect(textOf(messages.at(-1))).toBe('Hello {"name":"Ada"}');
});

test("nobody else takes its events, answers its questions or cancels its calls", async () => {
  const database = await createDatabase();
  const { workers, session, question, first } = await asked(database);
  const { key } = { key: keys.bob };
  expect(await resume(workers, first, { session, key })).toMatchObject({ status: 503 });
  expect((await post(workers, answerTo(question, { name: "Bob" }), { session, key })).status).toBe(503);
  const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
  expect((await post(workers, cancel, { session, key, version: VERSION })).status).toBe(202);
  await setFaults();
  expect((await post(workers, answerTo(question, { name: "Ada" }), { session })).status).toBe(202);
  await workers.settled();
  expect(textOf((await resume(workers, first, { session })).messages.at(-1))).toBe('Hello {"name":"Ada"}');
});
