// What a client of one program sees, and what it costs the machine.
import type { Life } from "../../../dev/shutdown.ts";
import { percentile } from "../figures.ts";
import { exchange, initializeMessage, toolMessage, type WireAnswer } from "../soak/wire.ts";
import { cpuMsOf } from "../workerd.ts";
import type { Running } from "./program.ts";

const PATIENCE_MS = 60_000;

export interface Client {
  key: string;
  session?: string;
}

export interface Measured {
  p50Ms: number;
  p99Ms: number;
  perSecond: number;
  /** Of the program's process, for each request. */
  cpuMs: number;
}

const expected = (answer: WireAnswer) => {
  if (answer.status !== 200) throw new Error(`answered with ${answer.status}: ${answer.text.slice(0, 200)}`);
  return answer;
};

/** @returns the id of the session. */
export async function open({ url }: Running, key: string): Promise<string> {
  const message = initializeMessage("bench");
  const { headers } = expected(await exchange({ url: `${url}/mcp`, key, message, patienceMs: PATIENCE_MS }));
  return headers.get("Mcp-Session-Id") ?? "";
}

/** What a call is answered with: its status, and how long it took. */
export async function callOnce({ url }: Running, { key, session }: Client) {
  const message = toolMessage("add", { a: 2, b: 3 });
  const answer = await exchange({
    url: `${url}/mcp`,
    key,
    ...(session !== undefined && { session }),
    message,
    patienceMs: PATIENCE_MS,
  });
  if (answer.status === 200 && !answer.text.includes('"5"')) throw new Error(`Wrong: ${answer.text}`);
  return { status: answer.status, ms: answer.endedAt - answer.startedAt };
}

export async function call(running: Running, client: Client): Promise<void> {
  const { status } = await callOnce(running, client);
  if (status !== 200) throw new Error(`A call was answered with ${status}`);
}

export const healthz = async ({ url }: Running) => void (await (await fetch(`${url}/healthz`)).text());

/** @param clients how many there are at once. @param count how many requests they make together. */
export async function measure(
  life: Life,
  { pid }: Running,
  request: (client: number) => Promise<unknown>,
  { clients, count }: { clients: number; count: number },
): Promise<Measured> {
  const latencies: number[] = [];
  let begun = 0;
  const cpuBefore = cpuMsOf(pid);
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (begun < count) {
        begun += 1;
        life.asked.throwIfAborted();
        const sentAt = performance.now();
        await request(client);
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    perSecond: count / seconds,
    cpuMs: (cpuMsOf(pid) - cpuBefore) / count,
  };
}
