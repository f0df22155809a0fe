// Reports: a server whose tools take long. docs/tasks.md shows it piece by piece.
import { acceptedContent, inputRequired, type McpServer, ProtocolError } from "@modelcontextprotocol/server";
import * as z from "zod";
import { defineServer, type ServerContext } from "../src/mcp/context.ts";

export default defineServer({
  name: "reports",
  version: "1.0.0",
  register(server, context) {
    registerReport(server, context);
    registerPublish(server, context);
    registerOrder(server, context);
  },
});

// #region task
function registerReport(server: McpServer, { task, taskRun, signal }: ServerContext): void {
  server.registerTool(
    "make_report",
    { description: "Makes a report. Takes a while", inputSchema: z.object({ about: z.string() }) },
    task({ onLost: "retry", attempts: 3 }, async ({ about }) => {
      const pages: string[] = [];
      for (let page = 1; page <= 3; page++) {
        // The client has cancelled, or somebody else has taken the task over.
        if (signal.aborted) break;
        pages.push(await writePage(about, page));
      }
      return says(`${pages.join(" ")} (attempt ${taskRun?.attempt ?? "in the request"})`);
    }),
  );
}
// #endregion

// #region question
function registerPublish(server: McpServer, { task }: ServerContext): void {
  const confirmation = z.object({ publish: z.boolean() });
  server.registerTool(
    "publish_report",
    { description: "Publishes a report, after a question", inputSchema: z.object({ title: z.string() }) },
    task(({ title }, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "confirm", confirmation);
      if (answer !== undefined) return says(answer.publish ? `Published ${title}` : "Not published");
      return inputRequired({
        inputRequests: {
          confirm: inputRequired.elicit({
            message: `Publish ${title}?`,
            requestedSchema: {
              type: "object",
              properties: { publish: { type: "boolean" } },
              required: ["publish"],
            },
          }),
        },
      });
    }),
  );
}
// #endregion

// #region before
function registerOrder(server: McpServer, { task }: ServerContext): void {
  const printed = task({ required: true }, async ({ copies }: { copies: number }) => {
    if (copies > 100) throw new ProtocolError(-32_000, "The printer has too little paper");
    return says(`Printed ${copies} copies`);
  });
  server.registerTool(
    "print_report",
    { description: "Prints a report", inputSchema: z.object({}) },
    (_, { mcpReq }) => {
      const order = acceptedContent(mcpReq.inputResponses, "order", z.object({ copies: z.number() }));
      if (order !== undefined) return printed(order);
      return inputRequired({
        inputRequests: {
          order: inputRequired.elicit({
            message: "How many copies?",
            requestedSchema: {
              type: "object",
              properties: { copies: { type: "number" } },
              required: ["copies"],
            },
          }),
        },
      });
    },
  );
}
// #endregion

const writePage = async (about: string, page: number) => `${about}, page ${page}.`;
const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
