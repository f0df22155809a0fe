// The first tool of the README, tested as docs/author.md shows it.
import { expect, test } from "vitest";
import server from "../../examples/first-tool.ts";
import { createWorker } from "../../src/worker.ts";
import { openClient } from "../support/client.ts";

const worker = createWorker(server);

test("the tool counts its calls in a session", async () => {
  const client = await openClient(worker);
  await client.request("tools/call", { name: "count" });
  const answer = await client.request("tools/call", { name: "count" });
  expect(answer).toMatchObject({ content: [{ type: "text", text: "Call number 2" }] });
  expect(await client.state()).toEqual({ calls: 2 });
});

test("another session begins at one", async () => {
  await (await openClient(worker)).request("tools/call", { name: "count" });
  const other = await openClient(worker);
  expect(await other.request("tools/call", { name: "count" })).toMatchObject({
    content: [{ text: "Call number 1" }],
  });
});
