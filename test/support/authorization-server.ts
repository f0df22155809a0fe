// A certified authorization server on this machine: oidc-provider with resource indicators, dynamic registration, PKCE and
// refresh tokens. Its keys can be replaced, and it can go down; what it remembers outlives both. It counts what it is asked.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { type AdapterFactory, type AdapterPayload, type Configuration, Provider } from "oidc-provider";

export interface AuthorizationServer {
  /** Where it listens, and the `iss` of its tokens. */
  issuer: string;
  /** The private keys that it signs with now: first RS256, then ES256. */
  keys: readonly JWK[];
  /** How often it was asked for a path since the last `forgetRequests`, answered or not. */
  requests(path: string): number;
  forgetRequests(): void;
  /** Signs with new keys from now on and publishes these only. */
  rotate(): Promise<void>;
  /** What is wrong with it from now on; undefined: nothing. */
  setTrouble(trouble: Trouble | undefined): void;
  close(): Promise<void>;
}

/** It closes each connection, answers each request with 500, or accepts requests and never answers. */
export type Trouble = "closed" | "broken" | "silent";

export interface AuthorizationServerOptions {
  /** How it signs the access tokens for a resource; "opaque": they say nothing and must be introspected. */
  tokens?: "RS256" | "ES256" | "opaque";
  /** The scopes that a person may grant for a resource. */
  scopes?: string;
  /** Who may introspect. */
  introspector?: { id: string; secret: string } | undefined;
}

const HOUR_SECONDS = 3600;

export async function startAuthorizationServer({
  tokens = "RS256",
  scopes = "mcp",
  introspector,
}: AuthorizationServerOptions = {}): Promise<AuthorizationServer> {
  const requests = new Map<string, number>();
  let trouble: Trouble | undefined;
  let answer: ReturnType<Provider["callback"]>;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
    requests.set(pathname, (requests.get(pathname) ?? 0) + 1);
    if (trouble === undefined) void answer(request, response);
    else if (trouble === "closed") request.socket.destroy();
    else if (trouble === "broken") response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  let keys: readonly JWK[];
  const adapter = createMemory();
  const rotate = async () => {
    keys = [await newKey("RS256"), await newKey("ES256")];
    answer = new Provider(issuer, {
      ...configuration({ tokens, scopes, introspector }),
      adapter,
      jwks: { keys: [...keys] },
    }).callback();
  };
  await rotate();

  return {
    issuer,
    get keys() {
      return keys;
    },
    requests: (path) => requests.get(path) ?? 0,
    forgetRequests: () => requests.clear(),
    rotate,
    setTrouble(next) {
      trouble = next;
      server.closeAllConnections();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function configuration({ tokens, scopes, introspector }: AuthorizationServerOptions): Configuration {
  return {
    cookies: { keys: ["signs the cookies of this test"] },
    clients:
      introspector === undefined
        ? []
        : [
            {
              client_id: introspector.id,
              client_secret: introspector.secret,
              grant_types: [],
              response_types: [],
              redirect_uris: [],
            },
          ],
    features: {
      // Its own pages: whoever types a name is that person.
      devInteractions: { enabled: true },
      registration: { enabled: true },
      introspection: { enabled: introspector !== undefined, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource,
          scope: scopes ?? "",
          accessTokenFormat: tokens === "opaque" ? "opaque" : "jwt",
          ...(tokens !== "opaque" && { jwt: { sign: { alg: tokens } } }),
        }),
      },
    },
    // A client registers with the scopes that it may ask for.
    scopes: ["openid", "offline_access", ...(scopes ?? "").split(" ")],
    pkce: { required: () => true },
    ttl: {
      Interaction: HOUR_SECONDS,
      Session: HOUR_SECONDS,
      Grant: HOUR_SECONDS,
      AccessToken: HOUR_SECONDS,
      RefreshToken: HOUR_SECONDS,
    },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
  };
}

async function newKey(alg: "RS256" | "ES256"): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: "sig", kid: `${alg} ${crypto.randomUUID()}` };
}

/** What the server knows: clients, people's sessions, grants and tokens. The server itself looks at their expiry. */
function createMemory(): AdapterFactory {
  const rows = new Map<string, AdapterPayload>();
  return (model) => {
    const keyOf = (id: string) => `${model} ${id}`;
    const findBy = (member: "uid" | "userCode", value: string) =>
      [...rows].find(([key, row]) => key.startsWith(`${model} `) && row[member] === value)?.[1];
    return {
      upsert: async (id, row) => void rows.set(keyOf(id), row),
      find: async (id) => rows.get(keyOf(id)),
      findByUid: async (uid) => findBy("uid", uid),
      findByUserCode: async (code) => findBy("userCode", code),
      destroy: async (id) => void rows.delete(keyOf(id)),
      async consume(id) {
        const row = rows.get(keyOf(id));
        if (row !== undefined) row.consumed = Math.floor(Date.now() / 1000);
      },
      async revokeByGrantId(grantId) {
        for (const [key, row] of rows) if (row.grantId === grantId) rows.delete(key);
      },
    };
  };
}
