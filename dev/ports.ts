// Finds ports on the loopback interface. A free one can still be taken before it is used.
import { createServer } from "node:net";

// How far to look for a neighbour of the port that was wanted, so that the ports stay recognisable.
const NEIGHBOURS = 20;

/** Why `port` cannot be listened on (`EADDRINUSE`, `EACCES`…); undefined when it can. */
export async function portProblem(port: number): Promise<string | undefined> {
  const outcome = await probe(port);
  return typeof outcome === "number" ? undefined : outcome;
}

/** `preferred`, or else a port near it, or else any free port. */
export async function freePort(preferred: number): Promise<number> {
  for (let port = preferred; port <= Math.min(preferred + NEIGHBOURS, 65_535); port++) {
    if ((await portProblem(port)) === undefined) return port;
  }
  return anyFreePort();
}

export async function anyFreePort(): Promise<number> {
  const outcome = await probe(0);
  if (typeof outcome === "number") return outcome;
  throw new Error(`No port on 127.0.0.1 can be opened: ${outcome}`);
}

function probe(port: number): Promise<number | string> {
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const server = createServer();
  server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  server.listen({ port, host: "127.0.0.1" }, () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
  });
  return promise;
}
