// A test of the author's room, to copy: it opens a session, calls a tool and looks at the session's state.
// `npm run test:server` runs this folder alone: the Worker in workerd, over a real PostgreSQL.
import { expect, test } from "vitest";
import worker from "../../src/index.ts";
import { openClient } from "../support/client.ts";

test("a value that a tool has kept is there for the next call", async () => {
  const client = await openClient(worker);
  expect(await client.call("session_state_set", { key: "colour", value: "green" })).toMatchObject({
    version: 1,
  });
  expect(await client.call("session_state_get", { key: "colour" })).toEqual({
    found: true,
    value: "green",
    version: 1,
  });
  expect(await client.state()).toEqual({ colour: "green" });
});

test("calls at the same time lose nothing", async () => {
  const client = await openClient(worker);
  await Promise.all(Array.from({ length: 10 }, () => client.call("session_state_increment", { key: "n" })));
  expect(await client.state()).toEqual({ n: 10 });
});

test("what a tool throws is the client's answer", async () => {
  const client = await openClient(worker);
  await client.call("session_state_set", { key: "n", value: "a word" });
  await expect(client.call("session_state_increment", { key: "n" })).rejects.toThrow(
    "The value is not a number",
  );
});
