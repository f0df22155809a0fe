// What the proxy adds, and what it leaves as it is.
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { anyFreePort } from "../../dev/ports.ts";
import { startKeyProxy } from "./proxy.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function proxied(answer: (incoming: IncomingMessage, outgoing: ServerResponse) => unknown) {
  const target = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  const port = await anyFreePort();
  target.listen({ port, host: "127.0.0.1" });
  await once(target, "listening");
  open.push(() => {
    target.close();
    target.closeAllConnections();
  });
  const proxy = await startKeyProxy(new URL(`http://127.0.0.1:${port}/mcp`), "secret");
  open.push(proxy.close);
  return proxy.url;
}

test("the key is added, and all else passes unchanged", async () => {
  const url = await proxied(async (incoming, outgoing) => {
    const body = await incoming.toArray();
    const { authorization, host, origin, "mcp-session-id": session } = incoming.headers;
    outgoing.writeHead(418, "Teapot", { "Mcp-Session-Id": "out", "Content-Type": "text/plain" });
    outgoing.end(
      JSON.stringify({ authorization, host, origin, session, url: incoming.url, body: String(body) }),
    );
  });
  // Not `fetch`, which lets nobody set Host.
  const sent = request(url, {
    method: "POST",
    headers: { Host: "evil.example", Origin: "http://evil.example", "Mcp-Session-Id": "in" },
  });
  sent.end("what was sent");
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  expect([answer.statusCode, answer.statusMessage, answer.headers["mcp-session-id"]]).toEqual([
    418,
    "Teapot",
    "out",
  ]);
  expect(JSON.parse(String(await answer.toArray()))).toEqual({
    authorization: "Bearer secret",
    host: "evil.example",
    origin: "http://evil.example",
    session: "in",
    url: "/mcp",
    body: "what was sent",
  });
});

test("headers and events of a stream arrive while it is open", async () => {
  const streams: ServerResponse[] = [];
  const url = await proxied((_incoming, outgoing) => {
    streams.push(outgoing);
    outgoing.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
  });
  const response = await fetch(url);
  expect(response.headers.get("Content-Type")).toBe("text/event-stream");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    streams[0]?.write(event);
    expect(await reader?.read()).toEqual({ done: false, value: event });
  }
  streams[0]?.end();
  expect(await reader?.read()).toEqual({ done: true, value: undefined });
});

test("a client that goes away is gone for the Worker", async () => {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const url = await proxied((_incoming, outgoing) => {
    outgoing.on("close", resolve);
    outgoing.writeHead(200).flushHeaders();
  });
  const leaving = new AbortController();
  await fetch(url, { signal: leaving.signal });
  leaving.abort();
  await expect(gone).resolves.toBeUndefined();
});
