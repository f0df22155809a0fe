// What a server knows of who is asking, and how it refuses a call whose caller lacks a scope.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  requireScopes as sdkRequireScopes,
} from "@modelcontextprotocol/server";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { defineServer } from "../../src/mcp/context.ts";
import { createWorker } from "../../src/worker.ts";
import { expectNoSecrets, keepSecret, logged } from "../support/captured-logs.ts";
import { clearWeb, createIssuer, type TestIssuer } from "../support/issuer.ts";
import { clientInfo, initializeParams, messageOf, VERSION } from "../support/mcp.ts";
import { createDatabase, keys } from "../support/worker.ts";

/** How often a tool has run. */
let runs = 0;

const worker = createWorker(
  defineServer({
    name: "scoped",
    version: "1.0.0",
    register(server, { caller, principal, requireScopes }) {
      const done = () => {
        runs += 1;
        return { content: [{ type: "text" as const, text: "done" }] };
      };
      const none = z.object({});
      server.registerTool("who", { inputSchema: none }, (_, { http }) => ({
        content: [],
        structuredContent: { caller: { ...caller }, principal, sdk: http?.authInfo },
      }));
      server.registerTool("write", { inputSchema: none, scopeChallenge: requireScopes("notes:write") }, done);
      server.registerTool(
        "purge",
        { inputSchema: none, scopeChallenge: requireScopes("admin", "notes:write") },
        done,
      );
      server.registerTool(
        "sdk_write",
        { inputSchema: none, scopeChallenge: sdkRequireScopes("notes:write") },
        done,
      );
      server.registerPrompt("ask", { scopeChallenge: requireScopes("notes:read") }, () => ({ messages: [] }));
      server.registerResource("note", "test://note", { scopeChallenge: requireScopes("notes:read") }, () => ({
        contents: [],
      }));
    },
  }),
);

let issuer: TestIssuer;

beforeEach(async () => {
  await clearWeb();
  issuer = await createIssuer();
  await issuer.publish();
  runs = 0;
});

const MODERN = "2026-07-28";
const forms = {
  json: "application/json",
  stream: "text/event-stream",
  either: "application/json, text/event-stream",
};
type Form = keyof typeof forms;

/** A client with a credential: in a session, or of 2026-07-28. */
async function clientOf(
  era: "legacy" | "modern",
  credential: string,
  variables: Record<string, string> = { OAUTH_ISSUERS: issuer.url },
  protocolVersion = VERSION,
) {
  const env = (await createDatabase()).env(variables);
  let session: string | undefined;
  const post = async (body: object, headers: Record<string, string>, as: string) => {
    const context = createExecutionContext();
    const all = { "Content-Type": "application/json", Authorization: `Bearer ${as}`, ...headers };
    const request = new Request("https://worker.test/mcp", {
      method: "POST",
      headers: { ...all, ...(session !== undefined && { "Mcp-Session-Id": session }) },
      body: JSON.stringify(body),
    }) as Request<unknown, IncomingRequestCfProperties>;
    const response = await worker.fetch(request, env, context);
    await waitOnExecutionContext(context);
    expectNoSecrets(await response.clone().text());
    return response;
  };
  const send = (method: string, params: object, form: Form = "either", as = credential) => {
    const envelope = { jsonrpc: "2.0", id: 1, method };
    if (era === "legacy") return post({ ...envelope, params }, { Accept: forms[form] }, as);
    const meta = {
      [PROTOCOL_VERSION_META_KEY]: MODERN,
      [CLIENT_INFO_META_KEY]: clientInfo,
      [CLIENT_CAPABILITIES_META_KEY]: {},
    };
    const { name, uri } = params as { name?: string; uri?: string };
    const target = name ?? uri;
    const named = target === undefined ? {} : { "Mcp-Name": target };
    const headers = { Accept: forms[form], "MCP-Protocol-Version": MODERN, "Mcp-Method": method, ...named };
    return post({ ...envelope, params: { ...params, _meta: meta } }, headers, as);
  };
  if (era === "legacy") {
    const opened = await send("initialize", { ...initializeParams, protocolVersion });
    session = keepSecret(opened.headers.get("Mcp-Session-Id") ?? "");
  }
  const call = (name: string, form?: Form, as?: string) =>
    send("tools/call", { name, arguments: {} }, form, as);
  const batch = (names: string[]) =>
    post(
      names.map((name, id) => ({
        jsonrpc: "2.0",
        id,
        method: "tools/call",
        params: { name, arguments: {} },
      })),
      { Accept: forms.either },
      credential,
    );
  return { send, call, batch };
}

const METADATA = "https://worker.test/.well-known/oauth-protected-resource/mcp";

