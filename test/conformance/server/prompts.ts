// Prompts: without and with arguments, with a resource and with an image.
import { completable, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { image, text } from "./content.ts";

const words = ["paris", "park", "party"];
const word = completable(z.string().describe("A word"), (value) =>
  words.filter((known) => known.startsWith(value)),
);

const fromUser = <Content>(content: Content) => ({ role: "user" as const, content });

export function registerPrompts(server: McpServer): void {
  server.registerPrompt("test_simple_prompt", { description: "Has no arguments" }, () => ({
    messages: [fromUser(text("This is a simple prompt for testing."))],
  }));

  server.registerPrompt(
    "test_prompt_with_arguments",
    {
      description: "Has two arguments, and completes them",
      argsSchema: z.object({ arg1: word, arg2: word }),
    },
    ({ arg1, arg2 }) => ({
      messages: [fromUser(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  );

  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    {
      description: "Has a resource in it",
      argsSchema: z.object({ resourceUri: z.string().describe("The URI of the resource") }),
    },
    ({ resourceUri }) => ({
      messages: [
        fromUser({
          type: "resource" as const,
          resource: {
            uri: resourceUri,
            mimeType: "text/plain",
            text: "Embedded resource content for testing.",
          },
        }),
        fromUser(text("Please process the embedded resource above.")),
      ],
    }),
  );

  server.registerPrompt("test_prompt_with_image", { description: "Has an image in it" }, () => ({
    messages: [fromUser(image), fromUser(text("Please analyze the image above."))],
  }));
}
