// A server whose tools' work a test holds, to kill who does it.
import { acceptedContent, inputRequired, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { defineServer, type ServerContext } from "../../src/mcp/context.ts";

const variables = { TEST_GATE: z.url().describe("Where work waits until the test lets it go on") };

export default defineServer({ name: "task-server", version: "1.0.0", variables, register });

function register(server: McpServer, { task, taskRun, env }: ServerContext<typeof variables>): void {
  const inputSchema = z.object({ name: z.string() });
  const work = async ({ name }: { name: string }) => {
    const response = await fetch(new URL(name, env.TEST_GATE), { method: "POST" });
    const said = `${name}: ${await response.text()} at attempt ${taskRun?.attempt}`;
    return { content: [{ type: "text" as const, text: said }] };
  };
  server.registerTool("work", { inputSchema }, task({ onLost: "retry", attempts: 3 }, work));
  server.registerTool("work_twice", { inputSchema }, task({ onLost: "retry", attempts: 2 }, work));
  server.registerTool("work_once", { inputSchema }, task({ onLost: "fail" }, work));
  server.registerTool(
    "ask",
    { inputSchema },
    task(({ name }, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "word", z.object({ word: z.string() }));
      if (answer !== undefined)
        return { content: [{ type: "text" as const, text: `${name} says ${answer.word}` }] };
      const requestedSchema = {
        type: "object" as const,
        properties: { word: { type: "string" as const } },
        required: ["word"],
      };
      return inputRequired({
        inputRequests: { word: inputRequired.elicit({ message: `A word for ${name}?`, requestedSchema }) },
      });
    }),
  );
}
