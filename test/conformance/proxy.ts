// Adds an API key to the requests that pass: the conformance client cannot be given one. Everything else passes as it is,
// byte by byte and at once, in both directions.
import { createServer, request } from "node:http";
import { pipeline } from "node:stream";
import { anyFreePort } from "../../dev/ports.ts";

export interface KeyProxy {
  /** The same path as the target's. */
  url: URL;
  close: () => void;
}

/** Listens on the loopback interface. */
export async function startKeyProxy(target: URL, key: string): Promise<KeyProxy> {
  const server = createServer((incoming, outgoing) => {
    const onward = request({
      host: target.hostname,
      port: target.port,
      method: incoming.method,
      path: incoming.url,
      headers: [...incoming.rawHeaders, "Authorization", `Bearer ${key}`],
      // No connection is kept: the Worker may have closed it when the next request comes.
      agent: false,
    });
    onward.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
      outgoing.flushHeaders();
      pipeline(answer, outgoing, () => {});
    });
    // Who has gone away on one side is gone on the other.
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    pipeline(incoming, onward, () => {});
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  const port = await anyFreePort();
  server.listen({ port, host: "127.0.0.1" }, resolve);
  await promise;
  const url = new URL(target);
  url.port = String(port);
  return {
    url,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
