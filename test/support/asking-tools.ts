// Tools that outlive their requests: they ask their client, or go on after they have closed their stream.
import { acceptedContent, inputRequired, inputResponse, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

const none = { inputSchema: z.object({}) };
const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
const form = (message: string, name: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [name]: { type: "string" } }, required: [name] },
  });
const sample = inputRequired.createMessage({
  messages: [{ role: "user", content: { type: "text", text: "A word, please" } }],
  maxTokens: 10,
});

export function registerAskingTools(server: McpServer): void {
  server.registerTool("ask_name", none, (_input, { mcpReq: { inputResponses } }) => {
    const answer = inputResponse(inputResponses, "name");
    if (answer.kind !== "elicit")
      return inputRequired({ inputRequests: { name: form("Your name?", "name") } });
    return says(
      answer.action === "accept" ? `Hello ${JSON.stringify(answer.content)}` : `No name: ${answer.action}`,
    );
  });

  server.registerTool("ask_twice", none, (_input, { mcpReq: { inputResponses } }) => {
    const first = acceptedContent(inputResponses, "first", z.object({ first: z.string() }));
    const second = acceptedContent(inputResponses, "second", z.object({ second: z.string() }));
    if (second !== undefined) return says(`Then ${second.second}`);
    if (first !== undefined)
      return inputRequired({ inputRequests: { second: form(`After ${first.first}?`, "second") } });
    return inputRequired({ inputRequests: { first: form("First?", "first") } });
  });

  server.registerTool("ask_person_and_model", none, (_input, { mcpReq: { inputResponses } }) => {
    const name = acceptedContent(inputResponses, "name", z.object({ name: z.string() }));
    const word = inputResponse(inputResponses, "word");
    if (name === undefined || word.kind !== "sampling")
      return inputRequired({ inputRequests: { name: form("Your name?", "name"), word: sample } });
    const [said] = [word.result.content].flat();
    return says(`${name.name}: ${said?.type === "text" ? said.text : ""}`);
  });

  const work = z.object({ steps: z.number(), step_ms: z.number(), closes: z.boolean() });
  server.registerTool(
    "work",
    { inputSchema: work },
    async ({ steps, step_ms: stepMs, closes }, { http, mcpReq }) => {
      const { _meta: meta, notify } = mcpReq;
      if (closes) http?.closeSSE?.();
      for (let progress = 1; progress <= steps; progress++) {
        await new Promise((resolve) => setTimeout(resolve, stepMs));
        const progressToken = meta?.progressToken;
        if (progressToken !== undefined)
          await notify({
            method: "notifications/progress",
            params: { progressToken, progress, total: steps },
          });
      }
      return says(`Done in ${steps} steps`);
    },
  );
}
