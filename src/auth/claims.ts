// What a token says → the principal that bears it. Pure, but for the hash of the label.
import type { Scope } from "./api-keys.ts";
import { labelOf, nameOfBearer } from "./principal.ts";
import { refused, type Verdict } from "./verdict.ts";

/** What has been verified of a token, whoever has verified it. */
export interface VerifiedClaims {
  issuer: string;
  subject: unknown;
  clientId: unknown;
  scopes: readonly string[];
  /** Seconds since 1970. */
  expiresAt: unknown;
  claims: Readonly<Record<string, unknown>>;
}

// OpenID Connect Core 1.0 §2: a subject has 255 ASCII characters at most.
const MAX_SUBJECT_CHARACTERS = 255;
// The name of a principal, as operators may ask for it: http/input.ts.
const MAX_NAME_CHARACTERS = 512;

/** The clocks of two servers are not the same. */
export const SKEW_SECONDS = 30;

/** @param expiresAt in seconds since 1970; what is no number has not expired, and is refused elsewhere. */
export const hasExpired = (expiresAt: unknown, now: Date) =>
  typeof expiresAt === "number" && expiresAt + SKEW_SECONDS <= now.getTime() / 1000;

/** Both forms of an audience: people and programs add a slash at the end, and leave it out. */
export const audienceForms = (audience: string): [string, string] => {
  const bare = audience.replace(/\/$/, "");
  return [bare, `${bare}/`];
};

/** The words of a claim: a text of words, or a list of texts. */
export function wordsOf(claim: unknown): string[] {
  if (typeof claim === "string") return claim.split(" ").filter((word) => word !== "");
  return Array.isArray(claim) ? claim.filter((word) => typeof word === "string") : [];
}

/** The scopes of a token: those of the claim that the operator has named, or of `scope` (RFC 9068) or `scp` (Entra, Okta). */
export const scopesOf = (claims: Readonly<Record<string, unknown>>, claim: string | undefined) =>
  wordsOf(claim === undefined ? (claims["scope"] ?? claims["scp"]) : claims[claim]);

function isSubject(value: unknown): value is string {
  return (
    typeof value === "string" &&
    value.length >= 1 &&
    value.length <= MAX_SUBJECT_CHARACTERS &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  );
}

/** @param granted our scopes. */
export async function bearerOf(verified: VerifiedClaims, granted: readonly Scope[]): Promise<Verdict> {
  const { issuer, subject, clientId, expiresAt, claims } = verified;
  // Without a subject the client is all that is known, and a client is many people.
  if (!isSubject(subject)) return refused("no_subject");
  if (typeof expiresAt !== "number" || !Number.isFinite(expiresAt)) return refused("no_expiry");
  const name = nameOfBearer(issuer, subject);
  if (name.length > MAX_NAME_CHARACTERS) return refused("no_subject");
  const token = {
    issuer,
    subject,
    clientId: typeof clientId === "string" ? clientId : undefined,
    scopes: verified.scopes,
    claims,
    expiresAt: new Date(expiresAt * 1000),
  };
  return { kind: "accepted", principal: { name, scopes: granted, label: await labelOf(name), token } };
}
