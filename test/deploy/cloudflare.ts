// A stand-in for Cloudflare's API, as far as the commands of docs/deploy.md use it: one account, in memory. It is strict. A route
// that is not in its table is refused, and `unknown` names it: another version of wrangler may need another route.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { routesOf } from "./account.ts";
import { type Account, Refused, type Script } from "./api.ts";

export const ACCOUNT = "0123456789abcdef0123456789abcdef";
export const TOKEN = "token-of-the-stand-in";

export interface Cloudflare extends Account {
  /** For CLOUDFLARE_API_BASE_URL. */
  url: string;
  /** `METHOD path` of what it was asked, the path below the account's. */
  asked: string[];
  /** What it was asked and does not know. */
  unknown: string[];
  close(): Promise<void>;
}

export async function startCloudflare(): Promise<Cloudflare> {
  const scripts = new Map<string, Script>();
  const namespaces = new Map<string, string>();
  const asked: string[] = [];
  const unknown: string[] = [];

  const routes = Object.entries(routesOf({ scripts, namespaces })).map(([route, answer]) => ({
    pattern: new RegExp(`^${route.replaceAll(/:\w+/g, "([^/]+)")}$`),
    answer,
  }));

  const answer = async (request: IncomingMessage) => {
    const { pathname, searchParams: query } = new URL(request.url ?? "", "http://stand-in");
    const line = `${request.method} ${pathname.replace(`/client/v4/accounts/${ACCOUNT}/`, "")}`;
    asked.push(line);
    const body = await buffer(request);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      throw new Refused(403, { code: 10000, message: "Authentication error" });
    }
    for (const route of routes) {
      const [, ...parts] = route.pattern.exec(line) ?? [];
      if (route.pattern.test(line)) return route.answer({ parts, query, request, body });
    }
    unknown.push(line);
    throw new Refused(404, { code: 7000, message: `No route for ${line}` });
  };

  const server = createServer((request, response) => {
    const send = (status: number, result: unknown, errors: unknown[] = []) =>
      response
        .writeHead(status, { "Content-Type": "application/json" })
        .end(JSON.stringify({ success: errors.length === 0, errors, messages: [], result }));
    answer(request).then(
      (result) => send(200, result),
      (error: unknown) => {
        if (error instanceof Refused) return send(error.status, null, error.errors);
        unknown.push(`${request.method} ${request.url}: ${String(error)}`);
        return send(500, null, [{ code: 10001, message: String(error) }]);
      },
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/client/v4`,
    scripts,
    namespaces,
    asked,
    unknown,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
