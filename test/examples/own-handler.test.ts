// The whole Worker of docs/author.md: sessions in front of a handler of one's own.
import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { expect, test } from "vitest";
import worker from "../../examples/own-handler.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { initializeParams, messageOf, rowsOf } from "../support/mcp.ts";
import { createDatabase, keys, REGULAR_CRON } from "../support/worker.ts";

// The program opens its doors once, so one database serves the whole file.
const database = await createDatabase();

const BOTH = "application/json, text/event-stream";

const post = (method: string, params: object, session?: string, key: string = keys.alice, accept = BOTH) =>
  postBody({ jsonrpc: "2.0", id: 1, method, params }, session, key, accept);

async function postBody(
  body: object,
  session: string | undefined,
  key: string,
  accept: string,
): Promise<Response> {
  const context = createExecutionContext();
  const response = await worker.fetch(
    new Request<unknown, IncomingRequestCfProperties>("https://worker.test/mcp", {
      method: "POST",
      headers: {
        Authorization: `Bearer ${key}`,
        Accept: accept,
        "Content-Type": "application/json",
        ...(session !== undefined && { "Mcp-Session-Id": session }),
      },
      body: JSON.stringify(body),
    }),
    database.env(),
    context,
  );
  await waitOnExecutionContext(context);
  return response;
}

test("it opens a session, finds it again, and refuses it to others", async () => {
  const opened = await post("initialize", initializeParams);
  const id = keepSecret(opened.headers.get("Mcp-Session-Id") ?? "");
  expect(id).toHaveLength(43);
  const called = await messageOf(await post("tools/call", { name: "who_am_i" }, id));
  const [row] = await rowsOf(database);
  expect(called.result).toMatchObject({ content: [{ text: String(row?.["session_id"]).slice(0, 8) }] });
  expect((await post("tools/list", {}, id, keys.bob)).status).toBe(404);
  expect((await post("tools/list", {})).status).toBe(400);
  expect((await post("tools/list", {}, id, "a-key-that-nobody-has-0000")).status).toBe(401);
});

test.each([
  ["*/*", "application/json"],
  ["application/json", "application/json"],
  ["text/event-stream", "text/event-stream"],
])("a client that takes %s is answered with %s", async (accept, type) => {
  const opened = await post("initialize", initializeParams, undefined, keys.alice, accept);
  expect(opened.status).toBe(200);
  const id = keepSecret(opened.headers.get("Mcp-Session-Id") ?? "");
  const answer = await post("tools/call", { name: "who_am_i" }, id, keys.alice, accept);
  expect([answer.status, answer.headers.get("Content-Type")]).toEqual([200, type]);
  expect((await messageOf(answer)).result).toMatchObject({ content: [{ type: "text" }] });
});

test("a client of JSON alone gets all answers to a batch", async () => {
  const params = { ...initializeParams, protocolVersion: "2025-03-26" };
  const opened = await post("initialize", params, undefined, keys.alice, "application/json");
  const id = keepSecret(opened.headers.get("Mcp-Session-Id") ?? "");
  const batch = [1, 2].map((n) => ({ jsonrpc: "2.0", id: n, method: "tools/list" }));
  const answer = await postBody(batch, id, keys.alice, "application/json");
  const answers = await answer.json<{ id: number; result: object }[]>();
  expect(answers.map(({ id: n, result }) => [n, Object.keys(result)])).toEqual([
    [1, ["tools"]],
    [2, ["tools"]],
  ]);
});

test("its cron event deletes what has expired", async () => {
  const id = keepSecret((await post("initialize", initializeParams)).headers.get("Mcp-Session-Id") ?? "");
  await database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('old', now() - interval '1 h')",
  );
  await worker.scheduled(
    createScheduledController({ cron: REGULAR_CRON, scheduledTime: new Date() }),
    database.env(),
  );
  expect(await database.query("SELECT 1 FROM mcp_sessions WHERE session_id = 'old'")).toEqual([]);
  expect((await post("tools/list", {}, id)).status).toBe(200);
});
