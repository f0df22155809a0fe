// What the verbs of the service binding take.
import { expect, test } from "vitest";
import { inputs, type Verb } from "../../src/rpc/verbs.ts";

const key = "0123456789abcdef".repeat(4);
const owned = { user: "zoe", id: "x" };
const keyed = { ...owned, key: "k" };
const guid = "0123abcd-4567-4abc-9def-0123456789ab";

const takes = (verb: Verb, input: unknown) => inputs[verb].safeParse(input).success;

test.each<[Verb, unknown]>([
  ["open", { user: "z", protocolVersion: "" }],
  [
    "open",
    { user: "z".repeat(255), protocolVersion: "x", clientInfo: { name: 1 }, capabilities: { a: null } },
  ],
  ["resume", { ...owned, user: "Zoë 🦊" }],
  ["setState", { ...keyed, value: undefined, ifVersion: 0 }],
  ["setState", { ...keyed, value: { a: [1] }, ifVersion: 7 }],
  ["deleteState", { ...keyed, ifVersion: 0 }],
  ["deleteState", { ...keyed, ifVersion: 7 }],
  ["list", { state: "active", session: "0a1b2c3d", after: guid, limit: 1 }],
  ["list", { state: "expired", limit: 1000 }],
  ["list", { principal: "ann", issuer: "https://a", subject: "b" }],
  ["endAll", { principal: "ann" }],
  ["endAll", { issuer: "https://a", subject: "b" }],
  ["cleanUp", { tier: "immediate" }],
  ["listHandles", { kind: "cart", handle: "0a1b2c3d", after: key, state: "expired", limit: 1 }],
  ["listTasks", { status: "failed", tool: "t", task: "0a1b2c3d", after: key, limit: 1000 }],
])("%s takes %j", (verb, input) => {
  expect(takes(verb, input)).toBe(true);
});

test.each<[Verb, unknown]>([
  ["open", { user: "zoe" }],
  ["open", { user: "", protocolVersion: "x" }],
  ["open", { user: "z".repeat(256), protocolVersion: "x" }],
  ["open", { user: "\ud800", protocolVersion: "x" }],
  ["open", { user: "zoe\n", protocolVersion: "x" }],
  ["open", { user: "zoe", protocolVersion: "x", clientInfo: "me" }],
  ["open", { user: "zoe", protocolVersion: "x", other: 1 }],
  ["resume", { user: "zoe" }],
  ["setState", { ...keyed, value: 1, ifVersion: -1 }],
  ["setState", { ...keyed, value: 1, ifVersion: 0.5 }],
  ["deleteState", { ...keyed, ifVersion: -1 }],
  ["getState", owned],
  ["list", { state: "ended" }],
  ["list", { session: "0a1b2c3" }],
  ["list", { session: "00a1b2c3d" }],
  ["list", { session: "0a1b2c3dx" }],
  ["list", { session: "0A1B2C3D" }],
  ["list", { after: "x" }],
  ["list", { limit: 0 }],
  ["list", { limit: 1001 }],
  ["list", { limit: 1.5 }],
  ["endAll", {}],
  ["endAll", { principal: "ann", subject: "b" }],
  ["endAll", { issuer: "https://a" }],
  ["census", { a: 1 }],
  ["cleanUp", { tier: "all" }],
  ["listHandles", { limit: 0 }],
  ["listHandles", { limit: 1001 }],
  ["listHandles", { after: `${key}0` }],
  ["endHandle", { key, other: 1 }],
  ["listTasks", { status: "done" }],
  ["cancelTask", { key: key.slice(1) }],
])("%s does not take %j", (verb, input) => {
  expect(takes(verb, input)).toBe(false);
});

test("what is left out stands for a hundred, for all, and for nothing said", () => {
  expect(inputs.list.parse({})).toEqual({ limit: 100 });
  expect(inputs.listHandles.parse({})).toEqual({ limit: 100 });
  expect(inputs.listTasks.parse({})).toEqual({ limit: 100 });
  expect(inputs.census.parse(undefined)).toEqual({});
  expect(inputs.open.parse({ user: "zoe", protocolVersion: "x" })).toMatchObject({
    clientInfo: {},
    capabilities: {},
  });
});
