// The variables of OAuth. Without OAUTH_ISSUERS and ACCESS_TEAM_DOMAIN no token is taken, and nothing else changes.
import * as z from "zod";
import { documented, optionalBinding, type Rule, text, type Values } from "../settings.ts";
import type { Scope } from "./api-keys.ts";
import { isScope, parseScopeMap, SCOPE_LIST, type ScopeMap } from "./scope-map.ts";

/** An authorization server in another Worker, as `OAuthAuthorizationServer` of @cloudflare/workers-oauth-provider is. */
export interface AuthorizationServer {
  /** @returns null for a token that is not valid. */
  validateToken: (resource: string, token: string) => Promise<unknown>;
}

export interface TokenConfig {
  /** As they stand in `iss`. The first one is that of the introspection and of the bound server. */
  issuers: readonly [string, ...string[]];
  /** Undefined: the URL of /mcp, as the request has it. */
  audience: string | undefined;
  /** Where the keys of the only issuer are; undefined: its metadata says it. */
  jwksUri: string | undefined;
  /** Undefined: the issuers have scopes with our names. */
  scopeMap: ScopeMap | undefined;
  /** Undefined: `scope`, or else `scp`. */
  scopeClaim: string | undefined;
  introspection: { url: string; clientId: string; clientSecret: string } | undefined;
  authorizationServer: AuthorizationServer | undefined;
}

/** Cloudflare Access in front of the Worker. */
export interface AccessConfig {
  teamDomain: string;
  audience: string;
  scopes: readonly Scope[];
}

// One row of the database has it, as a part of the principal's name. No issuer's address is nearly as long.
const MAX_ISSUER_CHARACTERS = 200;

const words = (value: string) => value.split(/[\s,]+/).filter((word) => word !== "");

/** Whether a token, or what decides on one, may be sent to or come from there: https, or http on this machine. */
export function isAddress(value: string): boolean {
  const { protocol, hostname, hash, username, password } = URL.parse(value) ?? {};
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(hostname ?? "");
  return (
    (protocol === "https:" || (protocol === "http:" && isLocal)) &&
    hash === "" &&
    username === "" &&
    password === "" &&
    /^[!-~]+$/.test(value)
  );
}

const ADDRESS = "must be an https address (http on localhost only)";
const address = text.refine(isAddress, { error: ADDRESS });

const issuers = text
  .transform(words)
  .refine((list) => list.length > 0, { error: "must have an issuer", abort: true })
  .refine((list) => list.every((issuer) => isAddress(issuer) && !issuer.includes("?")), {
    error: "must be https addresses (http on localhost only) without a query, separated by commas",
  })
  .refine((list) => list.every(({ length }) => length <= MAX_ISSUER_CHARACTERS), {
    error: `must be addresses of ${MAX_ISSUER_CHARACTERS} characters at most`,
  })
  .refine((list) => new Set(list).size === list.length, { error: "must name each issuer once" });

const scopeList = text.refine((value) => value.split("+").every(isScope), { error: `must be ${SCOPE_LIST}` });

const scopeMap = text.transform((value, context) => {
  const { map, problems } = parseScopeMap(value);
  for (const message of problems) context.addIssue({ code: "custom", message });
  return map;
});

// Of a variable that has no value of its own when it is left out.
const NOT_SET = "not set";

const notEmpty = text.refine((value) => value.trim() !== "", { error: "must not be empty" });

export const tokenShape = {
  OAUTH_ISSUERS: documented(issuers.optional(), {
    description:
      "The authorization servers whose access tokens are taken, exactly as they stand in `iss`. Switches OAuth on; without it only keys are taken. [More](../oauth.md)",
    form: "https addresses, separated by commas or spaces",
    default: NOT_SET,
  }),
  OAUTH_AUDIENCE: documented(notEmpty.optional(), {
    description:
      "What the `aud` of a token must have; else the address of `/mcp`, as the request has it. A slash at the end does not matter.",
    form: "text, mostly an address",
    default: NOT_SET,
  }),
  OAUTH_JWKS_URI: documented(address.optional(), {
    description: "Where the keys of the issuer are, when its metadata does not say it. For one issuer only.",
    form: "https address",
    default: NOT_SET,
  }),
  OAUTH_SCOPES: documented(scopeMap.optional(), {
    description:
      "Which scopes of ours a scope, role or permission of a token gives. Example: `sessions:use=mcp, ops=health+metrics+admin`. What is not listed gives none. Without it the issuers have our names: `mcp`, `health`, `metrics`, `admin`.",
    form: "entries `theirs=ours`, separated by commas or spaces; ours joined with `+`",
    default: NOT_SET,
  }),
  OAUTH_SCOPE_CLAIM: documented(notEmpty.optional(), {
    description:
      "The claim that has the scopes: words in a text, or a list of texts. Examples: `permissions`, `roles`. Without it: `scope`, or else `scp`.",
    form: "name of a claim",
    default: NOT_SET,
  }),
  OAUTH_INTROSPECTION_URL: documented(address.optional(), {
    description:
      "Where the first issuer says what a token is worth (RFC 7662). Asked for each token that is no JWT of an issuer.",
    form: "https address",
    default: NOT_SET,
  }),
  OAUTH_INTROSPECTION_CLIENT_ID: documented(notEmpty.optional(), {
    description: "Who asks there.",
    form: "text",
    default: NOT_SET,
  }),
  OAUTH_INTROSPECTION_CLIENT_SECRET: documented(
    notEmpty.optional(),
    { description: "The secret of who asks there.", form: "text", default: NOT_SET },
    "secret",
  ),
  AUTHORIZATION_SERVER: optionalBinding<AuthorizationServer>("validateToken", {
    description:
      "An authorization server in another Worker, which says by `validateToken(resource, token)` what a token is worth. Its address is the first of OAUTH_ISSUERS.",
    form: "service binding with validateToken",
  }),
  ACCESS_TEAM_DOMAIN: documented(
    address.refine((value) => URL.parse(value)?.origin === value, { error: "must be an origin" }).optional(),
    {
      description:
        "The team of Cloudflare Access in front of the Worker. People whom Access lets in need no key. Example: `https://team.cloudflareaccess.com`.",
      form: "origin",
      default: NOT_SET,
    },
  ),
  ACCESS_AUDIENCE: documented(notEmpty.optional(), {
    description: "The AUD tag of the Access application.",
    form: "text",
    default: NOT_SET,
  }),
  ACCESS_SCOPES: documented(scopeList.prefault("health+metrics+admin"), {
    description: "What those may do whom Access lets in.",
    form: "scopes joined with `+`",
    default: "health+metrics+admin",
  }),
} satisfies z.ZodRawShape;

