// The sessions of people who come with tokens: whose they are, and what a log says of them.
import { beforeEach, expect, test } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { clearWeb, createIssuer, type TestIssuer, webRequests } from "../support/issuer.ts";
import { callTool, end, mcp, open, rowsOf } from "../support/mcp.ts";
import { bearer, createDatabase, keys, send } from "../support/worker.ts";

const ping = { method: "ping" };
const subject = "zoe@example.com";
const email = "zoe.private@example.com";

let issuer: TestIssuer;
let other: TestIssuer;

beforeEach(async () => {
  await clearWeb();
  issuer = await createIssuer();
  other = await createIssuer();
  await issuer.publish();
  await other.publish();
});

async function withIssuers(variables: Record<string, string> = {}) {
  const database = await createDatabase();
  return { database, env: database.env({ OAUTH_ISSUERS: `${issuer.url} ${other.url}`, ...variables }) };
}

test("a session belongs to the person: another token and another client of it go on with it", async () => {
  const { database, env } = await withIssuers();
  const session = await open(env, { key: await issuer.token("zoe", "mcp") });
  for (const claims of [{}, { client_id: "another client" }, { jti: "2", iat: 1 }]) {
    const key = await issuer.token("zoe", "mcp health", claims);
    expect((await mcp(env, ping, { session, key })).status).toBe(200);
  }
  const [row] = await rowsOf(database);
  expect(row?.["principal"]).toBe(JSON.stringify([issuer.url, "zoe"]));
});

test("for everybody else it is the same 404 to the byte as a session that never was", async () => {
  const { env } = await withIssuers({ API_KEYS: `zoe:mcp:${keys.alice}` });
  const session = await open(env, { key: await issuer.token("zoe", "mcp") });
  const ofKey = await open(env);
  const unknown = keepSecret("A".repeat(43));
  const answer = async (response: Response) => {
    const headers = Object.fromEntries(response.headers);
    delete headers["x-request-id"];
    return [response.status, headers, await response.text()];
  };
  const person = await issuer.token("zoe", "mcp");
  const expected = await answer(await mcp(env, ping, { session: unknown, key: person }));
  expect(expected[0]).toBe(404);
  const strangers: [string, string][] = [
    // Another person, the same name at another issuer, and a key with that name.
    [session, await issuer.token("yan", "mcp")],
    [session, await other.token("zoe", "mcp")],
    [session, keys.alice],
    // A person who is called as a key is.
    [ofKey, person],
  ];
  for (const [id, key] of strangers) {
    expect(await answer(await mcp(env, ping, { session: id, key }))).toEqual(expected);
    expect((await end(env, id, { key })).status).toBe(404);
  }
  expect((await mcp(env, ping, { session, key: person })).status).toBe(200);
  expect((await mcp(env, ping, { session: ofKey })).status).toBe(200);
});

test("a subject that reads like another principal's name is its own", async () => {
  const { database, env } = await withIssuers();
  const trick = JSON.stringify([issuer.url, "zoe"]);
  const session = await open(env, { key: await issuer.token("zoe", "mcp") });
  expect((await mcp(env, ping, { session, key: await issuer.token(trick, "mcp") })).status).toBe(404);
  await open(env, { key: await issuer.token(trick, "mcp") });
  const principals = (await rowsOf(database)).map(({ principal }) => principal);
  expect(new Set(principals).size).toBe(2);
});

test("a person's tools see and end the person's own sessions", async () => {
  const { env } = await withIssuers();
  const key = await issuer.token("zoe", "mcp");
  const [first, second] = [await open(env, { key }), await open(env, { key })];
  const foreign = await open(env, { key: await issuer.token("yan", "mcp") });
  const { structuredContent } = await callTool(env, first, "list_my_sessions", {}, { key });
  expect(structuredContent?.["sessions"]).toHaveLength(2);
  await callTool(env, first, "end_my_other_sessions", {}, { key });
  expect((await mcp(env, ping, { session: second, key })).status).toBe(404);
  expect((await mcp(env, ping, { session: first, key })).status).toBe(200);
  const yan = await issuer.token("yan", "mcp");
  expect((await mcp(env, ping, { session: foreign, key: yan })).status).toBe(200);
});

test("every log line calls a person by the same 8 characters, and none says who it is", async () => {
  const { env } = await withIssuers({ MCP_MAX_SESSIONS_PER_PRINCIPAL: "1" });
  const key = await issuer.token(subject, "mcp admin", { email });
  await open(env, { key });
  // Evicts the first.
  const session = await open(env, { key });
  expect((await end(env, session, { key })).status).toBe(204);
  await open(env, { key });
  const query = new URLSearchParams({ issuer: issuer.url, subject });
  const ended = await send(env, `/sessions?${String(query)}`, { method: "DELETE", ...bearer(key) });
  expect(await ended.json()).toEqual({ ended: 1, has_more: false });

  const labels = logged().flatMap(({ principal, by }) =>
    [principal, by].filter((label) => label !== undefined),
  );
  expect(new Set(labels).size).toBe(1);
  expect(labels[0]).toMatch(/^person:[0-9a-f]{8}$/);
  for (const message of ["request", "MCP session opened", "MCP session ended", "MCP sessions evicted"])
    expect(
      logged(message).some(({ principal }) => principal === labels[0]),
      message,
    ).toBe(true);
  expect(logged("MCP sessions ended")).toEqual([
    expect.objectContaining({ by: labels[0], principal: labels[0], ended: 1 }),
  ]);
  for (const text of [subject, email, issuer.url]) expect(JSON.stringify(logged())).not.toContain(text);
});

test("the keys of an issuer are fetched once for a thousand requests", async () => {
  const { env } = await withIssuers();
  const key = await issuer.token("zoe", "metrics");
  await send(env, "/sessions", bearer(key));
  for (let i = 0; i < 20; i++)
    await Promise.all(Array.from({ length: 50 }, () => send(env, "/sessions", bearer(key))));
  const paths = (await webRequests()).map(({ path }) => path);
  expect(paths).toHaveLength(2);
});
