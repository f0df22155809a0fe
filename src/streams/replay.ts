// GET /mcp with Last-Event-ID: what an answer has after an event, for a client that comes back. It never waits: a client asks
// again until the response is there.
import type { Context } from "hono";
import { acceptanceOf } from "../http/accept.ts";
import { AppError } from "../http/errors.ts";
import { SESSION_HEADER } from "../session/protocol.ts";
import type { Session } from "../session/session.ts";
import { LAST_EVENT_HEADER, readEventId, type StreamName } from "./event-id.ts";
import type { StreamConfig } from "./settings.ts";
import type { Replay, StreamStore } from "./store.ts";

export interface ReplayOptions extends StreamConfig {
  store: StreamStore;
  now: () => Date;
}

/** Why there is no response, and never will be. */
const ends: Partial<Record<Replay["state"], string>> = {
  lost: "The work was interrupted. Whether it is done is not known",
  unanswered: "The question of this call was not answered in time",
  expired: "The rest of this answer is not kept any more",
};

/** @throws AppError `session_not_found` for an id that this session was never given, and DatabaseFault. */
export async function replay(c: Context, session: Session, options: ReplayOptions): Promise<Response> {
  const { store, ttlSeconds, retryMs, now } = options;
  if (acceptanceOf(c.req.header("Accept"), "text/event-stream").quality === 0)
    throw new AppError("not_acceptable", "Accept must allow text/event-stream");
  const cursor = await readEventId(c.req.header(LAST_EVENT_HEADER) ?? "", c.req.header(SESSION_HEADER) ?? "");
  if (cursor === undefined) throw new AppError("session_not_found");
  const isYoung = now().getTime() - cursor.since.getTime() < ttlSeconds * 1000;
  const find = () => store.replay(session.key, cursor.stream, cursor.event, isYoung);
  const found = await find();
  const why = ends[found.state];
  if (why === undefined) return streamOf(cursor, found, retryMs);
  const error = JSON.stringify({
    jsonrpc: "2.0",
    id: cursor.requestId,
    error: { code: -32603, message: why },
  });
  // Of what the client has got some need not be kept.
  const event = Math.max(found.lastEvent, cursor.event) + 1;
  const ended = { ...found, events: [...found.events, { event, message: error }] };
  if (found.state === "expired") return streamOf(cursor, ended, retryMs);
  // Stored, so that there is one response only: whoever did the work may still come with another.
  const events = { stream: cursor.stream, firstEvent: event, messages: [error], isFinished: true };
  return streamOf(cursor, (await store.append(session.key, events)) ? ended : await find(), retryMs);
}

/** First the cursor again, so that a client that gets nothing more knows where it stands. */
function streamOf(
  { eventId, event }: StreamName & { event: number },
  found: Replay,
  retryMs: number,
): Response {
  const body = [
    `id: ${eventId(event)}\nretry: ${retryMs}\ndata: \n\n`,
    ...found.events.map((kept) => `event: message\nid: ${eventId(kept.event)}\ndata: ${kept.message}\n\n`),
  ];
  return new Response(body.join(""), {
    headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform" },
  });
}
