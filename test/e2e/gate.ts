// Where the work of a tool waits, in another process: a test sees it arrive, and lets it go on.
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Gate {
  url: string;
  /** Resolves when work with this name has arrived so often in all. */
  arrived: (name: string, times?: number) => Promise<void>;
  /** How often it has arrived. */
  arrivals: (name: string) => number;
  /** Lets it go on, what waits and what will come. */
  open: (name: string) => void;
  close: () => Promise<void>;
}

export async function startGate(): Promise<Gate> {
  const counts = new Map<string, number>();
  const waiting = new Map<string, ServerResponse[]>();
  const opened = new Set<string>();
  const awaited: { name: string; times: number; resolve: () => void }[] = [];
  const arrivals = (name: string) => counts.get(name) ?? 0;
  const server = createServer((request, response) => {
    const name = request.url?.slice(1) ?? "";
    counts.set(name, arrivals(name) + 1);
    for (const one of awaited) if (one.name === name && arrivals(name) >= one.times) one.resolve();
    if (opened.has(name)) response.end("done");
    else waiting.set(name, [...(waiting.get(name) ?? []), response]);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    arrivals,
    arrived: (name, times = 1) =>
      new Promise((resolve) => {
        if (arrivals(name) >= times) return resolve();
        awaited.push({ name, times, resolve });
      }),
    open(name) {
      opened.add(name);
      for (const response of waiting.get(name) ?? []) response.end("done");
      waiting.delete(name);
    },
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
