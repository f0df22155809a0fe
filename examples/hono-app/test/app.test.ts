// The app under wrangler, over the database of .dev.vars, with the official client.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { unstable_startWorker as startWorker } from "wrangler";

const worker = await startWorker({
  config: "wrangler.toml",
  dev: { server: { port: 0 }, inspector: false, logLevel: "warn" },
});
after(() => worker.dispose());
const url = new URL("/mcp", await worker.url);

const tokens = Object.entries<string>(
  JSON.parse(/^USER_TOKENS='(.*)'$/m.exec(readFileSync(".dev.vars", "utf8"))?.[1] ?? "{}"),
);
const tokenOf = (user: string) => tokens.find(([, name]) => name === user)?.[0] ?? "";

async function open(user: string) {
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: { Authorization: `Bearer ${tokenOf(user)}` } },
  });
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(transport);
  return { client, transport, id: transport.sessionId ?? "" };
}

function ping(user: string, session: string) {
  return fetch(url, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${tokenOf(user)}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "Mcp-Session-Id": session,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
  });
}

test("the tool knows the user and the session, until the client ends it", async () => {
  const { client, transport, id } = await open("ann");
  assert.match(id, /^[\w-]{43}$/);
  const { content } = await client.callTool({ name: "who_am_i", arguments: {} });
  assert.match(JSON.stringify(content), /"ann [0-9a-f]{8}"/);
  await transport.terminateSession();
  await client.close();
  const ended = await ping("ann", id);
  assert.equal(ended.status, 404);
  assert.match(await ended.text(), /"message":"Session not found"/);
});

test("another user cannot use a session", async () => {
  const { client, id } = await open("ann");
  assert.equal((await ping("ben", id)).status, 404);
  assert.equal((await ping("ann", id)).status, 200);
  await client.close();
});

test("the rest of the app is as it was", async () => {
  assert.equal(await (await fetch(new URL("/", url))).text(), "The app that was there before");
  assert.equal((await fetch(url, { method: "POST" })).status, 401);
});

test("a cron event cleans up", async () => {
  const event = await fetch(new URL("/cdn-cgi/local/scheduled?cron=0+*+*+*+*&format=json", url));
  assert.match(await event.text(), /"outcome":\s*"ok"/);
});
