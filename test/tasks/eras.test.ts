// One tool for both eras: what becomes a task for a client of 2026-07-28 is a stream for one of 2025-11-25.
import { acceptedContent, inputRequired, type McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import * as z from "zod";
import type { ServerContext } from "../../src/mcp/context.ts";
import { connectTo, isolates } from "../streams/isolates.ts";
import { createDatabase } from "../support/worker.ts";
import { says, send } from "./wire.ts";

function register(server: McpServer, { task, taskRun, session }: ServerContext): void {
  server.registerTool(
    "order",
    { inputSchema: z.object({ what: z.string() }) },
    task({ required: true }, ({ what }, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "size", z.object({ size: z.string() }));
      const where = taskRun === undefined ? "in a request" : "as a task";
      if (answer !== undefined) return says(`${answer.size} ${what}, ${where}, ${session?.protocolVersion}`);
      const requestedSchema = {
        type: "object" as const,
        properties: { size: { type: "string" as const } },
        required: ["size"],
      };
      return inputRequired({
        inputRequests: { size: inputRequired.elicit({ message: "Which size?", requestedSchema }) },
      });
    }),
  );
}

test("a client of sessions is asked by its stream, on any isolate, and gets the result of its call", async () => {
  const database = await createDatabase();
  const workers = isolates(
    database.env({ MCP_TASKS: "true", MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "100" }),
    register,
  );
  const { client, transport } = await connectTo(workers, { capabilities: { elicitation: { form: {} } } });
  client.setRequestHandler("elicitation/create", () => ({
    action: "accept" as const,
    content: { size: "large" },
  }));
  await client.connect(transport);
  expect(client.getServerCapabilities()).not.toHaveProperty("extensions");
  const earlier = await client.callTool({ name: "order", arguments: { what: "tea" } });
  expect(earlier).toEqual(says("large tea, in a request, 2025-11-25"));
  await client.close();
  expect(await database.query("SELECT FROM mcp_tasks")).toHaveLength(0);

  const { result } = await send(workers, "tools/call", { name: "order", arguments: { what: "tea" } });
  await workers.settled();
  const asked = await send(workers, "tasks/get", { taskId: result.taskId });
  const [key = ""] = Object.keys(asked.result.inputRequests);
  const inputResponses = { [key]: { action: "accept", content: { size: "small" } } };
  await send(workers, "tasks/update", { taskId: result.taskId, inputResponses });
  await workers.settled();
  const ended = await send(workers, "tasks/get", { taskId: result.taskId });
  expect(ended.result).toMatchObject({
    status: "completed",
    result: says("small tea, as a task, undefined"),
  });
});
