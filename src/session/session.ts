// What a session is, and its id. Pure.

/** A live session, as its handlers see it. */
export interface Session {
  /** The database's key: the SHA-256 of the id, in hex. The id itself is the client's alone. */
  key: string;
  /** Who opened it, and alone may use it. */
  principal: string;
  /** The MCP revision that was negotiated, such as `2025-11-25`. */
  protocolVersion: string;
  /** What the client said of itself in `initialize`. */
  clientInfo: Record<string, unknown>;
  /** What the client said it can do in `initialize`. */
  capabilities: Record<string, unknown>;
  /** What the client chose with `logging/setLevel`. */
  logLevel: string | null;
  createdAt: Date;
  /** The last touch, which may be a touch interval behind the last request. */
  lastActive: Date;
  expiresAt: Date;
  /** True: the database cannot be asked, and this is what the isolate has in its cache, or nearly nothing. */
  isDegraded: boolean;
}

/** How long a session lives, in seconds. */
export interface Lifetimes {
  /** From the last touch on. */
  ttlSeconds: number;
  /** From `initialize` until the client's first request after it. */
  initTtlSeconds: number;
  /** From `initialize` on, however much it is used; null is no limit. */
  maxLifetimeSeconds: number | null;
  /** A session is touched at most once in this time. */
  touchIntervalSeconds: number;
}

/** Why a session ended before it expired: by its client, by an operator, or to make room for a newer one. */
export const endReasons = ["client", "operator", "evicted"] as const;
export type EndReason = (typeof endReasons)[number];

// 256 bits, as the most careful reading of "cryptographically secure" (MCP 2025-11-25, transports) wants.
const ID_BYTES = 32;
const ID = /^[A-Za-z0-9_-]{43}$/;

/** A new id: 43 characters of base64url, which are visible ASCII. Never derived from anything. */
export function createSessionId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace("=", "");
}

/** Whether a text can be an id of `createSessionId`; what cannot needs no look into the database. */
export function isSessionId(text: string): boolean {
  return ID.test(text);
}

/** The database's key of an id. */
export async function keyOfSession(id: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(id)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** How logs and tools name a session: enough to tell sessions apart, too little to find one. */
export function nameOfSession(key: string): string {
  return key.slice(0, 8);
}

// In JSON text: the escape of NUL or of an unpaired surrogate, after an even number of backslashes.
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i;

/** Whether PostgreSQL can hold a JSON value: it has no NUL and no unpaired surrogate. */
export function isStorable(value: unknown): boolean {
  return !UNSTORABLE.test(JSON.stringify(value));
}
