// What is kept of a call until its task has ended.
import { expect, test } from "vitest";
import type { Caller } from "../../src/mcp/context.ts";
import { callerOf, storedCall, storedCallOf } from "../../src/mcp/stored-call.ts";

const person: Caller = {
  kind: "person",
  name: "https://issuer.test subject",
  issuer: "https://issuer.test",
  subject: "subject",
  clientId: "client",
  scopes: ["mcp", "notes:read"],
  claims: { email: "a@b.test" },
  expiresAt: new Date("2026-01-01T00:00:00Z"),
};
const request = new Request("https://worker.test/mcp?key=secret", {
  headers: {
    Authorization: "Bearer secret",
    Cookie: "secret",
    "Mcp-Param-Region": "north",
    "Mcp-Name": "work",
  },
});
const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", progressToken: 1 };
const body = {
  method: "tools/call",
  params: { name: "work", arguments: { a: 1 }, requestState: "state", _meta: meta },
};

test("neither the token nor its claims, nor what else the request brought", () => {
  const kept = storedCallOf(request, body, person);
  expect(kept).toEqual({
    caller: {
      kind: "person",
      name: "https://issuer.test subject",
      issuer: "https://issuer.test",
      subject: "subject",
      clientId: "client",
      scopes: ["mcp", "notes:read"],
      expiresAt: Date.UTC(2026, 0),
    },
    url: "https://worker.test/mcp",
    headers: { "mcp-param-region": "north" },
    params: {
      name: "work",
      arguments: { a: 1 },
      requestState: "state",
      _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" },
    },
  });
});

test.each([
  person,
  { ...person, clientId: undefined },
  { kind: "key", name: "alice", scopes: ["mcp"] } as Caller,
])("its tool sees the same caller again, without claims", (caller) => {
  const kept = storedCall.parse(JSON.parse(JSON.stringify(storedCallOf(request, body, caller))));
  expect(callerOf(kept)).toEqual({ ...caller, ...(caller.kind === "person" && { claims: {} }) });
});

test("nothing of what is no call of a tool", () => {
  for (const other of [undefined, { method: "tasks/get", params: body.params }, { method: "tools/call" }])
    expect(storedCallOf(request, other, person)).toBeUndefined();
});
