// What a session is, and its id. Pure.

/** A live session, as handlers see it. */
export interface Session {
  /** The key in the database: the SHA-256 of the id, in hex. Only the client knows the id. */
  key: string;
  /** Who opened the session. No other principal can use it. */
  principal: string;
  /** The MCP revision that was negotiated, such as `2025-11-25`. */
  protocolVersion: string;
  /** What the client said of itself in `initialize`. */
  clientInfo: Record<string, unknown>;
  /** What the client said it can do in `initialize`. */
  capabilities: Record<string, unknown>;
  /** What the client chose with `logging/setLevel`. */
  logLevel: string | null;
  // A time is null when another program has put one there that is not within the years 1 to 9999.
  createdAt: Date | null;
  /** The last touch. The last request may be up to a touch interval later. */
  lastActive: Date | null;
  /** Null: later than anything that a Date can say. */
  expiresAt: Date | null;
  /** True: the database cannot be asked, and this is what the isolate has in its cache, or nearly nothing. */
  isDegraded: boolean;
}

/** How long a session lives, in seconds. */
export interface Lifetimes {
  /** From the last touch on. */
  ttlSeconds: number;
  /** From `initialize` until the client's first request after it. */
  initTtlSeconds: number;
  /** From `initialize` on, however often it is used; null: no limit. */
  maxLifetimeSeconds: number | null;
  /** A session is touched at most once in this time. */
  touchIntervalSeconds: number;
}

/** Why a session ended before it expired: by its client, by an operator, or to make room for a newer one. */
export const endReasons = ["client", "operator", "evicted"] as const;
export type EndReason = (typeof endReasons)[number];

// 256 bits: ids must be cryptographically secure (MCP 2025-11-25, transports).
const ID_BYTES = 32;
const ID = /^[A-Za-z0-9_-]{43}$/;

/** A new random id: 43 characters of base64url, which are visible ASCII. */
export function createSessionId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace("=", "");
}

/** Whether a text has the form of an id. Any other text is refused without a query. */
export function isSessionId(text: string): boolean {
  return ID.test(text);
}

const encoder = new TextEncoder();
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The key in the database of an id. */
export async function keyOfSession(id: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(id)));
  let key = "";
  for (const byte of digest) key += HEX[byte];
  return key;
}

/** The name of a session in logs and tools. It tells sessions apart, but opens none. */
export function nameOfSession(key: string): string {
  return key.slice(0, 8);
}

// In JSON text: the escape of NUL or of an unpaired surrogate, after an even number of backslashes.
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i;

/** Whether PostgreSQL can hold a JSON value: it has no NUL and no unpaired surrogate. */
export function isStorable(value: unknown): boolean {
  return !UNSTORABLE.test(JSON.stringify(value));
}
