// People sign in at a certified authorization server, with the official clients: from a bare 401 to a tool call, and what
// becomes of the session afterwards.
import { createHash } from "node:crypto";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AuthorizationServer, startAuthorizationServer } from "../support/authorization-server.ts";
import { call, openSession, send, toolMessage } from "./connections.ts";
import { resigned } from "./forged-tokens.ts";
import { connectSignedInV1, connectSignedInV2, createBrowser, createSignIn } from "./oauth-client.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

const HOUR_SECONDS = 3600;

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());
beforeEach(() => system.ask("TRUNCATE mcp_sessions"));

const nameOf = (id: string | undefined) =>
  createHash("sha256")
    .update(id ?? "")
    .digest("hex")
    .slice(0, 8);
const principals = async () => {
  const rows = await system.ask<{ principal: string }>("SELECT principal FROM mcp_sessions ORDER BY 1");
  return rows.map(({ principal }) => principal);
};

describe.each(["RS256", "ES256"] as const)("with tokens signed by %s", (alg) => {
  let authority: AuthorizationServer;
  let worker: TestWorker;
  beforeAll(async () => {
    authority = await startAuthorizationServer({ tokens: alg, scopes: "mcp notes:read" });
    worker = await system.startWorker({ OAUTH_ISSUERS: authority.issuer });
  });
  afterAll(() => authority.close());
  const ownerOf = (person: string) => JSON.stringify([authority.issuer, person]);

  describe.each([
    ["@modelcontextprotocol/sdk 1.x", connectSignedInV1],
    ["@modelcontextprotocol/client 2.x", connectSignedInV2],
  ])("%s", (_name, connect) => {
    /** A client that nobody has used yet, on the desk of a person. */
    const signedIn = async (person: string) => {
      const provider = createSignIn(createBrowser(person));
      return { provider, connection: await connect({ mcp: worker.mcp, provider }) };
    };

    test("goes from a bare 401 to a tool call, and the session is the person's", async () => {
      const { provider, connection } = await signedIn("ann");
      const [bare] = connection.exchanges;
      expect(bare?.request.headers.get("Authorization")).toBeNull();
      expect(bare?.response.status).toBe(401);
      const challenge = bare?.response.headers.get("WWW-Authenticate") ?? "";
      expect(challenge).toContain(
        `resource_metadata="${worker.url}/.well-known/oauth-protected-resource/mcp"`,
      );
      expect(challenge).toContain('scope="mcp"');
      expect(challenge).not.toContain("error");

      const token = provider.tokens()?.access_token ?? "";
      expect(decodeProtectedHeader(token)).toMatchObject({ alg, typ: "at+jwt" });
      expect(decodeJwt(token)).toMatchObject({
        iss: authority.issuer,
        sub: "ann",
        aud: worker.mcp.href,
        scope: "mcp",
        client_id: provider.clientInformation()?.client_id,
      });
      expect(await call(connection, "session_info")).toMatchObject({
        session: nameOf(connection.sessionId()),
        principal: ownerOf("ann"),
      });
      expect(await principals()).toEqual([ownerOf("ann")]);
      expect(provider.redirects()).toBe(1);
      await connection.terminate();
      await connection.client.close();
    });

    test("refreshes an expired token, and keeps its session and what is in it", async () => {
      const { provider, connection } = await signedIn("ann");
      const id = connection.sessionId();
      await call(connection, "session_state_set", { key: "cart", value: [1] });
      const first = provider.tokens();
      if (first === undefined) throw new Error("The client has no tokens");
      const hourAgo = Math.floor(Date.now() / 1000) - HOUR_SECONDS;
      await provider.saveTokens({
        ...first,
        access_token: await resigned(authority, first.access_token, { claims: { exp: hourAgo } }),
      });

      expect(await call(connection, "session_state_get", { key: "cart" })).toMatchObject({ value: [1] });
      expect(await call(connection, "session_info")).toMatchObject({ session: nameOf(id) });
      expect(connection.sessionId()).toBe(id);
      expect(provider.tokens()?.access_token).not.toBe(first.access_token);
      expect(provider.tokens()?.refresh_token).not.toBe(first.refresh_token);
      expect(provider.redirects()).toBe(1);
      const refused = connection.exchanges.filter(({ response }) => response.status === 401);
      expect(refused.at(-1)?.response.headers.get("WWW-Authenticate")).toContain(
        'error="invalid_token", error_description="The token has expired"',
      );
      await connection.client.close();
    });

    test("of the same person on another desk sees the sessions of both, and may use them", async () => {
      const here = await signedIn("ann");
      const there = await signedIn("ann");
      expect(there.provider.clientInformation()?.client_id).not.toBe(
        here.provider.clientInformation()?.client_id,
      );
      expect(there.connection.sessionId()).not.toBe(here.connection.sessionId());
      const { sessions } = (await call(there.connection, "list_my_sessions")) as { sessions: unknown[] };
      expect(sessions).toHaveLength(2);
      expect(
        await send({
          mcp: worker.mcp,
          key: there.provider.tokens()?.access_token ?? "",
          session: here.connection.sessionId() ?? "",
          message: toolMessage("session_info"),
        }),
      ).toMatchObject({
        status: 200,
        body: { result: { structuredContent: { session: nameOf(here.connection.sessionId()) } } },
      });
      await Promise.all([here.connection.client.close(), there.connection.client.close()]);
    });

    test("of another person gets the answer for a session that never was, to the byte", async () => {
      const ann = await signedIn("ann");
      const eve = await signedIn("eve");
      const key = eve.provider.tokens()?.access_token ?? "";
      const annsSession = ann.connection.sessionId() ?? "";
      const plain = async (session: string, method: string) => {
        const response = await fetch(worker.mcp, {
          method,
          headers: {
            Authorization: `Bearer ${key}`,
            Accept: "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Mcp-Session-Id": session,
            "MCP-Protocol-Version": "2025-11-25",
          },
          ...(method === "POST" && { body: JSON.stringify({ jsonrpc: "2.0", ...toolMessage("report") }) }),
        });
        const headers = new Map(response.headers);
        headers.delete("x-request-id");
        headers.delete("date");
        return { status: response.status, headers, bytes: await response.bytes() };
      };
      for (const method of ["POST", "DELETE"]) {
        const foreign = await plain(annsSession, method);
        expect(foreign.status).toBe(404);
        expect(foreign).toEqual(await plain("A".repeat(43), method));
      }
      expect(await call(ann.connection, "session_info")).toMatchObject({ session: nameOf(annsSession) });
      expect(await call(eve.connection, "end_my_other_sessions")).toEqual({ ended: 0 });
      await Promise.all([ann.connection.client.close(), eve.connection.client.close()]);
    });

    test("and a key of the same name have sessions of their own", async () => {
      const { provider, connection } = await signedIn("alice");
      const token = provider.tokens()?.access_token ?? "";
      const session = await openSession(worker.mcp, system.keys.alice);
      const message = toolMessage("session_info");
      const use = { mcp: worker.mcp, message };
      expect(await send({ ...use, key: system.keys.alice, session })).toMatchObject({ status: 200 });
      expect(await send({ ...use, key: token, session })).toMatchObject({ status: 404 });
      expect(
        await send({ ...use, key: system.keys.alice, session: connection.sessionId() ?? "" }),
      ).toMatchObject({ status: 404 });
      expect(await principals()).toEqual([ownerOf("alice"), "alice"].toSorted());
      await connection.client.close();
    });
  });

  // The older client refreshes its token in place of asking its person.
  test("@modelcontextprotocol/client 2.x asks its person for a scope that a tool needs, and goes on", async () => {
    const provider = createSignIn(createBrowser("ann"));
    // A client that has registered itself for less must not ask for more here. It asks for refresh tokens, too.
    await provider.register(authority.issuer, "mcp notes:read offline_access");
    const connection = await connectSignedInV2({ mcp: worker.mcp, provider });
    const id = connection.sessionId();
    const scopeOf = () => decodeJwt(provider.tokens()?.access_token ?? "")["scope"];
    expect(scopeOf()).toBe("mcp");
    await expect(call(connection, "read_notes")).rejects.toThrow();
    const refused = connection.exchanges.findLast(({ response }) => response.status === 403);
    const challenge = refused?.response.headers.get("WWW-Authenticate") ?? "";
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toContain('scope="mcp notes:read"');
    expect(provider.redirects()).toBe(2);

    await connection.signInAgain();
    expect(scopeOf()).toBe("mcp notes:read");
    expect(await call(connection, "read_notes")).toEqual({ notes: ["A note"] });
    expect(connection.sessionId()).toBe(id);
    await connection.client.close();
  });
});
