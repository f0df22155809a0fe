// Tools whose calls become tasks (SEP-2663).
import {
  acceptedContent,
  inputRequired,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ServerContext } from "../../../src/mcp/context.ts";
import { says } from "./content.ts";

const none = z.object({});
const confirmation = z.object({ confirm: z.boolean() });
const named = z.object({ name: z.string() });

type Types = Record<string, { type: "boolean" } | { type: "string" }>;

const elicit = (message: string, properties: Types) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties, required: Object.keys(properties) },
  });

export function registerTaskTools(server: McpServer, { task, signal }: ServerContext): void {
  server.registerTool(
    "greet",
    { description: "Greets, at once", inputSchema: z.object({ name: z.string().optional() }) },
    ({ name = "World" }) => says(`Hello, ${name}!`),
  );

  server.registerTool(
    "slow_compute",
    {
      description: "Takes its time",
      inputSchema: z.object({ seconds: z.number().max(60).optional(), label: z.string().optional() }),
    },
    task(async ({ seconds = 1, label = "" }) => {
      await passed(seconds * 1000, signal);
      return says(`Computed ${label}`);
    }),
  );

  server.registerTool(
    "failing_job",
    { description: "Ends with an error of the tool", inputSchema: none },
    task({ required: true }, async () => {
      await passed(1000, signal);
      return { ...says("The job has failed"), isError: true };
    }),
  );

  server.registerTool(
    "protocol_error_job",
    { description: "Ends with an error of the protocol", inputSchema: none },
    task(() => {
      throw new ProtocolError(ProtocolErrorCode.InternalError, "The job has panicked");
    }),
  );

  server.registerTool(
    "confirm_delete",
    { description: "Asks before it deletes", inputSchema: z.object({ filename: z.string() }) },
    task(({ filename }, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "confirm", confirmation);
      if (answer !== undefined) return says(answer.confirm ? `Deleted ${filename}` : "Nothing was deleted");
      return inputRequired({
        inputRequests: { confirm: elicit(`Delete ${filename}?`, { confirm: { type: "boolean" } }) },
      });
    }),
  );

  server.registerTool(
    "multi_input",
    { description: "Asks two things at once", inputSchema: none },
    task((_, { mcpReq }) => {
      const [first, second] = ["first", "second"].map((key) =>
        acceptedContent(mcpReq.inputResponses, key, named),
      );
      if (first !== undefined && second !== undefined) return says(`${first.name} and ${second.name}`);
      const name = { name: { type: "string" } } as const;
      return inputRequired({
        inputRequests: { first: elicit("Who?", name), second: elicit("And who?", name) },
      });
    }),
  );

  // Asks before there is a task.
  const greetLater = task({ required: true }, ({ name }: { name: string }) => says(`Hello, ${name}!`));
  server.registerTool(
    "test_tool_with_task",
    { description: "Asks, and then becomes a task", inputSchema: none },
    (_, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "user_name", named);
      if (answer !== undefined) return greetLater(answer);
      const name = { name: { type: "string" } } as const;
      return inputRequired({ inputRequests: { user_name: elicit("What is your name?", name) } });
    },
  );
}

/** Resolves after a time, or when the work is no longer wanted. */
function passed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
