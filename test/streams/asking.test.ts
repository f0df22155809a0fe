// A tool asks its client, and every request reaches another isolate.
import { acceptedContent, inputRequired } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import * as z from "zod";
import { createDatabase } from "../support/worker.ts";
import { connectTo, isolates } from "./isolates.ts";

const streaming = { MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "100" };
const none = { inputSchema: z.object({}) };
const nameForm = inputRequired.elicit({
  message: "Who are you?",
  requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
});

test("the answer lands on another isolate, and the result is an event of the first stream", async () => {
  const database = await createDatabase();
  const two = isolates(database.env(streaming), (server) => {
    server.registerTool("greet", none, (_args, context) => {
      const answer = acceptedContent(context.mcpReq.inputResponses, "name", z.object({ name: z.string() }));
      if (answer === undefined) return inputRequired({ inputRequests: { name: nameForm } });
      return { content: [{ type: "text", text: `Hello ${answer.name}` }] };
    });
  });
  const { client, transport } = await connectTo(two, { capabilities: { elicitation: {} } });
  const asked: string[] = [];
  client.setRequestHandler("elicitation/create", (request) => {
    asked.push(request.params.message);
    return Promise.resolve({ action: "accept" as const, content: { name: "Ada" } });
  });
  await client.connect(transport);
  expect(await client.callTool({ name: "greet", arguments: {} })).toMatchObject({
    content: [{ type: "text", text: "Hello Ada" }],
  });
  expect(asked).toEqual(["Who are you?"]);
  // The call, the answer, and the return of the client for the result.
  expect(two.exchanges.slice(3).map(({ method, status }) => `${method} ${status}`)).toEqual([
    "POST 200",
    "POST 202",
    "GET 200",
  ]);
  await client.close();
});

test("a tool that closes its stream goes on, and its client takes the result later", async () => {
  const database = await createDatabase();
  let finish: () => void = () => undefined;
  const two = isolates(database.env(streaming), (server) => {
    server.registerTool("work", none, async (_args, context) => {
      context.http?.closeSSE?.();
      await new Promise<void>((resolve) => (finish = resolve));
      return { content: [{ type: "text", text: "done" }] };
    });
  });
  const { client, transport } = await connectTo(two);
  await client.connect(transport);
  const called = client.callTool({ name: "work", arguments: {} });
  await expect
    .poll(
      () =>
        two.exchanges.filter(({ method, lastEventId }) => method === "GET" && lastEventId !== null).length,
    )
    .toBeGreaterThan(1);
  finish();
  expect(await called).toMatchObject({ content: [{ type: "text", text: "done" }] });
  await client.close();
});
