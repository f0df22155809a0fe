// The ids of events, as clients get them and bring them back in Last-Event-ID. Pure.
//
// An id proves by itself that this session was given it: it carries a code that is made with the session's id, which only its
// client knows. So a foreign or made-up one costs no query, and one that has nothing stored yet is told from one that never was.
import { base64url } from "jose";

/** Names the last event that a client has read (HTML, server-sent events). */
export const LAST_EVENT_HEADER = "Last-Event-ID";

export type RequestId = string | number;

/** The stream of an answer: what its events' ids have in common. */
export interface StreamName {
  /** Random: the key in the database. */
  stream: string;
  /** When the request came, to the second. */
  since: Date;
  /** Which request it answers. */
  requestId: RequestId;
  /** The id of an event; 0: of the event before the first. */
  eventId: (event: number) => string;
}

const TIME_BYTES = 4;
const RANDOM_BYTES = 12;
const CODE_BYTES = 12;
// Each event repeats it. A longer one is of no client that is known.
const MAX_REQUEST_ID = 128;
const ID = /^([\w-]{22})\.([\w-]{2,172})\.([\w-]{16})\.(\d{1,9})$/;

/** Undefined when the id of the request is too long to be repeated in each event. */
export async function newStream(
  requestId: RequestId,
  sessionId: string,
  now: Date,
): Promise<StreamName | undefined> {
  const text = JSON.stringify(requestId);
  if (bytesOf(text).length > MAX_REQUEST_ID) return undefined;
  const bytes = crypto.getRandomValues(new Uint8Array(TIME_BYTES + RANDOM_BYTES));
  new DataView(bytes.buffer).setUint32(0, Math.floor(now.getTime() / 1000));
  const stream = base64url.encode(bytes);
  const request = base64url.encode(text);
  const code = await codeOf(`${stream}.${request}`, sessionId);
  const since = sinceOf(bytes);
  return { stream, since, requestId, eventId: (event) => `${stream}.${request}.${code}.${event}` };
}

/** Undefined when the session was never given such an id. */
export async function readEventId(
  id: string,
  sessionId: string,
): Promise<(StreamName & { event: number }) | undefined> {
  const [, stream = "", request = "", code, event] = ID.exec(id) ?? [];
  if (code === undefined || code !== (await codeOf(`${stream}.${request}`, sessionId))) return undefined;
  const requestId: RequestId = JSON.parse(new TextDecoder().decode(base64url.decode(request)));
  const eventId = (number: number) => `${stream}.${request}.${code}.${number}`;
  return { stream, since: sinceOf(base64url.decode(stream)), requestId, eventId, event: Number(event) };
}

const sinceOf = (bytes: Uint8Array) =>
  new Date(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) * 1000);

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function codeOf(text: string, sessionId: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytesOf(sessionId), algorithm, false, ["sign"]);
  const code = await crypto.subtle.sign(algorithm, key, bytesOf(`event id: ${text}`));
  return base64url.encode(new Uint8Array(code, 0, CODE_BYTES));
}
