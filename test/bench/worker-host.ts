// Runs the Worker in a process of its own, whose output goes to a file and not to the terminal. It stops the Worker
// when the process that asked for it disconnects or is gone.
import { type DevWorker, launchWorker, type WorkerOptions } from "../../dev/worker.ts";

export type HostMessage = { url: string } | { failure: string };

const tell = (message: HostMessage) => process.send?.(message);

let worker: DevWorker | undefined;
const stopping = new AbortController();

process.once("message", (options: WorkerOptions) => {
  const launched = launchWorker(options);
  worker = launched;
  launched.untilReady(stopping.signal).then(
    () => tell({ url: launched.url }),
    (error: unknown) => {
      if (process.connected) tell({ failure: error instanceof Error ? error.message : String(error) });
    },
  );
});
process.once("disconnect", () => void stop());

async function stop(): Promise<void> {
  stopping.abort();
  await worker?.close(new AbortController().signal);
  process.exit();
}
