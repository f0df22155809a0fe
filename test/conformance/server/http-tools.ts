// Tools for the scenarios about schemas, headers and streams.
import { fromJsonSchema, inputRequired, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { says } from "./content.ts";

const none = z.object({});

/** What `tools/list` must hand on unchanged. */
const JSON_SCHEMA_2020_12 = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
} as const;

export function registerHttpTools(server: McpServer): void {
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Has a schema of many keywords", inputSchema: fromJsonSchema(JSON_SCHEMA_2020_12) },
    (input) => says(JSON.stringify(input)),
  );

  server.registerTool(
    "test_header_parameter",
    {
      description: "Has an argument that clients repeat in a header, where proxies can read it",
      inputSchema: z.object({ region: z.string().meta({ "x-mcp-header": "Region" }) }),
    },
    ({ region }) => says(`Region: ${region}`),
  );

  server.registerTool(
    "test_missing_capability",
    { description: "Needs a client that can sample", inputSchema: none },
    () =>
      inputRequired({
        inputRequests: {
          sample: inputRequired.createMessage({
            messages: [{ role: "user", content: { type: "text", text: "Say something" } }],
            maxTokens: 10,
          }),
        },
      }),
  );

  server.registerTool(
    "test_streaming_elicitation",
    { description: "Reports progress, then asks", inputSchema: none },
    async (_input, { mcpReq: { _meta: meta, notify } }) => {
      await notify({
        method: "notifications/progress",
        params: { progressToken: meta?.progressToken ?? "none", progress: 50, total: 100 },
      });
      return inputRequired({
        inputRequests: {
          confirm: inputRequired.elicit({
            message: "Go on?",
            requestedSchema: z.object({ ok: z.boolean() }),
          }),
        },
      });
    },
  );

  server.registerTool(
    "test_logging_tool",
    { description: "Logs, if the request has a log level", inputSchema: none },
    async (_input, { mcpReq }) => {
      await mcpReq.log("info", "Logging was asked for");
      return says("Logged");
    },
  );

  server.registerTool(
    "test_reconnection",
    { description: "Closes its stream before it answers, where that can be resumed", inputSchema: none },
    async (_input, { http }) => {
      http?.closeSSE?.();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return says("Answered after the stream was closed");
    },
  );
}
