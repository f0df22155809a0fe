// The sessions of a person, who came with a token: an operator finds and ends them by issuer and subject.
import { expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { bearer, createDatabase, keys, remaining, send } from "../support/worker.ts";

const ISSUER = "https://issuer.example.com";
const zoe = JSON.stringify([ISSUER, 'zoe"@example.com']);
const principals = [
  zoe,
  JSON.stringify([ISSUER, "bob"]),
  JSON.stringify(["https://other.example.com", "bob"]),
  "bob",
];

async function withSessions() {
  const database = await createDatabase();
  for (const [i, principal] of principals.entries()) {
    await database.query(
      "INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ($1, $2, now() + interval '1 h')",
      [String(i).repeat(64), principal],
    );
  }
  const ask = async (query: Record<string, string>, method = "GET") => {
    const path = `/sessions?${String(new URLSearchParams(query))}`;
    const response = await send(database.env(), path, { method, ...bearer(keys.admin) });
    return { status: response.status, body: await response.json<Record<string, unknown>>() };
  };
  return { database, ask };
}

const found = ({ body }: { body: Record<string, unknown> }) =>
  (body["sessions"] as Record<string, unknown>[]).map(({ principal, issuer, subject }) => [
    principal,
    issuer,
    subject,
  ]);

test("a list says whose token it was, and is filtered by both parts", async () => {
  const { ask } = await withSessions();
  expect(new Set(found(await ask({})))).toEqual(
    new Set([
      [zoe, ISSUER, 'zoe"@example.com'],
      [principals[1], ISSUER, "bob"],
      [principals[2], "https://other.example.com", "bob"],
      ["bob", undefined, undefined],
    ]),
  );
  expect(found(await ask({ issuer: ISSUER, subject: "bob" }))).toEqual([[principals[1], ISSUER, "bob"]]);
  expect(found(await ask({ principal: zoe }))).toEqual([[zoe, ISSUER, 'zoe"@example.com']]);
  expect(found(await ask({ issuer: ISSUER, subject: "nobody" }))).toEqual([]);
});

test("all sessions of a person end, and nobody else's; the log does not say who the person is", async () => {
  const { database, ask } = await withSessions();
  const ending = await ask({ issuer: ISSUER, subject: 'zoe"@example.com' }, "DELETE");
  expect(ending).toMatchObject({ status: 200, body: { ended: 1, has_more: false } });
  const { sessions } = (await ask({ state: "active" })).body as { sessions: { principal: string }[] };
  expect(new Set(sessions.map(({ principal }) => principal))).toEqual(new Set(principals.slice(1)));
  expect(await remaining(database)).toHaveLength(principals.length);
  const [line] = logged("MCP sessions ended");
  expect(line?.["principal"]).toMatch(/^person:[0-9a-f]{8}$/);
  expect(JSON.stringify(line)).not.toContain("zoe");
});

test.each<[string, Record<string, string>, string, string]>([
  ["an issuer alone", { issuer: ISSUER }, "GET", "The parameters issuer and subject must be given together"],
  [
    "a subject alone",
    { subject: "bob" },
    "DELETE",
    "The parameters issuer and subject must be given together",
  ],
  [
    "a principal beside both",
    { principal: "bob", issuer: ISSUER, subject: "bob" },
    "DELETE",
    "The parameter principal must not stand beside issuer and subject",
  ],
  ["nobody", {}, "DELETE", "The parameter principal is required, or issuer and subject"],
])("%s is refused, and nothing ends", async (_name, query, method, message) => {
  const { ask } = await withSessions();
  expect(await ask(query, method)).toMatchObject({
    status: 400,
    body: { error: { code: "invalid_request", message } },
  });
  expect((await ask({ state: "active" })).body["sessions"]).toHaveLength(principals.length);
});

test("a text that only looks like a person's name has no issuer", async () => {
  const { database, ask } = await withSessions();
  await database.query("DELETE FROM mcp_sessions");
  for (const [i, name] of ['["a"]', '["a","b","c"]', '["a", "b"]', '["a",1]', '["a', '{"0":"a"}'].entries()) {
    await database.query("INSERT INTO mcp_sessions (session_id, principal) VALUES ($1, $2)", [
      String(i).repeat(64),
      name,
    ]);
  }
  const rows = found(await ask({}));
  expect(rows).toHaveLength(6);
  for (const [, issuer, subject] of rows) expect([issuer, subject]).toEqual([undefined, undefined]);
});
