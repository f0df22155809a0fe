// Between the isolate that switches mutants and the process of its tests: gives the plan, and takes what is said.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import type { Message, Plan } from "./messages.ts";

export interface Switchboard {
  url: string;
  /** Of the next run; undefined to count only what is reached. */
  plan: Plan | undefined;
}

export async function serveSwitches(listen: (messages: Message[]) => void): Promise<Switchboard> {
  const board: Switchboard = { url: "", plan: undefined };
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      response.end(JSON.stringify(board.plan ?? null));
      return;
    }
    json(request)
      .then((messages) => listen(messages as Message[]))
      .then(() => response.end())
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  board.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return board;
}
