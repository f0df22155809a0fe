// A test of the author's room, to copy: a client without a session carries a handle.
import { expect, test } from "vitest";
import worker from "../../src/index.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { statelessClient } from "../support/client.ts";

test("a client without a session keeps its values in a handle, which the first tool hands out", async () => {
  const client = await statelessClient(worker, { MCP_HANDLES: "true" });
  const { handle } = await client.call("session_state_set", { key: "colour", value: "green" });
  keepSecret(String(handle));
  expect(await client.call("session_state_set", { handle, key: "n", value: 1 })).toMatchObject({
    handle,
    version: 2,
  });
  expect(await client.call("session_state_get", { handle, key: "colour" })).toEqual({
    found: true,
    value: "green",
    version: 2,
  });
  await Promise.all(
    Array.from({ length: 10 }, () => client.call("session_state_increment", { handle, key: "n" })),
  );
  expect(await client.call("session_state_get", { handle, key: "n" })).toMatchObject({ value: 11 });
  const outdated = client.call("session_state_set", { handle, key: "n", value: 0, if_version: 2 });
  await expect(outdated).rejects.toThrow("have been changed meanwhile");
  expect(await client.call("session_state_delete", { handle, key: "colour" })).toEqual({ deleted: true });
  expect(await client.call("session_state_delete", { handle, key: "colour" })).toEqual({ deleted: false });
  expect(await client.call("session_state_delete", { handle, key: "constructor" })).toEqual({
    deleted: false,
  });
  expect(await client.call("session_state_get", { handle, key: "colour" })).toMatchObject({ found: false });
  // Each use keeps it for as long again.
  expect(await client.handles()).toEqual([
    { owner: "alice", kind: "state", version: expect.anything(), sliding_seconds: expect.any(Number) },
  ]);
  expect(await client.call("session_state_end", { handle })).toEqual({ ended: true });
  await expect(client.call("session_state_get", { handle, key: "n" })).rejects.toThrow(
    "There is no such handle",
  );
});

test("without MCP_HANDLES it is not shown these tools", async () => {
  const client = await statelessClient(worker);
  const { tools } = (await client.request("tools/list")) as { tools: { name: string }[] };
  expect(tools.map(({ name }) => name).toSorted()).toEqual([
    "end_my_other_sessions",
    "list_my_sessions",
    "session_info",
  ]);
});
