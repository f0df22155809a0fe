// Who may use which route: every credential with every set of scopes, on every route, with OAuth off and on.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Scope } from "../../src/auth/api-keys.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { clearWeb, createIssuer, type TestIssuer, webRequests } from "../support/issuer.ts";
import { createDatabase, send, type TestDatabase } from "../support/worker.ts";

const HANDLE = "00000000-0000-4000-8000-000000000000";
const json = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" };
const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });

// What each route answers whom it lets through, and the scope that it needs.
const routes: { route: string; scope: Scope | undefined; status: number; init?: RequestInit }[] = [
  { route: "GET /healthz", scope: undefined, status: 200 },
  { route: "GET /openapi.json", scope: undefined, status: 200 },
  { route: "GET /nowhere", scope: undefined, status: 404 },
  { route: "GET /session-health", scope: "health", status: 200 },
  { route: "GET /metrics", scope: "metrics", status: 200 },
  // Neither names a session.
  { route: "POST /mcp", scope: "mcp", status: 400, init: { headers: json, body: ping } },
  { route: "DELETE /mcp", scope: "mcp", status: 400 },
  { route: "GET /sessions", scope: "admin", status: 200 },
  { route: "DELETE /sessions?principal=nobody", scope: "admin", status: 200 },
  { route: `DELETE /sessions/${HANDLE}`, scope: "admin", status: 404 },
  { route: "GET /cleanup/runs", scope: "admin", status: 200 },
  { route: "POST /cleanup/regular", scope: "admin", status: 200 },
];

const sets: Scope[][] = [
  ["health"],
  ["metrics"],
  ["mcp"],
  ["admin"],
  ["health", "admin"],
  ["health", "metrics", "mcp", "admin"],
];
const keyOf = (set: readonly Scope[]) => keepSecret(`key-of-${set.join("-")}-0123456789abcdef`);
const API_KEYS = sets.map((set) => `${set.join("-")}:${set.join("+")}:${keyOf(set)}`).join(" ");

let database: TestDatabase;
let issuer: TestIssuer;
let stranger: TestIssuer;
let access: TestIssuer;

beforeAll(async () => {
  database = await createDatabase();
  [issuer, stranger, access] = [
    await createIssuer(),
    await createIssuer(),
    await createIssuer({ isAccess: true }),
  ];
});

beforeEach(async () => {
  await clearWeb();
  for (const one of [issuer, stranger, access]) await one.publish();
});

type Presents = () => Promise<Record<string, string>>;

const nothing: Presents = async () => ({});
const bearing = (make: () => string | Promise<string>) => async () => ({
  Authorization: `Bearer ${await make()}`,
});
const assertion =
  (claims: Record<string, unknown> = {}) =>
  async () => ({
    "Cf-Access-Jwt-Assertion": await access.token("someone", undefined, { aud: "tag", ...claims }),
  });

const minutesAgo = (minutes: number) => Math.floor(Date.now() / 1000) - minutes * 60;

/** What a request presents, which scopes that gives, and when it is refused, the reason. */
interface Case {
  name: string;
  presents: Presents;
  kind: "none" | "key" | "token" | "access";
  gives?: readonly Scope[];
  reason?: string;
}

const cases: Case[] = [
  { name: "nothing", presents: nothing, kind: "none" },
  {
    name: "an unknown key",
    presents: bearing(() => keepSecret("unknown-key-0123456789abcdefgh")),
    kind: "token",
    reason: "malformed",
  },
  ...sets.map((set): Case => ({
    name: `a key with ${set.join(" and ")}`,
    presents: bearing(() => keyOf(set)),
    kind: "key",
    gives: set,
  })),
  ...[[], ...sets].map((set): Case => ({
    name: `a token with ${set.join(" and ") || "no scope"}`,
    presents: bearing(() => issuer.token("someone", `openid ${set.join(" ")}`)),
    kind: "token",
    gives: set,
  })),
  {
    name: "a token that has expired",
    presents: bearing(() => issuer.token("someone", "mcp health", { exp: minutesAgo(1) })),
    kind: "token",
    reason: "expired",
  },
  {
    name: "a token for another resource",
    presents: bearing(() => issuer.token("someone", "mcp health", { aud: "https://other.test/mcp" })),
    kind: "token",
    reason: "wrong_audience",
  },
  {
    name: "a token of another issuer",
    presents: bearing(() => stranger.token("someone", "mcp health")),
    kind: "token",
    reason: "wrong_issuer",
  },
  {
    name: "an assertion of Access",
    presents: assertion(),
    kind: "access",
    gives: ["health", "metrics", "admin"],
  },
  {
    name: "an assertion of Access that has expired",
    presents: assertion({ exp: minutesAgo(1) }),
    kind: "access",
    reason: "expired",
  },
  {
    name: "an assertion of Access for another application",
    presents: assertion({ aud: "other" }),
    kind: "access",
    reason: "wrong_audience",
  },
];

const modes = {
  "with keys alone": { takes: ["key"], variables: () => ({}) },
  "with OAuth": { takes: ["key", "token"], variables: () => ({ OAUTH_ISSUERS: issuer.url }) },
  "with Cloudflare Access": {
    takes: ["key", "access"],
    variables: () => ({ ACCESS_TEAM_DOMAIN: access.url, ACCESS_AUDIENCE: "tag" }),
  },
  "with both": {
    takes: ["key", "token", "access"],
    variables: () => ({
      OAUTH_ISSUERS: issuer.url,
      ACCESS_TEAM_DOMAIN: access.url,
      ACCESS_AUDIENCE: "tag",
    }),
  },
};

describe.each(Object.entries(modes))("%s", (_, { takes, variables }) => {
  test.each(cases.map((one) => [one.name, one] as const))(
    "%s",
    async (__, { presents, kind, gives, reason }) => {
      const env = database.env({ API_KEYS, ...variables() });
      const isTaken = takes.includes(kind);
      const got: Record<string, number> = {};
      const expected: Record<string, number> = {};
      for (const { route, scope, status, init } of routes) {
        const [method = "", path = ""] = route.split(" ");
        const headers = { ...(init?.headers as Record<string, string>), ...(await presents()) };
        const response = await send(env, path, { ...init, method, headers });
        got[route] = response.status;
        expected[route] =
          scope === undefined || (isTaken && gives?.includes(scope) === true)
            ? status
            : isTaken && gives !== undefined
              ? 403
              : 401;
        // In a refusal alone.
        expect(response.headers.has("WWW-Authenticate"), route).toBe([401, 403].includes(response.status));
      }
      expect(got).toEqual(expected);
      // What is presented and not taken is not there, but for a bearer that might be a key.
      const reasons = logged("Token refused").map((line) => line["reason"]);
      const refusals = Object.values(expected).filter((status) => status === 401 || status === 403).length;
      const isReasoned = isTaken && (kind === "token" || kind === "access");
      expect(reasons).toEqual(
        isReasoned ? Array.from({ length: refusals }, () => reason ?? "insufficient_scope") : [],
      );
      // The metadata and the keys, once each, however many requests there are.
      expect((await webRequests()).length).toBeLessThanOrEqual(2);
    },
  );
});