type TokenValues = Values<typeof tokenShape>;

/** Whether all of these are set, or none. */
const goTogether = (...values: unknown[]) => new Set(values.map((value) => value === undefined)).size === 1;

export const tokenRules: readonly Rule<TokenValues>[] = [
  {
    variable: "OAUTH_ISSUERS",
    holds: (values) =>
      values.OAUTH_ISSUERS !== undefined ||
      [
        values.OAUTH_AUDIENCE,
        values.OAUTH_JWKS_URI,
        values.OAUTH_SCOPES,
        values.OAUTH_SCOPE_CLAIM,
        values.OAUTH_INTROSPECTION_URL,
        values.AUTHORIZATION_SERVER,
      ].every((value) => value === undefined),
    problem: "must be set when another variable of OAuth, or the binding AUTHORIZATION_SERVER, is",
  },
  {
    variable: "OAUTH_JWKS_URI",
    holds: ({ OAUTH_JWKS_URI, OAUTH_ISSUERS }) =>
      OAUTH_JWKS_URI === undefined || OAUTH_ISSUERS === undefined || OAUTH_ISSUERS.length === 1,
    problem: "must not be set with more than one issuer: each has keys of its own",
  },
  {
    variable: "OAUTH_INTROSPECTION_URL",
    holds: (values) =>
      goTogether(
        values.OAUTH_INTROSPECTION_URL,
        values.OAUTH_INTROSPECTION_CLIENT_ID,
        values.OAUTH_INTROSPECTION_CLIENT_SECRET,
      ),
    problem: "must be set together with OAUTH_INTROSPECTION_CLIENT_ID and OAUTH_INTROSPECTION_CLIENT_SECRET",
  },
  {
    variable: "OAUTH_INTROSPECTION_URL",
    holds: ({ OAUTH_INTROSPECTION_URL, AUTHORIZATION_SERVER }) =>
      OAUTH_INTROSPECTION_URL === undefined || AUTHORIZATION_SERVER === undefined,
    problem:
      "must not be set beside the binding AUTHORIZATION_SERVER: one of them says what a token is worth",
  },
  {
    variable: "ACCESS_TEAM_DOMAIN",
    holds: ({ ACCESS_TEAM_DOMAIN, ACCESS_AUDIENCE }) => goTogether(ACCESS_TEAM_DOMAIN, ACCESS_AUDIENCE),
    problem: "must be set together with ACCESS_AUDIENCE",
  },
];

export function readTokenSettings(values: TokenValues): {
  tokens: TokenConfig | undefined;
  access: AccessConfig | undefined;
} {
  const [issuer, ...others] = values.OAUTH_ISSUERS ?? [];
  return {
    tokens:
      issuer === undefined
        ? undefined
        : {
            issuers: [issuer, ...others],
            audience: values.OAUTH_AUDIENCE,
            jwksUri: values.OAUTH_JWKS_URI,
            scopeMap: values.OAUTH_SCOPES,
            scopeClaim: values.OAUTH_SCOPE_CLAIM,
            introspection: introspectionOf(values),
            authorizationServer: values.AUTHORIZATION_SERVER,
          },
    access:
      values.ACCESS_TEAM_DOMAIN === undefined || values.ACCESS_AUDIENCE === undefined
        ? undefined
        : {
            teamDomain: values.ACCESS_TEAM_DOMAIN,
            audience: values.ACCESS_AUDIENCE,
            scopes: values.ACCESS_SCOPES.split("+").filter(isScope),
          },
  };
}

function introspectionOf(values: TokenValues): TokenConfig["introspection"] {
  const {
    OAUTH_INTROSPECTION_URL: url,
    OAUTH_INTROSPECTION_CLIENT_ID: clientId,
    OAUTH_INTROSPECTION_CLIENT_SECRET: clientSecret,
  } = values;
  return url === undefined || clientId === undefined || clientSecret === undefined
    ? undefined
    : { url, clientId, clientSecret };
}
