// The basket of docs/handles.md, with the official client in both eras.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { expect, test } from "vitest";
import server from "../../examples/basket.ts";
import { createWorker } from "../../src/worker.ts";
import { isolatesOf } from "../streams/isolates.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { createDatabase, keys } from "../support/worker.ts";

async function shop(
  mode: "legacy" | { pin: string },
  key: string = keys.alice,
  database?: Awaited<ReturnType<typeof createDatabase>>,
) {
  const { env } = database ?? (await createDatabase());
  const { fetch } = isolatesOf(() => createWorker(server), env({ MCP_HANDLES: "true" }));
  const client = new Client({ name: "shopper", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(
    new StreamableHTTPClientTransport(new URL("https://worker.test/mcp"), {
      fetch,
      requestInit: { headers: { Authorization: `Bearer ${key}` } },
    }),
  );
  return async (name: string, input: Record<string, unknown> = {}) => {
    const { structuredContent, content, isError } = await client.callTool({ name, arguments: input });
    const says = content as { text: string }[];
    return isError === true ? says[0]?.text : structuredContent;
  };
}

test.each([["legacy"], [{ pin: "2026-07-28" }]] as const)(
  "a basket is filled, read and bought once (%j)",
  async (mode) => {
    const database = await createDatabase();
    const call = await shop(mode, keys.alice, database);
    const { basket } = (await call("open_basket")) as { basket: string };
    keepSecret(basket);
    await call("add_to_basket", { basket, item: "tea" });
    expect(await call("add_to_basket", { basket, item: "milk" })).toEqual({ items: ["tea", "milk"] });
    expect(await call("replace_basket", { basket, items: [], if_version: 1 })).toEqual({ replaced: false });
    expect(await call("replace_basket", { basket, items: ["tea"], if_version: 3 })).toEqual({
      replaced: true,
      version: 4,
    });
    expect(await call("read_basket", { basket })).toEqual({ items: ["tea"], version: 4 });
    const other = await shop(mode, keys.bob, database);
    expect(await other("read_basket", { basket })).toBe("There is no such basket. Open a new one");
    const bought = await Promise.all([call("check_out", { basket }), call("check_out", { basket })]);
    expect(bought).toContainEqual({ bought: ["tea"] });
    expect(bought).toContain("There is no such basket");
    expect(await call("add_to_basket", { basket, item: "tea" })).toMatch(/^There is no such handle/);
  },
);
