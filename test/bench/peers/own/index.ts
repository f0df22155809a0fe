// This project with the one tool of the comparison.
import { createWorker, defineServer } from "../../../../src/public/worker.ts";
import * as z from "zod";

const inputSchema = z.object({ a: z.number(), b: z.number() });

export default createWorker(
  defineServer({
    name: "peer",
    version: "1",
    register(server) {
      server.registerTool("add", { description: "Adds two numbers", inputSchema }, ({ a, b }) => ({
        content: [{ type: "text", text: String(a + b) }],
      }));
    },
  }),
);
