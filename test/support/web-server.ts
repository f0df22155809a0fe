// A web server for the Worker to ask: an issuer's metadata and keys, or whatever else a test puts there. It says how often it
// was asked for each path.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What it answers for a path. */
export interface Page {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
}

export async function startWebServer() {
  let pages: Record<string, Page> = {};
  let requests: { method: string; path: string; authorization: string | undefined; body: string }[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { url: path = "", method = "", headers } = request;
    requests.push({ method, path, authorization: headers.authorization, body: await text(request) });
    const page = pages[path] ?? { status: 404, body: {} };
    response
      .writeHead(page.status ?? 200, { "Content-Type": "application/json", ...page.headers })
      .end(JSON.stringify(page.body ?? null));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Puts pages up, beside those that are there. */
    put: (more: Record<string, Page>) => {
      pages = { ...pages, ...more };
    },
    requests: () => requests,
    /** Forgets all pages and requests. */
    clear: () => {
      pages = {};
      requests = [];
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export type WebRequest = ReturnType<Awaited<ReturnType<typeof startWebServer>>["requests"]>[number];
