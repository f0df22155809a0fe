// Tools and a prompt of MCP 2026-07-28 that ask by their result: the client calls again, with its answers.
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  type InputRequests,
  inputResponse,
  type McpServer,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { says, text } from "./content.ts";
import type { RequestState, Round } from "./request-state.ts";

const inputSchema = z.object({});
const named = z.object({ name: z.string() });
const colored = z.object({ color: z.string() });
const confirmed = z.object({ ok: z.boolean() });
const contextual = z.object({ context: z.string() });

const elicit = (message: string, requestedSchema: z.ZodObject) =>
  inputRequired.elicit({ message, requestedSchema });
const sample = (question: string, maxTokens: number) =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: question } }],
    maxTokens,
  });

export function registerInputRequired(server: McpServer, state: RequestState): void {
  registerSingleQuestions(server);
  registerStatefulQuestions(server, state);

  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "Asks only what the client can answer", inputSchema },
    (_input, { mcpReq }) => {
      if (mcpReq.inputResponses !== undefined) return says("Answered");
      const { elicitation, sampling } = capabilitiesIn(mcpReq.envelope);
      const inputRequests: InputRequests = {
        ...(elicitation !== undefined && { name: elicit("What is your name?", named) }),
        ...(sampling !== undefined && { capital: sample("What is the capital of France?", 100) }),
      };
      if (Object.keys(inputRequests).length === 0) return says("This client can answer nothing");
      return inputRequired({ inputRequests });
    },
  );

  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "Asks for its context" },
    ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "user_context", contextual);
      if (answer !== undefined) {
        return { messages: [{ role: "user", content: text(`Use this context: ${answer.context}`) }] };
      }
      return inputRequired({
        inputRequests: { user_context: elicit("What context should the prompt use?", contextual) },
      });
    },
  );
}

/** What the client has declared with this request. */
function capabilitiesIn(envelope: Record<string, unknown> = {}): Record<string, unknown> {
  return Object(envelope[CLIENT_CAPABILITIES_META_KEY]);
}

function registerSingleQuestions(server: McpServer): void {
  server.registerTool(
    "test_input_required_result_elicitation",
    { description: "Asks for a name", inputSchema },
    (_input, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "user_name", named);
      if (answer !== undefined) return says(`Hello, ${answer.name}!`);
      return inputRequired({ inputRequests: { user_name: elicit("What is your name?", named) } });
    },
  );

  server.registerTool(
    "test_input_required_result_sampling",
    { description: "Asks the client's model", inputSchema },
    (_input, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, "capital_question");
      if (answer.kind === "sampling") return says(JSON.stringify(answer.result.content));
      return inputRequired({
        inputRequests: { capital_question: sample("What is the capital of France?", 100) },
      });
    },
  );

  server.registerTool(
    "test_input_required_result_list_roots",
    { description: "Asks for the client's roots", inputSchema },
    (_input, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, "client_roots");
      if (answer.kind === "roots") return says(answer.roots.map(({ uri }) => uri).join(" "));
      return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    },
  );
}

function registerStatefulQuestions(server: McpServer, state: RequestState): void {
  // The second is called with a state that the client has changed, which `verify` refuses.
  for (const name of [
    "test_input_required_result_request_state",
    "test_input_required_result_tampered_state",
  ]) {
    server.registerTool(
      name,
      { description: "Asks, and recognises its own question", inputSchema },
      async (_input, context) => {
        const { inputResponses, requestState } = context.mcpReq;
        const answer = acceptedContent(inputResponses, "confirm", confirmed);
        if (answer !== undefined && requestState<Round>()?.round === 1) return says("state-ok");
        return inputRequired({
          inputRequests: { confirm: elicit("Please confirm", confirmed) },
          requestState: await state.mint({ round: 1 }, context),
        });
      },
    );
  }

  server.registerTool(
    "test_input_required_result_multiple_inputs",
    { description: "Asks three things at once", inputSchema },
    async (_input, context) => {
      const { inputResponses } = context.mcpReq;
      const name = acceptedContent(inputResponses, "user_name", named);
      const greeting = inputResponse(inputResponses, "greeting");
      const roots = inputResponse(inputResponses, "client_roots");
      if (name !== undefined && greeting.kind === "sampling" && roots.kind === "roots") {
        return says(
          `${JSON.stringify(greeting.result.content)} ${name.name}, of ${roots.roots.length} roots`,
        );
      }
      return inputRequired({
        inputRequests: {
          user_name: elicit("What is your name?", named),
          greeting: sample("Generate a greeting", 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await state.mint({ round: 1 }, context),
      });
    },
  );

  server.registerTool(
    "test_input_required_result_multi_round",
    { description: "Asks twice", inputSchema },
    async (_input, context) => {
      const { inputResponses, requestState } = context.mcpReq;
      const before = requestState<Round>();
      const color = acceptedContent(inputResponses, "step2", colored);
      if (before?.round === 2 && color !== undefined) return says(`${before.name} likes ${color.color}`);
      const name = acceptedContent(inputResponses, "step1", named);
      if (before?.round === 1 && name !== undefined) {
        return inputRequired({
          inputRequests: { step2: elicit("Step 2: What is your favorite color?", colored) },
          requestState: await state.mint({ round: 2, name: name.name }, context),
        });
      }
      return inputRequired({
        inputRequests: { step1: elicit("Step 1: What is your name?", named) },
        requestState: await state.mint({ round: 1 }, context),
      });
    },
  );
}
