// The inspector of the isolate under `wrangler dev`: its heap.
import * as z from "zod";
import type { Life } from "../../dev/shutdown.ts";

const targets = z.tuple([z.object({ webSocketDebuggerUrl: z.string() })]).rest(z.unknown());
const heapUsage = z.object({ result: z.object({ usedSize: z.number() }) });

const SAMPLES = 40;
const PAUSE_MS = 50;

/** The function that comes back tells the least heap of a while, in MB: the isolate cannot be told to collect garbage. */
export async function openInspector(life: Life, port: number): Promise<() => Promise<number>> {
  const listed = await fetch(`http://127.0.0.1:${port}/json`);
  const [target] = targets.parse(await listed.json());
  // It lets pages of this machine in.
  const socket = new WebSocket(target.webSocketDebuggerUrl, { headers: { Origin: "http://localhost" } });
  life.defer("The inspector", () => socket.close());
  let sizes: number[] = [];
  socket.addEventListener("message", ({ data }) => {
    const used = heapUsage.safeParse(JSON.parse(String(data)));
    if (used.success) sizes.push(used.data.result.usedSize / 1024 / 1024);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("The inspector does not answer.")));
  });
  let id = 0;
  return async () => {
    sizes = [];
    while (sizes.length < SAMPLES) {
      life.asked.throwIfAborted();
      socket.send(JSON.stringify({ id: ++id, method: "Runtime.getHeapUsage" }));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return Math.min(...sizes);
  };
}
