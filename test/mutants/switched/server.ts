// Between the isolate that switches mutants and the process of its tests: gives the plan, and takes what is said.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import type { Message, Plan } from "./messages.ts";

export interface Switchboard {
  url: string;
  /** Of the next run; undefined to count only what is reached. What a file has killed, those after it do not get. */
  plan: Plan | undefined;
}

export interface Listener {
  /** A test file begins, and waits for it. */
  onFile: () => Promise<unknown>;
  /** What is said waits for it. */
  onSaid: (messages: Message[]) => Promise<void>;
}

export async function serveSwitches({ onFile, onSaid }: Listener): Promise<Switchboard> {
  const board: Switchboard = { url: "", plan: undefined };
  const hear = async (messages: Message[]) => {
    for (const message of messages) if (message.kind === "killed") leaveOut(board.plan ?? {}, message.mutant);
    await onSaid(messages);
  };
  const server = createServer((request, response) => {
    const answer = async () => {
      if (request.method === "GET") await onFile();
      else await hear((await json(request)) as Message[]);
      response.end(request.method === "GET" ? JSON.stringify(board.plan ?? null) : undefined);
    };
    answer().catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  board.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return board;
}

function leaveOut(plan: Plan, mutant: string): void {
  for (const [test, queue] of Object.entries(plan)) plan[test] = queue.filter(({ id }) => id !== mutant);
}
