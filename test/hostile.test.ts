// Whatever a body is, the Worker says that it is the client's mistake, or answers it; and goes on.
import { expect, test } from "vitest";
import { logged } from "./support/captured-logs.ts";
import { hostileBodies, hostileKinds } from "./support/hostile.ts";
import { callTool, mcp, open } from "./support/mcp.ts";
import { bearer, createDatabase, keys, send } from "./support/worker.ts";

// Longer than an initialize may be. `npm run bench -- hostile` sends as much as a request may hold.
const LONG = 100_000;

// One half with a session, the other without.
test.each(hostileKinds)("no body is answered with 5xx, and the Worker lives on: %s", async (kind) => {
  const database = await createDatabase();
  const env = database.env({ LOG_LEVEL: "error" });
  const session = await open(env);
  const bad: string[] = [];
  const bodies = hostileBodies(LONG).filter((body) => body.kind === kind);
  for (const [i, { place, variant, text }] of bodies.entries()) {
    const { status } = await mcp(env, text(), { session: (i + variant) % 2 === 0 ? session : undefined });
    if (status >= 500) bad.push(`${kind} ${variant} as ${place}: ${status}`);
  }
  expect(bad).toEqual([]);
  expect(logged().filter(({ level }) => level === "ERROR")).toEqual([]);
  expect((await callTool(env, session, "session_info")).structuredContent).toMatchObject({
    principal: "alice",
  });
  expect(await open(env)).toHaveLength(43);
  expect(
    await database.query("SELECT FROM mcp_sessions WHERE octet_length(client_info::text) > 2 * 16384"),
  ).toEqual([]);
});

const many = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join();
const list = (item: string) => `[${many(250_000, () => item)}]`;
const kept = (value: string) =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"session_state_set","arguments":{"key":"k","value":${value}}}}`;
const quoted = (content: string) => `"${content}"`;
const tooMany = /values at most/;
const tooDeep = /200 levels deep/;
const notKept = /"isError":true/;
const isKept = /size_bytes/;

// The value of state unless it says otherwise.
const answered: [name: string, value: string, status: number, says: RegExp][] = [
  ["201 levels", "[".repeat(201), 400, tooDeep],
  ["a million levels", "[".repeat(1_000_000), 400, tooDeep],
  ["250,000 objects", list("{}"), 400, tooMany],
  ["250,000 arrays", list("[]"), 400, tooMany],
  ["250,000 numbers", list("0"), 400, tooMany],
  ["250,000 texts", list('""'), 400, tooMany],
  ["40,000 members", `{${many(40_000, (i) => `"k${i}":0`)}}`, 400, tooMany],
  ["40,000 members of one name", `{${many(40_000, () => '"a":0')}}`, 400, tooMany],
  ["1,000 members of one name", `{${many(1000, () => '"a":0')}}`, 200, isKept],
  ["a text of a megabyte", quoted("x".repeat(1_000_000)), 200, notKept],
  ["a text of a megabyte that is not closed", `"${"x".repeat(1_000_000)}`, 400, /not JSON/],
  ["a name of a megabyte", `{${quoted("k".repeat(1_000_000))}:1}`, 200, notKept],
  ["a megabyte of white space", `${" ".repeat(1_000_000)}1`, 200, isKept],
  ["a megabyte and a half", quoted("x".repeat(1_500_000)), 413, /too large/],
  ["a number of 100,000 digits", "9".repeat(100_000), 200, notKept],
  ["a fraction of 100,000 digits", `0.${"1".repeat(100_000)}`, 200, isKept],
  ["100,000 escapes of NUL", quoted(String.raw`\u0000`.repeat(100_000)), 200, notKept],
  ["an escape of NUL", quoted(String.raw`\u0000`), 200, notKept],
  ["an unpaired surrogate", quoted(String.raw`\ud800`), 200, notKept],
  ["an unpaired surrogate as a name", String.raw`{"\udc00":1}`, 200, notKept],
  ["__proto__ as a name", '{"__proto__":{"isAdmin":true}}', 200, isKept],
];

test.each(answered)("%s as a value of state", async (_, value, status, says) => {
  const env = (await createDatabase()).env({ LOG_LEVEL: "error" });
  const session = await open(env);
  const response = await mcp(env, kept(value), { session });
  expect(response.status).toBe(status);
  expect(await response.text()).toMatch(says);
  expect(logged().filter(({ level }) => level === "ERROR")).toEqual([]);
});

const filler = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`X-Filler-${i}`, "x".repeat(20)]));
const parameters = many(1000, (i) => `p${i}=1`).replaceAll(",", "&");

test("many headers and long queries are no more than others", async () => {
  const env = (await createDatabase()).env({ LOG_LEVEL: "error" });
  const session = await open(env);
  const ping = { method: "ping" };
  expect((await mcp(env, ping, { session, headers: filler })).status).toBe(200);
  expect((await mcp(env, ping, { session, headers: { Accept: "text/html,".repeat(2000) } })).status).toBe(
    406,
  );
  expect((await mcp(env, ping, { session: "x".repeat(16_384) })).status).toBe(404);
  expect((await mcp(env, ping, { key: "k".repeat(16_384) })).status).toBe(401);
  expect(
    (await mcp(env, ping, { session, headers: { "MCP-Protocol-Version": "2".repeat(16_384) } })).status,
  ).toBe(400);
  for (const [query, status] of [
    [`principal=${"a".repeat(16_384)}`, 400],
    [`${"p".repeat(16_384)}=1`, 400],
    [parameters, 400],
    ["limit=1&".repeat(2000), 400],
    [`limit=${"9".repeat(16_384)}`, 400],
    [`cursor=${"%ff".repeat(5000)}`, 400],
  ] as const) {
    const response = await send(env, `/sessions?${query}`, bearer(keys.admin));
    expect(`${query.slice(0, 20)} ${response.status}`).toBe(`${query.slice(0, 20)} ${status}`);
    expect((await response.text()).length).toBeLessThan(400);
  }
  for (const path of ["/session-health", "/metrics", "/openapi.json", "/healthz"]) {
    const key = path === "/metrics" ? keys.metrics : keys.health;
    const { status } = await send(env, `${path}?${parameters}`, bearer(key));
    expect([path, status < 500]).toEqual([path, true]);
  }
  expect(logged().filter(({ level }) => level === "ERROR")).toEqual([]);
});
