// Reads a request of Neon's SQL over HTTP: what its headers and its body mean, and what is refused about them.
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { messageOf, NeonError } from "./errors.ts";

export interface Credentials {
  user: string;
  password: string;
  database: string;
}

/** One statement; its parameters are PostgreSQL text or NULL. */
export interface Statement {
  query: string;
  params: (string | null)[];
}

export interface Payload {
  statements: Statement[];
  isBatch: boolean;
}

/** How a batch's transaction starts. */
export interface TransactionModes {
  isolationLevel?: IsolationLevel;
  readOnly: boolean;
  deferrable: boolean;
}

/** The isolation levels, as the header names them and as SQL does. */
export const ISOLATION_LEVELS = {
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
  Serializable: "SERIALIZABLE",
} as const;

export type IsolationLevel = keyof typeof ISOLATION_LEVELS;

/**
 * Reads the whole body.
 * @throws NeonError 413 as soon as it is known to have more than `maxBytes` bytes; the rest is not read.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = () => reject(new NeonError(413, `request is too large (max is ${maxBytes} bytes)`));
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) return refuse();
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= maxBytes) return;
      request.pause();
      refuse();
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
  });
}

/**
 * Who connects where. The port and every parameter of the connection string mean nothing over HTTP.
 * @throws NeonError 400; never with the connection string in its message.
 */
export function readCredentials(headers: IncomingHttpHeaders): Credentials {
  const header = headers["neon-connection-string"];
  // Visible ASCII, as Rust's HeaderValue::to_str wants it.
  if (typeof header !== "string" || !/^[\t\x20-\x7e]*$/.test(header)) {
    throw new NeonError(400, "invalid header: neon-connection-string");
  }
  if (!URL.canParse(header)) throw new NeonError(400, "invalid connection string: not a URL");
  const url = new URL(header);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    throw new NeonError(400, "incorrect scheme");
  }
  const path = url.pathname.split("/")[1];
  if (path === undefined) throw new NeonError(400, "missing database name");
  const database = decode(path);
  const user = decode(url.username);
  if (user === "") throw new NeonError(400, "missing username");
  // Without a JWKS the proxy takes passwords only, and a bearer token counts as no password.
  if (headers.authorization !== undefined || url.password === "") {
    throw new NeonError(400, "missing authentication credentials: required password");
  }
  const password = decode(url.password);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const [endpoint] = host.split(".");
  if (isIP(host) !== 0 || !endpoint) throw new NeonError(400, "missing hostname");
  // An empty name is PostgreSQL's default: the database named like the user.
  return { user, password, database: database || user };
}

/** @throws NeonError 400 for an unknown isolation level, and for the output modes that are not served here. */
export function readModes(headers: IncomingHttpHeaders): TransactionModes {
  const level = headers["neon-batch-isolation-level"];
  if (level !== undefined && !isIsolationLevel(level)) throw new NeonError(400, "invalid isolation level");
  if (headers["neon-raw-text-output"] !== "true" || headers["neon-array-mode"] !== "true") {
    throw new NeonError(
      400,
      "the local Neon serves Neon-Raw-Text-Output: true with Neon-Array-Mode: true, which the driver sends, and no other mode",
    );
  }
  return {
    ...(level !== undefined && { isolationLevel: level }),
    readOnly: headers["neon-batch-read-only"] === "true",
    deferrable: headers["neon-batch-deferrable"] === "true",
  };
}

/** The statements of a body: a single one when it reads as one, else a batch, else the error to answer with. */
export function readPayload(body: Buffer): Payload | NeonError {
  let value: unknown;
  try {
    value = parseJson(body);
  } catch (error) {
    return new NeonError(400, `could not parse the HTTP request body: ${messageOf(error)}`);
  }
  if (isStatement(value)) return withModes([value], false);
  if (isObject(value) && Array.isArray(value.queries) && value.queries.every(isStatement)) {
    return withModes(value.queries, true);
  }
  return new NeonError(
    400,
    "could not parse the HTTP request body: data did not match any variant of untagged enum Payload",
  );
}

interface WireStatement {
  query: string;
  params?: unknown[];
  arrayMode?: boolean | null;
}

function withModes(statements: WireStatement[], isBatch: boolean): Payload | NeonError {
  if (statements.some(({ arrayMode }) => arrayMode === false)) {
    return new NeonError(400, "the local Neon serves rows as arrays only: arrayMode must not be false");
  }
  return {
    statements: statements.map(({ query, params = [] }) => ({ query, params: params.map(toPostgresText) })),
    isBatch,
  };
}

/** Neon reads with serde_json, which refuses what JSON.parse lets pass: broken UTF-8 and lone surrogates. */
function parseJson(body: Buffer): unknown {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  if (!/\\ud[89a-f]/i.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key, value: unknown) => {
    if (key.isWellFormed() && (typeof value !== "string" || value.isWellFormed())) return value;
    throw new SyntaxError("lone surrogate in hex escape");
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStatement(value: unknown): value is WireStatement {
  return (
    isObject(value) &&
    typeof value.query === "string" &&
    (value.params === undefined || Array.isArray(value.params)) &&
    (value.arrayMode == null || typeof value.arrayMode === "boolean")
  );
}

function isIsolationLevel(level: string | string[]): level is IsolationLevel {
  return typeof level === "string" && Object.hasOwn(ISOLATION_LEVELS, level);
}

function toPostgresText(value: unknown): string | null {
  if (value === null) return null;
  if (typeof value === "string") return value;
  return Array.isArray(value) ? toPostgresArray(value) : JSON.stringify(value);
}

/** Every string is quoted, so JSON's escapes of quote and backslash are the array literal's too. */
function toPostgresArray(values: unknown[]): string {
  const items = values.map((value) => {
    if (value === null) return "NULL";
    if (Array.isArray(value)) return toPostgresArray(value);
    return JSON.stringify(isObject(value) ? JSON.stringify(value) : value);
  });
  return `{${items.join(",")}}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new NeonError(400, "invalid username: invalid utf-8 sequence");
  }
}
