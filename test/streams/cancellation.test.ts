// notifications/cancelled reaches the tool that it is meant for, on whichever isolate it runs.
import { expect, test } from "vitest";
import * as z from "zod";
import { poll } from "../support/cleanup.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";
import { connectTo, isolates } from "./isolates.ts";

const streaming = { MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "100" };

/** A client, and a tool that works until it is cancelled. */
async function working(database: TestDatabase, count: number) {
  const seen: string[] = [];
  const workers = isolates(
    database.env(streaming),
    (server, { signal: own }) => {
      server.registerTool("work", { inputSchema: z.object({}) }, async (_input, { mcpReq: { signal } }) => {
        seen.push("begun");
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        seen.push(`cancelled ${own.aborted}`);
        return { content: [] };
      });
    },
    count,
  );
  const { client, transport } = await connectTo(workers);
  await client.connect(transport);
  return { client, workers, seen };
}

test.each([
  ["the same isolate: at once, without a query", 1],
  ["another isolate: by a mark in the database", 2],
])("a call that runs on %s", async (_where, count) => {
  const database = await createDatabase();
  const { client, workers, seen } = await working(database, count);
  // The open stream of GET takes a turn, too.
  await expect.poll(() => workers.exchanges.length).toBe(3);
  const giving = new AbortController();
  const called = client.callTool({ name: "work", arguments: {} }, { signal: giving.signal });
  await expect.poll(() => seen).toEqual(["begun"]);
  giving.abort();
  await expect(called).rejects.toThrow();
  await poll(() => Promise.resolve(seen.filter((word) => word !== "begun")));
  expect(seen).toEqual(["begun", "cancelled true"]);
  const marks = await database.query("SELECT FROM mcp_marks");
  expect(marks).toHaveLength(count - 1);
  await client.close();
  await workers.settled();
});
