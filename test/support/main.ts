// The Worker of the tests: both doors, and the test server behind `/mcp`.
import { createWorker } from "../../src/worker.ts";
import server from "./server.ts";

export default createWorker(server);
