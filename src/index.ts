// What Cloudflare runs: the doors, HTTP, cron and other Workers, for the author's server. It uses what other programs use of
// this one.
import { WorkerEntrypoint } from "cloudflare:workers";
import { sessionsEntrypoint } from "./public/rpc.ts";
import { createWorker } from "./public/worker.ts";
import server from "./server/index.ts";

const worker = createWorker(server);
export default worker;

/** For a service binding with `entrypoint = "Sessions"`: docs/library.md. */
export class Sessions extends sessionsEntrypoint(WorkerEntrypoint, worker) {}
