// Accept, in every form that HTTP has for it: who gets JSON, who gets a stream, who gets neither.
import { expect, test } from "vitest";
import { initializeParams, mcp, open } from "../support/mcp.ts";
import { createDatabase } from "../support/worker.ts";
import { keepSecret } from "../support/captured-logs.ts";

const JSON_TYPE = "application/json";
const STREAM = "text/event-stream";
const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "modern", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const modernHeaders = (method: string, name?: string) => ({
  "MCP-Protocol-Version": "2026-07-28",
  "Mcp-Method": method,
  "Mcp-Name": name,
});

// For `initialize`, for a request in a session, and for one of 2026-07-28.
const json = [JSON_TYPE, JSON_TYPE, JSON_TYPE];
const stream = [STREAM, STREAM, STREAM];
const either = [JSON_TYPE, STREAM, JSON_TYPE];
const neither = [406, 406, 406];

test.each<[string | undefined, (string | number)[]]>([
  ["application/json, text/event-stream", either],
  ["text/event-stream,application/json", either],
  ["Application/JSON , TEXT/Event-Stream", either],
  ["application/json;q=1.0, text/event-stream;q=1", either],
  ["application/*, text/*", either],
  ["text/*, */*;q=0.1", stream],
  ["text/event-stream, */*", either],
  ["application/json", json],
  ["application/json; charset=utf-8", json],
  ['application/json;profile="a,b;q=0", text/html', json],
  ["application/*", json],
  ["APPLICATION/*;Q=0.001", json],
  ["*/*", json],
  ["*", json],
  [undefined, json],
  ["", json],
  [" , ,", json],
  ["text/html, application/xhtml+xml, */*;q=0.8", json],
  ["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", json],
  ["application/json, text/event-stream;q=0", json],
  ["*/*, text/event-stream;q=0", json],
  ["*/*, text/*;q=0", json],
  ["application/json, text/event-stream;q=0.5", json],
  ["text/*, text/event-stream;q=0, application/*", json],
  ["text/event-stream", stream],
  ["text/event-stream;charset=utf-8", stream],
  ["text/event-stream, application/json;q=0.5", stream],
  ["*/*, application/json;q=0", stream],
  ["application/json;q=0, text/*", stream],
  ["text/html", neither],
  ["application/xml, text/plain", neither],
  ["*/*;q=0", neither],
  ["application/json;q=0, text/event-stream;q=0, */*", neither],
  ["application/json;q=0", neither],
  ["application/jsonp", neither],
  ["x;q=z,,", neither],
])("Accept: %s", async (accept, expected) => {
  const env = (await createDatabase()).env();
  const session = await open(env);
  const headers = { Accept: accept };
  const responses = [
    await mcp(env, { method: "initialize", params: initializeParams }, { headers }),
    await mcp(env, { method: "tools/list" }, { session, headers }),
    await mcp(
      env,
      { method: "tools/list", params: { _meta: meta } },
      { headers: { ...headers, ...modernHeaders("tools/list") } },
    ),
  ];
  const got = responses.map(({ status, headers: answer }) =>
    status === 200 ? answer.get("Content-Type") : status,
  );
  expect(got).toEqual(expected);
  for (const response of responses) {
    keepSecret(response.headers.get("Mcp-Session-Id") ?? "no-session-id");
    const text = await response.text();
    const data = /^data: (.+)$/m.exec(text)?.[1];
    expect(JSON.parse(data ?? text)).toMatchObject(
      response.status === 200 ? { id: 1, result: {} } : { id: null, error: { code: -32000 } },
    );
  }
});

test("several header lines are one", async () => {
  const env = (await createDatabase()).env();
  const session = await open(env);
  const request = new Headers();
  for (const line of ["text/html", "text/event-stream", "application/json;q=0"])
    request.append("Accept", line);
  const response = await mcp(
    env,
    { method: "ping" },
    { session, headers: { Accept: request.get("Accept") ?? "" } },
  );
  expect(response.headers.get("Content-Type")).toBe(STREAM);
});

test("a tool that reports on its way answers a client of JSON with its result alone, in both eras", async () => {
  const env = (await createDatabase()).env();
  const session = await open(env);
  const token = { progressToken: "t" };
  const params = { name: "report", arguments: {}, _meta: token };
  const call = (accept: string, options: object) =>
    mcp(env, { method: "tools/call", params }, { ...options, headers: { Accept: accept } });
  const both = await (await call("application/json, text/event-stream", { session })).text();
  expect(both).toContain("notifications/progress");
  const alone = await call(JSON_TYPE, { session });
  expect(await alone.json()).toMatchObject({ id: 1, result: { content: [{ text: "reported" }] } });

  const modern = await mcp(
    env,
    { method: "tools/call", params: { ...params, _meta: { ...token, ...meta } } },
    { headers: { Accept: JSON_TYPE, ...modernHeaders("tools/call", "report") } },
  );
  expect([modern.status, modern.headers.get("Content-Type")]).toEqual([200, JSON_TYPE]);
  expect(await modern.json()).toMatchObject({ id: 1, result: { content: [{ text: "reported" }] } });
});

test("a subscription is a stream, so a client of JSON alone does not get one", async () => {
  const env = (await createDatabase()).env();
  const response = await mcp(
    env,
    { method: "subscriptions/listen", params: { _meta: meta, notifications: {} } },
    { headers: { Accept: JSON_TYPE, ...modernHeaders("subscriptions/listen") } },
  );
  expect([response.status, await response.json()]).toEqual([
    406,
    { jsonrpc: "2.0", error: { code: -32000, message: "Accept must allow text/event-stream" }, id: null },
  ]);
});
