// Tools that ask the client, as clients up to 2025-11-25 know it. Each is written once for both eras; this Worker can ask
// clients of 2026-07-28 only.
import { inputRequired, inputResponse, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { says } from "./content.ts";

type SampledContent = Extract<ReturnType<typeof inputResponse>, { kind: "sampling" }>["result"]["content"];
type ElicitParams = Parameters<typeof inputRequired.elicit>[0];

const titled = (noun: string) =>
  ["First", "Second", "Third"].map((ordinal, i) => ({ const: `value${i + 1}`, title: `${ordinal} ${noun}` }));

const user = {
  type: "object",
  properties: {
    username: { type: "string", description: "User's response" },
    email: { type: "string", description: "User's email address" },
  },
  required: ["username", "email"],
} satisfies ElicitParams["requestedSchema"];

const defaults = {
  type: "object",
  properties: {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  },
} satisfies ElicitParams["requestedSchema"];

const options = ["option1", "option2", "option3"];
const enums = {
  type: "object",
  properties: {
    untitledSingle: { type: "string", enum: options },
    titledSingle: { type: "string", oneOf: titled("Option") },
    legacyEnum: {
      type: "string",
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti: { type: "array", items: { type: "string", enum: options } },
    titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
  },
} satisfies ElicitParams["requestedSchema"];

export function registerQuestions(server: McpServer): void {
  server.registerTool(
    "test_sampling",
    { description: "Asks the client's model", inputSchema: z.object({ prompt: z.string() }) },
    ({ prompt }, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, "answer");
      if (answer.kind === "sampling") return says(`LLM response: ${textOf(answer.result.content)}`);
      return inputRequired({
        inputRequests: {
          answer: inputRequired.createMessage({
            messages: [{ role: "user", content: { type: "text", text: prompt } }],
            maxTokens: 100,
          }),
        },
      });
    },
  );

  server.registerTool(
    "test_elicitation",
    { description: "Asks the user", inputSchema: z.object({ message: z.string() }) },
    ({ message }, { mcpReq }) => ask(mcpReq.inputResponses, "User response", message, user),
  );

  server.registerTool(
    "test_elicitation_sep1034_defaults",
    { description: "Asks the user, with default values", inputSchema: z.object({}) },
    (_input, { mcpReq }) =>
      ask(mcpReq.inputResponses, "Elicitation completed", "Check these values", defaults),
  );

  server.registerTool(
    "test_elicitation_sep1330_enums",
    { description: "Asks the user to choose", inputSchema: z.object({}) },
    (_input, { mcpReq }) => ask(mcpReq.inputResponses, "Elicitation completed", "Choose", enums),
  );
}

/** The answer after `label`, or the question when there is no answer yet. */
function ask(
  responses: Record<string, unknown> | undefined,
  label: string,
  message: string,
  requestedSchema: ElicitParams["requestedSchema"],
) {
  const answer = inputResponse(responses, "answer");
  if (answer.kind === "elicit") {
    return says(`${label}: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
  }
  return inputRequired({ inputRequests: { answer: inputRequired.elicit({ message, requestedSchema }) } });
}

function textOf(content: SampledContent): string {
  return [content]
    .flat()
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("");
}
