// Handles, with the official client pinned to 2026-07-28: two Workers that take turns, and a restart of both in the middle.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSystem, type System, type TestWorker } from "./support.ts";

let system: System;
let workers: readonly [TestWorker, TestWorker];
beforeAll(async () => {
  system = await startSystem();
  const vars = { MCP_HANDLES: "true", MCP_HANDLES_PER_PRINCIPAL: "3" };
  workers = await Promise.all([system.startWorker(vars), system.startWorker(vars)]);
});
afterAll(() => system.stop());

type Tool = (name: string, input?: Record<string, unknown>) => Promise<unknown>;

/** A client whose requests reach one Worker after the other. */
async function connect(
  principal: "alice" | "bob",
  pin = "2026-07-28",
): Promise<{ tool: Tool; close: () => Promise<void> }> {
  let turn = 0;
  const client = new Client(
    { name: "pinned", version: "1.0.0" },
    { versionNegotiation: { mode: pin === "2026-07-28" ? { pin } : "legacy" } },
  );
  const transport = new StreamableHTTPClientTransport(workers[0].mcp, {
    fetch: (_, init) => fetch(workers[turn++ % 2 === 0 ? 0 : 1].mcp, init),
    requestInit: { headers: { Authorization: `Bearer ${system.keys[principal]}` } },
  });
  await client.connect(transport);
  return {
    async tool(name, input = {}) {
      const { structuredContent, content, isError } = await client.callTool({
        name: `handle_${name}`,
        arguments: input,
      });
      if (isError === true) throw new Error(JSON.stringify(content));
      const answer = structuredContent as { is?: unknown; refused?: string };
      return answer.refused ?? answer.is;
    },
    close: () => client.close(),
  };
}

const make = async (tool: Tool, input: Record<string, unknown>) =>
  ((await tool("make", input)) as { handle: string }).handle;

test("a client makes a handle, changes it, and loses it; another principal can do nothing with it", async () => {
  const alice = await connect("alice");
  const bob = await connect("bob");
  const handle = await make(alice.tool, { kind: "cart", value: { items: [] } });
  expect(await alice.tool("read", { handle })).toMatchObject({
    kind: "cart",
    value: { items: [] },
    version: 1,
  });
  expect(await alice.tool("change", { handle, value: { items: ["tea"] }, if_version: 1 })).toMatchObject({
    version: 2,
  });
  expect(await alice.tool("change", { handle, value: 0, if_version: 1 })).toBe("version_mismatch");

  for (const principal of [bob, await connect("bob", "2025-11-25")]) {
    expect(await principal.tool("read", { handle })).toBeNull();
    expect(await principal.tool("change", { handle, value: 0 })).toBe("unknown_handle");
    expect(await principal.tool("increment", { handle })).toBe("unknown_handle");
    expect(await principal.tool("end", { handle })).toBe(false);
    expect(await principal.tool("list")).toEqual([]);
    await principal.close();
  }

  // The same principal in a session has the same handles.
  const older = await connect("alice", "2025-11-25");
  expect(await older.tool("read", { handle })).toMatchObject({ value: { items: ["tea"] }, version: 2 });
  await Promise.all(workers.map((worker) => worker.restart()));
  expect(await alice.tool("read", { handle })).toMatchObject({ version: 2 });
  expect(await alice.tool("list")).toHaveLength(1);

  // Three more, and the oldest is gone.
  for (let i = 0; i < 3; i++) await make(alice.tool, { kind: "cart", value: i });
  expect(await alice.tool("read", { handle })).toBeNull();
  expect(await alice.tool("list")).toHaveLength(3);

  const last = await make(older.tool, { kind: "counter", value: 1 });
  await Promise.all(Array.from({ length: 6 }, () => alice.tool("increment", { handle: last })));
  expect(await older.tool("read", { handle: last })).toMatchObject({ value: 7, version: 7 });
  expect(await older.tool("end", { handle: last })).toBe(true);
  expect(await alice.tool("read", { handle: last })).toBeNull();
  expect(await alice.tool("end", { handle: last })).toBe(false);
  await alice.close();
  await older.close();

  const rows = await system.ask<Record<string, unknown>>("SELECT * FROM mcp_handles");
  expect(rows).toHaveLength(3);
  // A stolen table opens nothing.
  for (const id of [handle, last]) expect(JSON.stringify(rows)).not.toContain(id);
});
