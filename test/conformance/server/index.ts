// The Worker of the conformance suite: both doors, and behind `/mcp` what its scenarios ask a server to have. Names, texts
// and schemas of these tools, prompts and resources are the suite's.
import * as z from "zod";
import { defineServer } from "../../../src/mcp/context.ts";
import { createWorker } from "../../../src/worker.ts";
import { registerContentTools } from "./content-tools.ts";
import { registerHttpTools } from "./http-tools.ts";
import { registerInputRequired } from "./input-required.ts";
import { registerPrompts } from "./prompts.ts";
import { registerQuestions } from "./questions.ts";
import { createRequestState } from "./request-state.ts";
import { registerResources } from "./resources.ts";
import { registerTaskTools } from "./task-tools.ts";

// Nothing here depends on who asks, and nothing changes while the Worker runs.
const SHARED = { ttlMs: 60_000, cacheScope: "public" } as const;

const server = defineServer({
  name: "conformance-server",
  version: "1.0.0",
  variables: {
    REQUEST_STATE_KEY: z
      .string()
      .min(32)
      .describe("Signs what a client hands back with the answers to our questions"),
  },
  options: ({ env, principal }) => ({
    instructions: "Every tool, prompt and resource here is a fixture of the conformance suite.",
    requestState: createRequestState(env.REQUEST_STATE_KEY, principal),
    cacheHints: {
      "tools/list": SHARED,
      "prompts/list": SHARED,
      "resources/list": SHARED,
      "resources/templates/list": SHARED,
      "resources/read": SHARED,
    },
  }),
  register(mcpServer, context) {
    const { env, principal } = context;
    registerContentTools(mcpServer);
    registerHttpTools(mcpServer);
    registerPrompts(mcpServer);
    registerResources(mcpServer);
    registerQuestions(mcpServer);
    registerTaskTools(mcpServer, context);
    registerInputRequired(mcpServer, createRequestState(env.REQUEST_STATE_KEY, principal));
  },
});

export default createWorker(server);
