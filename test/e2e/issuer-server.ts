// An issuer's HTTP server: what it answers for its metadata and its keys is up to the test, and it counts what it is asked.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { SigningKey } from "../support/tokens.ts";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface IssuerServer {
  url: string;
  /** How it answers for a path; what has no answer is not found. */
  answers: Record<string, Answer>;
  /** How often it was asked for each path. */
  asked: Record<string, number>;
  close(): Promise<void>;
}

export async function startIssuer(): Promise<IssuerServer> {
  const answers: Record<string, Answer> = {};
  const asked: Record<string, number> = {};
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    asked[path] = (asked[path] ?? 0) + 1;
    (answers[path] ?? ((_, to) => to.writeHead(404).end()))(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const METADATA = "/.well-known/oauth-authorization-server";
export const KEYS = "/keys";

export const json =
  (value: unknown, status = 200): Answer =>
  (_, response) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
export const text =
  (body: string, status = 200): Answer =>
  (_, response) =>
    response.writeHead(status, { "Content-Type": "text/html" }).end(body);
export const cutOff: Answer = (request) => request.socket.destroy();
export const redirectTo =
  (location: string, status = 302): Answer =>
  (_, response) =>
    response.writeHead(status, { Location: location }).end();
export const keySet = (...keys: SigningKey[]) => json({ keys: keys.map(({ jwk }) => jwk) });
