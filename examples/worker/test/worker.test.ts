// The Worker under wrangler, over the database of .dev.vars, with the official client.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import * as z from "zod";
import { unstable_startWorker as startWorker } from "wrangler";

const worker = await startWorker({
  config: "wrangler.toml",
  dev: { server: { port: 0 }, inspector: false, logLevel: "warn" },
});
after(() => worker.dispose());

const key = /^API_KEYS=.*me:[^:]+:([\w-]+)/m.exec(readFileSync(".dev.vars", "utf8"))?.[1];

async function connect(mode: "legacy" | { pin: string } = "legacy") {
  const transport = new StreamableHTTPClientTransport(new URL("/mcp", await worker.url), {
    requestInit: { headers: { Authorization: `Bearer ${key}` } },
  });
  const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return {
    async add(item: string, list?: string) {
      const { content } = await client.callTool({ name: "add_item", arguments: { item, list } });
      return content;
    },
    async end() {
      await transport.terminateSession();
      await client.close();
    },
  };
}

test("a list belongs to its session", async () => {
  const [one, other] = await Promise.all([connect(), connect()]);
  await one.add("tea");
  assert.deepEqual(await one.add("milk"), [{ type: "text", text: '["tea","milk"]' }]);
  assert.deepEqual(await other.add("bread"), [{ type: "text", text: '["bread"]' }]);
  await Promise.all([one.end(), other.end()]);
});

test("a client without a session carries its list by a handle", async () => {
  const client = await connect({ pin: "2026-07-28" });
  const textOf = (content: unknown) => z.tuple([z.object({ text: z.string() })]).parse(content)[0].text;
  const begun = JSON.parse(textOf(await client.add("tea")));
  assert.deepEqual(begun.items, ["tea"]);
  const more = JSON.parse(textOf(await client.add("milk", begun.list)));
  assert.deepEqual(more, { list: begun.list, items: ["tea", "milk"] });
  await client.end();
});

test("nobody gets in without a key", async () => {
  const response = await fetch(new URL("/mcp", await worker.url), { method: "POST" });
  assert.equal(response.status, 401);
});
