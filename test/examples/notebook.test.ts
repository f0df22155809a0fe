// Every piece of the notebook that docs/author.md shows does what the page says of it.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { expect, inject, test, vi } from "vitest";
import server from "../../examples/notebook.ts";
import { createWorker } from "../../src/worker.ts";
import { openClient } from "../support/client.ts";
import { messageOf } from "../support/mcp.ts";
import { connectTo, isolatesOf } from "../streams/isolates.ts";
import { createDatabase, keys } from "../support/worker.ts";

const worker = createWorker(server);

test("notes are kept in the session, up to the limit of the author's variable", async () => {
  const client = await openClient(worker, { NOTEBOOK_LIMIT: "2" });
  await client.call("add_note", { text: "one" });
  expect(await client.call("add_note", { text: "two" })).toMatchObject({ notes: ["one", "two"], version: 2 });
  await expect(client.call("add_note", { text: "three" })).rejects.toThrow("The notebook is full");
  expect(await client.state()).toEqual({ notes: ["one", "two"] });
});

test("notes added at the same time all stay", async () => {
  const client = await openClient(worker);
  await Promise.all(Array.from({ length: 8 }, (_, i) => client.call("add_note", { text: `${i}` })));
  expect((await client.state())["notes"]).toHaveLength(8);
});

test("a replacement with an old version changes nothing and gets the current notes", async () => {
  const client = await openClient(worker);
  await client.call("add_note", { text: "one" });
  await client.call("add_note", { text: "two" });
  expect(await client.call("replace_notes", { notes: [], if_version: 1 })).toEqual({
    replaced: false,
    notes: ["one", "two"],
    version: 2,
  });
  expect(await client.call("replace_notes", { notes: ["three"], if_version: 2 })).toMatchObject({
    replaced: true,
    version: 3,
  });
  expect(await client.call("clear_notes")).toEqual({ existed: true });
  expect(await client.call("clear_notes")).toEqual({ existed: false });
});

test("the copy to the archive is made after the answer", async () => {
  const put = vi.fn<(key: string, value: string) => Promise<void>>(() => Promise.resolve());
  const client = await openClient(worker, { NOTEBOOK_ARCHIVE: { put } as unknown as string });
  await client.call("add_note", { text: "one" });
  expect(await client.call("archive_notes")).toEqual({ archived: true });
  expect(put).toHaveBeenCalledWith("alice", '["one"]');
});

test("an older client is asked, too, and its answer reaches another isolate", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "100" });
  const { client, transport } = await connectTo(
    isolatesOf(() => createWorker(server), env),
    {
      capabilities: { elicitation: {} },
    },
  );
  client.setRequestHandler("elicitation/create", () =>
    Promise.resolve({ action: "accept" as const, content: { close: true } }),
  );
  await client.connect(transport);
  expect(await client.callTool({ name: "close_notebook", arguments: {} })).toMatchObject({
    structuredContent: { closed: true },
  });
  await client.close();
});

test("a request to another server goes out, and its failure is the client's answer", async () => {
  const client = await openClient(worker);
  const call = client.call("define", { word: "tea", dictionary: `${inject("control")}/no-dictionary` });
  await expect(call).rejects.toThrow("The dictionary answered with 500");
});

test("instructions, prompt and resource are those of the author", async () => {
  const client = await openClient(worker);
  const prompt = await client.request("prompts/get", { name: "summarise", arguments: { topic: "tea" } });
  expect(JSON.stringify(prompt)).toContain("Summarise my notes about tea.");
  const resource = await client.request("resources/read", { uri: "notebook://help" });
  expect(JSON.stringify(resource)).toContain("Call add_note with a text.");
});

test("a call without the scope of its tool is refused, and none of it has run", async () => {
  const client = await openClient(worker);
  await client.call("add_note", { text: "one" });
  await expect(client.call("publish_notes")).rejects.toThrow("HTTP 403");
});

/** Sends a request of a client of 2026-07-28 that can answer questions. */
async function modern(method: string, params: Record<string, unknown>) {
  const { env } = await createDatabase();
  const context = createExecutionContext();
  const response = await worker.fetch(
    new Request<unknown, IncomingRequestCfProperties>("https://worker.test/mcp", {
      method: "POST",
      headers: {
        Authorization: `Bearer ${keys.alice}`,
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
        ...(typeof params["name"] === "string" && { "Mcp-Name": params["name"] }),
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method,
        params: {
          ...params,
          _meta: {
            [PROTOCOL_VERSION_META_KEY]: "2026-07-28",
            [CLIENT_INFO_META_KEY]: { name: "test", version: "1" },
            [CLIENT_CAPABILITIES_META_KEY]: { elicitation: { form: {} } },
          },
        },
      }),
    }),
    env(),
    context,
  );
  await waitOnExecutionContext(context);
  return messageOf(response);
}

test("a client of 2026-07-28 is asked, and its answer reaches the tool", async () => {
  const call = { name: "close_notebook", arguments: {} };
  const asked = await modern("tools/call", call);
  expect(asked.result).toMatchObject({
    resultType: "input_required",
    inputRequests: { confirm: { method: "elicitation/create" } },
  });
  const inputResponses = { confirm: { action: "accept", content: { close: true } } };
  const answered = await modern("tools/call", { ...call, inputResponses });
  expect(answered.result).toMatchObject({ structuredContent: { closed: true } });
});

test("a client up to 2025-11-25 cannot be asked, and is told so", async () => {
  const client = await openClient(worker);
  await expect(client.call("close_notebook")).rejects.toThrow(/elicitation/i);
});

test("a client of 2026-07-28 does not see the tools that need a session", async () => {
  const { result } = await modern("tools/list", {});
  const tools = (result?.["tools"] ?? []) as { name: string }[];
  expect(tools.map(({ name }) => name)).toEqual(["close_notebook"]);
});
