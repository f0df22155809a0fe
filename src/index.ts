// What Cloudflare runs: both doors, for the author's server.
import server from "./server/index.ts";
import { createWorker } from "./worker.ts";

export default createWorker(server);
