// All SQL of what outlives a request. The session gate has found the session alive; what adds events asks again, because the work
// may have taken long.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import type { RequestId } from "./event-id.ts";
import { MARKS_PER_OWNER } from "./marks-store.ts";

/** Events to be added, in order. */
export interface NewEvents {
  stream: string;
  /** The number of the first of them. */
  firstEvent: number;
  /** JSON-RPC messages, as text. */
  messages: readonly string[];
  /** Whether the last of them is the response. */
  isFinished: boolean;
  /** The questions that are among them, and what is needed to go on with the call when they are answered. */
  asking?: { call: string; questions: readonly { id: string; key: string }[] };
}

export const streamStates = ["finished", "running", "asking", "lost", "unanswered", "expired"] as const;

export interface Replay {
  /**
   * `lost`: whoever did the work is gone. `unanswered`: a question was not answered in time. `expired`: nothing is known of
   * the stream any more.
   */
  state: (typeof streamStates)[number];
  lastEvent: number;
  /** Those after the given event, in order. Of progress some may be missing. */
  events: { event: number; message: string }[];
}

export type Taken =
  | { outcome: "unknown" | "answered" | "waiting" }
  | {
      outcome: "complete";
      stream: string;
      call: string;
      lastEvent: number;
      answers: Record<string, unknown>;
    };

/** Every method is one round trip, is atomic, and @throws DatabaseFault. */
export interface StreamStore {
  /** False when they are not kept: the session has ended, has too many streams, or the stream has its response already. */
  append(sessionKey: string, events: NewEvents): Promise<boolean>;
  /** @param mayBeNew whether the stream may have nothing stored yet. */
  replay(sessionKey: string, stream: string, after: number, mayBeNew: boolean): Promise<Replay>;
  /** Takes the answer to a question, a JSON-RPC result as text, once. The last answer of a call gets the call. */
  answer(sessionKey: string, question: string, answer: string): Promise<Taken>;
  /** Leaves a mark for whoever runs a call, and takes its questions back. */
  cancel(sessionKey: string, requestId: RequestId): Promise<void>;
  /** Whether a call has such a mark. */
  isCancelled(sessionKey: string, requestId: RequestId): Promise<boolean>;
}

/** How many streams of a session may have something stored. A client that opens more of them gets no older answer again. */
export const STREAMS_PER_SESSION = 64;

/**
 * How long work may go on that no client is connected to, in seconds: 30 on Cloudflare ("Context API", waitUntil), and some for
 * the statement that stores its end.
 */
export const DETACHED_SECONDS = 45;

const markOf = (sessionKey: string, requestId: RequestId) =>
  `cancelled:${sessionKey}:${JSON.stringify(requestId)}`;

const appended = z.tuple([z.object({ is_there: z.boolean() })]);
const replays = z.tuple([
  z
    .object({
      state: z.enum(streamStates),
      last_event: z.number(),
      events: z.array(z.object({ event: z.number(), message: z.string() })),
    })
    .transform(({ last_event: lastEvent, ...rest }) => ({ lastEvent, ...rest })),
]);
const takings = z.tuple([
  z.discriminatedUnion("outcome", [
    z.object({ outcome: z.enum(["unknown", "answered", "waiting"]) }),
    z
      .object({
        outcome: z.literal("complete"),
        stream: z.string(),
        call: z.string(),
        last_event: z.number(),
        answers: z.string(),
      })
      .transform(({ last_event: lastEvent, answers, ...rest }) => ({
        ...rest,
        lastEvent,
        answers: z.record(z.string(), z.unknown()).parse(JSON.parse(answers)),
      })),
  ]),
]);

const texts = (values: readonly string[]) =>
  sql`ARRAY(SELECT json_array_elements_text(${JSON.stringify(values)}::json))`;

export function createStreamStore(
  database: Database,
  { timeoutMs, ttlSeconds }: { timeoutMs: number; ttlSeconds: number },
): StreamStore {
  const rowsOf = async (name: string, statement: SQL) =>
    database.run({ name, budgetMs: timeoutMs, isIdempotent: true }, async (db) => {
      const { rows } = await db.execute(statement);
      return rows;
    });

  return {
    async append(sessionKey, { stream, firstEvent, messages, isFinished, asking }) {
      const questions = asking?.questions ?? [];
      const rows = await rowsOf(
        "storing events",
        sql`SELECT mcp_append_events(${stream}, ${sessionKey}, ${firstEvent}, ${texts(messages)}, ${isFinished},
              ${ttlSeconds}, ${STREAMS_PER_SESSION}, ${asking?.call ?? null},
              ${texts(questions.map(({ id }) => id))}, ${texts(questions.map(({ key }) => key))}) AS is_there`,
      );
      return appended.parse(rows)[0].is_there;
    },

    async replay(sessionKey, stream, after, mayBeNew) {
      const rows = await rowsOf(
        "replaying events",
        sql`SELECT state, last_event,
                   coalesce((SELECT json_agg(json_build_object('event', event, 'message', message))
                               FROM unnest(events, messages) AS kept (event, message)), '[]') AS events
              FROM mcp_replay_stream(${stream}, ${sessionKey}, ${after}, ${mayBeNew}, ${ttlSeconds},
                                     ${STREAMS_PER_SESSION}, ${DETACHED_SECONDS})`,
      );
      return replays.parse(rows)[0];
    },

    async answer(sessionKey, question, answer) {
      const claim = crypto.randomUUID();
      const rows = await rowsOf(
        "answering a question",
        sql`SELECT * FROM mcp_answer_question(${question}, ${sessionKey}, ${answer}, ${claim})`,
      );
      return takings.parse(rows)[0];
    },

    async cancel(sessionKey, requestId) {
      await rowsOf(
        "cancelling a call",
        sql`SELECT mcp_cancel_call(${markOf(sessionKey, requestId)}, ${sessionKey}, ${JSON.stringify(requestId)},
              ${ttlSeconds}, ${MARKS_PER_OWNER})`,
      );
    },

    async isCancelled(sessionKey, requestId) {
      const rows = await rowsOf(
        "looking for a cancellation",
        sql`SELECT FROM mcp_marks WHERE mark = ${markOf(sessionKey, requestId)}`,
      );
      return rows.length > 0;
    },
  };
}