/** The parameters of a challenge. */
const challengeOf = ({ headers }: Response) =>
  Object.fromEntries(
    [...(headers.get("WWW-Authenticate") ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [
      name,
      value,
    ]),
  );

describe.each(["legacy", "modern"] as const)("a client of the %s era", (era) => {
  test("is known to tools by its key's name and scopes", async () => {
    const { call } = await clientOf(era, keys.alice);
    const { result } = await messageOf(await call("who"));
    expect(result?.["structuredContent"]).toEqual({
      caller: { kind: "key", name: "alice", scopes: ["mcp"] },
      principal: "alice",
      sdk: { token: "", clientId: "alice", scopes: ["mcp"], resourceMetadataUrl: METADATA },
    });
  });

  test("is known to tools by what its token says, and the token is not among it", async () => {
    const token = await issuer.token("zoe", "openid mcp notes:read", { tenant: "acme" });
    const { call } = await clientOf(era, token);
    const { result } = await messageOf(await call("who"));
    const name = JSON.stringify([issuer.url, "zoe"]);
    const scopes = ["mcp", "openid", "notes:read"];
    expect(result?.["structuredContent"]).toEqual({
      caller: {
        kind: "person",
        name,
        issuer: issuer.url,
        subject: "zoe",
        clientId: "a client",
        scopes,
        claims: expect.objectContaining({ tenant: "acme", sub: "zoe" }),
        expiresAt: expect.stringMatching(/^\d{4}-/),
      },
      principal: name,
      sdk: { token: "", clientId: "a client", scopes, resourceMetadataUrl: METADATA },
    });
  });

  test.each(["json", "stream", "either"] as const)(
    "gets 403 and all that it must ask for, before the tool has run; answers as %s",
    async (form) => {
      const { call } = await clientOf(era, await issuer.token("zoe", "mcp"));
      const refused = await call("write", form);
      expect([refused.status, await refused.json()]).toEqual([
        403,
        { error: "insufficient_scope", error_description: "This call needs the scope notes:write" },
      ]);
      expect(challengeOf(refused)).toEqual({
        error: "insufficient_scope",
        error_description: "This call needs the scope notes:write",
        scope: "mcp notes:write",
        resource_metadata: METADATA,
      });
      expect(refused.headers.get("Cache-Control")).toBe("no-store");
      expect(runs).toBe(0);
      expect(logged("Call refused")).toEqual([
        expect.objectContaining({
          reason: "insufficient_scope",
          principal: expect.stringMatching(/^person:[0-9a-f]{8}$/),
        }),
      ]);
      // The same person, with the token that it has asked for, in the same session.
      const stepped = await call("write", form, await issuer.token("zoe", "mcp notes:write"));
      expect(stepped.status).toBe(200);
      expect(await stepped.text()).toContain("done");
      expect(runs).toBe(1);
    },
  );

  test("is refused prompts and resources in the same way", async () => {
    const { send } = await clientOf(era, await issuer.token("zoe", "mcp"));
    for (const [method, params] of [
      ["prompts/get", { name: "ask" }],
      ["resources/read", { uri: "test://note" }],
    ] as const) {
      const refused = await send(method, params);
      expect([method, refused.status, challengeOf(refused)["scope"]]).toEqual([
        method,
        403,
        "mcp notes:read",
      ]);
    }
  });

  test("is told the names of its issuer, and a name of ours that is not given counts for nothing", async () => {
    const { call } = await clientOf(era, await issuer.token("zoe", "use admin notes:write"), {
      OAUTH_ISSUERS: issuer.url,
      OAUTH_SCOPES: "all=mcp+admin use=mcp rule=admin",
    });
    const refused = await call("purge");
    expect([refused.status, challengeOf(refused)["scope"]]).toEqual([403, "use rule notes:write"]);
    expect((await call("purge", "either", await issuer.token("zoe", "all notes:write"))).status).toBe(200);
  });

  test("with a key is refused what its key does not say, also without OAuth", async () => {
    for (const variables of [{ OAUTH_ISSUERS: issuer.url }, {}]) {
      const { call } = await clientOf(era, keys.alice, variables);
      const refused = await call("purge");
      expect([refused.status, challengeOf(refused)["scope"]]).toEqual([403, "mcp admin notes:write"]);
      expect(challengeOf(refused)["resource_metadata"]).toBe(
        "OAUTH_ISSUERS" in variables ? METADATA : undefined,
      );
    }
  });

  test("is refused by the SDK's own helper, too", async () => {
    const { call } = await clientOf(era, await issuer.token("zoe", "mcp"));
    const refused = await call("sdk_write");
    expect([refused.status, challengeOf(refused)["scope"]]).toEqual([403, "notes:write"]);
  });
});

test("a batch with a call that is refused is refused as a whole, and nothing of it has run", async () => {
  const { batch } = await clientOf("legacy", await issuer.token("zoe", "mcp"), undefined, "2025-03-26");
  expect((await batch(["who", "who"])).status).toBe(200);
  expect((await batch(["sdk_write", "write"])).status).toBe(403);
  expect(runs).toBe(0);
});

test.each(["", "two words", 'a"quote', "ü"])("%j is no scope that a server can ask for", async (scope) => {
  const broken = createWorker(
    defineServer({
      name: "broken",
      version: "1.0.0",
      register: (_, { requireScopes }) => void requireScopes(scope),
    }),
  );
  const context = createExecutionContext();
  const request = new Request("https://worker.test/mcp", {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Authorization: `Bearer ${keys.alice}`,
      Accept: forms.either,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: initializeParams }),
  }) as Request<unknown, IncomingRequestCfProperties>;
  const response = await broken.fetch(request, (await createDatabase()).env(), context);
  await waitOnExecutionContext(context);
  expect(response.status).toBe(500);
  expect(logged("The request failed")).toEqual([expect.objectContaining({ error: "TypeError" })]);
});
