// What Cloudflare runs: both doors, for the author's server. It uses what other programs use of this one.
import { createWorker } from "./public/worker.ts";
import server from "./server/index.ts";

export default createWorker(server);
