// How a key may be presented, and what a client is told when it is presented in another way.
import { describe, expect, test } from "vitest";
import { readCredentials } from "../../src/auth/credentials.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { initializeParams } from "../support/mcp.ts";
import { createDatabase, databaseRequests, environment, keys, send } from "../support/worker.ts";

const basic = (user: string, password: string) => {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${keepSecret(btoa(String.fromCharCode(...bytes)))}`;
};

test.each<[string, Record<string, string>]>([
  ["Bearer", { Authorization: `Bearer ${keys.health}` }],
  ["bearer, in another case and with spaces", { Authorization: `bEARER   ${keys.health}  ` }],
  ["X-API-Key", { "X-API-Key": keys.health }],
  ["x-api-key, with spaces around it", { "x-api-key": `  ${keys.health} ` }],
  ["Basic with a user", { Authorization: basic("uptime", keys.health) }],
  ["Basic without a user", { Authorization: basic("", keys.health) }],
  ["Basic with a user of other letters", { Authorization: basic("Zoë 監視", keys.health) }],
  ["basic, in another case", { Authorization: basic("x", keys.health).replace("Basic", "bAsIc") }],
  ["the same key twice", { Authorization: `Bearer ${keys.health}`, "X-API-Key": keys.health }],
  ["the same key twice, as Basic", { Authorization: basic("a", keys.health), "X-API-Key": keys.health }],
])("a key is accepted as %s", async (_, headers) => {
  const env = (await createDatabase()).env();
  const response = await send(env, "/session-health", { headers });
  expect(response.status).toBe(200);
  expect(logged("request")[0]).toMatchObject({ principal: "monitor" });
});

const UNKNOWN = "A valid key is required";
const AUTHORIZATION = "Authorization must be Bearer and a key, or Basic with a key as the password";
const API_KEY = "X-API-Key must be one key";
const TWO = "Two different keys are given: send one";
const other = keepSecret("some-other-key-0123456789ab");

test.each<[string, Record<string, string>, string]>([
  ["an unknown key in X-API-Key", { "X-API-Key": other }, UNKNOWN],
  ["an unknown key in Basic", { Authorization: basic("monitor", other) }, UNKNOWN],
  ["a key as the user of Basic", { Authorization: basic(keys.health, "") }, AUTHORIZATION],
  ["the name of a key as its password", { Authorization: basic(keys.health, "monitor") }, UNKNOWN],
  ["Basic without base64", { Authorization: `Basic monitor:${keys.health}` }, AUTHORIZATION],
  ["Basic with broken base64", { Authorization: "Basic a" }, AUTHORIZATION],
  ["Basic without a colon", { Authorization: `Basic ${btoa("monitor")}` }, AUTHORIZATION],
  [
    "Basic with other letters",
    { Authorization: basic("monitor", "schlüssel-schlüssel-schlüssel") },
    AUTHORIZATION,
  ],
  ["Basic with bytes that are no text", { Authorization: `Basic ${btoa("a:\u00ff\u00fe")}` }, AUTHORIZATION],
  ["Basic with a colon more", { Authorization: basic("a:b", keys.health) }, AUTHORIZATION],
  ["Basic alone", { Authorization: "Basic" }, AUTHORIZATION],
  ["Bearer alone", { Authorization: "Bearer" }, AUTHORIZATION],
  ["an empty Authorization", { Authorization: "" }, AUTHORIZATION],
  [
    "an empty Authorization beside a good key",
    { Authorization: "", "X-API-Key": keys.health },
    AUTHORIZATION,
  ],
  ["a letter beyond ASCII", { Authorization: "Bearer schl\u00fcssel" }, AUTHORIZATION],
  ["a scheme of another kind", { Authorization: 'Digest username="monitor"' }, AUTHORIZATION],
  ["a key without a scheme", { Authorization: keys.health }, AUTHORIZATION],
  ["an empty X-API-Key", { "X-API-Key": "" }, API_KEY],
  ["X-API-Key with a scheme", { "X-API-Key": `Bearer ${keys.health}` }, API_KEY],
  ["X-API-Key with a letter beyond ASCII", { "X-API-Key": "schl\u00fcssel" }, API_KEY],
  ["X-API-Key twice", { "X-API-Key": `${keys.health}, ${keys.health}` }, API_KEY],
  ["two keys", { Authorization: `Bearer ${keys.health}`, "X-API-Key": keys.admin }, TWO],
  ["a good key and a bad one", { Authorization: basic("a", other), "X-API-Key": keys.health }, TWO],
  ["a bad key and a good one", { Authorization: `Bearer ${keys.health}`, "X-API-Key": other }, TWO],
])("%s is refused with 401, and the database is not asked", async (_, headers, message) => {
  const before = await databaseRequests();
  const response = await send(environment(), "/session-health", { headers });
  expect(response.status).toBe(401);
  expect(response.headers.get("WWW-Authenticate")).toBe(
    'Bearer realm="mcp-sessions", error="invalid_token", Basic realm="mcp-sessions", charset="UTF-8"',
  );
  expect(await response.json()).toMatchObject({ error: { code: "unauthenticated", message } });
  expect(await databaseRequests()).toBe(before);
});

test("a request without a key is challenged for one, and told of no error", async () => {
  const response = await send(environment(), "/session-health");
  expect(response.headers.get("WWW-Authenticate")).toBe(
    'Bearer realm="mcp-sessions", Basic realm="mcp-sessions", charset="UTF-8"',
  );
});

test.each(["key", "api_key", "apikey", "token", "access_token", "X-API-Key"])(
  "a key in the URL, as %s, is no key",
  async (name) => {
    const env = environment();
    expect((await send(env, `/session-health?${name}=${keys.health}`)).status).toBe(401);
    expect((await send(env, `/mcp?${name}=${keys.alice}`, { method: "POST", body: "{}" })).status).toBe(401);
  },
);

test.each<[string, Record<string, string>]>([
  ["X-API-Key", { "X-API-Key": keys.alice }],
  ["Basic", { Authorization: basic("alice", keys.alice) }],
])("an MCP client may use %s, too", async (_, headers) => {
  const env = (await createDatabase()).env();
  const message = { jsonrpc: "2.0", id: 1, method: "initialize", params: initializeParams };
  const response = await send(env, "/mcp", {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });
  expect(response.status).toBe(200);
  keepSecret(response.headers.get("Mcp-Session-Id") ?? "");
});

describe("by itself", () => {
  const read = (headers: Record<string, string>, options?: { areTokensTaken?: boolean }) =>
    readCredentials(new Request("https://worker.test/", { headers }), options);
  const withTokens = { areTokensTaken: true };
  const authorization = (value: string) => ({ Authorization: value });

  test("nothing is presented", () => {
    expect(read({})).toBeUndefined();
    expect(read({}, withTokens)).toBeUndefined();
  });

  test.each(["abc", "aZ09-._~+/", "abc=", "abc=="])("%s is a key", (key) => {
    expect(read(authorization(`Bearer ${key}`))).toEqual({ key, isBearer: true });
    expect(read(authorization(`bearer   ${key}`))).toEqual({ key, isBearer: true });
    expect(read({ "X-API-Key": key })).toEqual({ key, isBearer: false });
    expect(read(authorization(`Basic ${btoa(`a:${key}`)}`))).toEqual({ key, isBearer: false });
  });

  test.each(["=", "=abc", "abc=d", "(abc", "abc)", "abc,abc"])("%s is no key, and no token", (value) => {
    for (const options of [undefined, withTokens]) {
      expect(read(authorization(`Bearer ${value}`), options)).toEqual({ problem: AUTHORIZATION });
      expect(read(authorization(`Basic ${btoa(`a:${value}`)}`), options)).toEqual({ problem: AUTHORIZATION });
      expect(read({ "X-API-Key": value }, options)).toEqual({ problem: API_KEY });
    }
  });

  test("a colon stands in a token alone", () => {
    const key = "user:grant:secret=";
    expect(read(authorization(`Bearer ${key}`), withTokens)).toEqual({ key, isBearer: true });
    expect(read(authorization(`Bearer ${key}`))).toEqual({ problem: AUTHORIZATION });
    expect(read(authorization(`Bearer ${key}`), { areTokensTaken: false })).toEqual({
      problem: AUTHORIZATION,
    });
    expect(read({ "X-API-Key": key }, withTokens)).toEqual({ problem: API_KEY });
  });

  test.each(["Bearer abc def", "xBearer abc", "Bearerabc", "Bearer\tabc", "Bearer abc\tdef"])(
    "%j is not Bearer and a key",
    (value) => {
      expect(read(authorization(value))).toEqual({ problem: AUTHORIZATION });
    },
  );

  test("of two headers both must say the same", () => {
    expect(read({ ...authorization("Bearer abc"), "X-API-Key": "abc" })).toEqual({
      key: "abc",
      isBearer: true,
    });
    expect(read({ ...authorization("Bearer abc"), "X-API-Key": "abd" })).toEqual({ problem: TWO });
    expect(read({ ...authorization("Digest abc"), "X-API-Key": "abc" })).toEqual({ problem: AUTHORIZATION });
    expect(read({ ...authorization("Bearer abc"), "X-API-Key": "a b" })).toEqual({ problem: API_KEY });
  });
});
