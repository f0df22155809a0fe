// Tools without arguments: one for each kind of content, and those that log, report progress or fail.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { image, says, SILENCE, text } from "./content.ts";

// The scenarios want several messages that do not arrive together.
const STEP_MS = 50;
const step = () => new Promise((resolve) => setTimeout(resolve, STEP_MS));

const inputSchema = z.object({});

export function registerContentTools(server: McpServer): void {
  server.registerTool("test_simple_text", { description: "Returns text", inputSchema }, () =>
    says("This is a simple text response for testing."),
  );

  server.registerTool("test_image_content", { description: "Returns an image", inputSchema }, () => ({
    content: [image],
  }));

  server.registerTool("test_audio_content", { description: "Returns a sound", inputSchema }, () => ({
    content: [{ type: "audio", data: SILENCE, mimeType: "audio/wav" }],
  }));

  server.registerTool("test_embedded_resource", { description: "Returns a resource", inputSchema }, () => ({
    content: [
      {
        type: "resource",
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "This is an embedded resource content.",
        },
      },
    ],
  }));

  server.registerTool(
    "test_multiple_content_types",
    { description: "Returns text, an image and a resource", inputSchema },
    () => ({
      content: [
        text("Multiple content types test:"),
        image,
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ test: "data", value: 123 }),
          },
        },
      ],
    }),
  );

  server.registerTool("test_error_handling", { description: "Fails", inputSchema }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });

  server.registerTool(
    "test_tool_with_logging",
    { description: "Logs three messages", inputSchema },
    async (_input, { mcpReq }) => {
      await mcpReq.log("info", "Tool execution started");
      await step();
      await mcpReq.log("info", "Tool processing data");
      await step();
      await mcpReq.log("info", "Tool execution completed");
      return says("Three messages were logged");
    },
  );

  server.registerTool(
    "test_tool_with_progress",
    { description: "Reports progress three times", inputSchema },
    async (_input, { mcpReq: { _meta: meta, notify } }) => {
      const progressToken = meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progress > 0) await step();
        if (progressToken === undefined) continue;
        await notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100 },
        });
      }
      return says(`Done, with the progress token ${progressToken}`);
    },
  );
}
