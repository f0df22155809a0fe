// The tables of what outlives a request. Their comments are for the reference manual, as in schema.ts.
import { index, integer, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";

const timestamptz = (name: string) => timestamp(name, { withTimezone: true });

/**
 * What outlives a request of a session, with MCP_STREAMS: one row for each answer that goes on without its client. A stream has no
 * foreign key to its session: with one, deleting sessions is ten times dearer. It is out of reach at once when the session
 * ends, because every statement asks for the session first, and cleanup deletes it when it expires.
 */
export const mcpStreams = pgTable(
  "mcp_streams",
  {
    /** Random. Whoever knows it can still not name an event: the client's ids carry a proof of the session's id. */
    stream: text("stream").primaryKey(),
    /** The `session_id` of the row in mcp_sessions. */
    sessionId: text("session_id").notNull(),
    /** The number of the last event; 0 while there is none. */
    lastEvent: integer("last_event").notNull().default(0),
    /** The call that waits for answers of its client, as JSON text. NULL: none waits. */
    call: text("call"),
    /** Since when nobody but the Worker knows of the work: its client has come back, or has answered. NULL: it may be connected. */
    detachedAt: timestamptz("detached_at"),
    /** Which request has taken the answers, to go on with the call. */
    takenBy: text("taken_by"),
    /** When the last event, the response, was stored. NULL: it was not. */
    finishedAt: timestamptz("finished_at"),
    /** When the row and its events may be deleted. */
    expiresAt: timestamptz("expires_at").notNull(),
  },
  (table) => [
    // Streams: how many a session has.
    index("idx_mcp_streams_by_session").on(table.sessionId),
    // Cleanup: the next batch.
    index("idx_mcp_streams_expires").on(table.expiresAt),
  ],
);

/** The events of a stream, in the order in which they were sent. */
export const mcpStreamEvents = pgTable(
  "mcp_stream_events",
  {
    /** The `stream` of the row in mcp_streams. */
    stream: text("stream").notNull(),
    /** From 1, without gaps. */
    event: integer("event").notNull(),
    /** The JSON-RPC message. Text, because JSON may hold what jsonb cannot. */
    message: text("message").notNull(),
    /** When the row may be deleted. */
    expiresAt: timestamptz("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.stream, table.event] }),
    // Cleanup: the next batch.
    index("idx_mcp_stream_events_expires").on(table.expiresAt),
  ],
);

/** Questions to a client: elicitation, sampling, roots. Each is answered once. */
export const mcpQuestions = pgTable(
  "mcp_questions",
  {
    /** The JSON-RPC id of the request to the client: a UUID. */
    question: text("question").primaryKey(),
    /** The `stream` of the call that asks. */
    stream: text("stream").notNull(),
    /** The `session_id` of the row in mcp_sessions. */
    sessionId: text("session_id").notNull(),
    /** The name that the call gives to the answer. */
    key: text("key").notNull(),
    /** The JSON-RPC result, as text. NULL: not answered yet. */
    answer: text("answer"),
    /** Until when it can be answered. Then the row may be deleted. */
    expiresAt: timestamptz("expires_at").notNull(),
  },
  (table) => [
    // Streams: the questions of a call.
    index("idx_mcp_questions_by_stream").on(table.stream),
    // Cleanup: the next batch.
    index("idx_mcp_questions_expires").on(table.expiresAt),
  ],
);

/** Marks that are made once: a call was cancelled, a sealed state was used. */
export const mcpMarks = pgTable(
  "mcp_marks",
  {
    /** What is marked. */
    mark: text("mark").primaryKey(),
    /** Whose it is: the `session_id` of a session, or a principal. */
    owner: text("owner").notNull(),
    /** A random name of who made it: only a repetition of the same request has the same one. */
    claim: text("claim").notNull(),
    /** When the row may be deleted. */
    expiresAt: timestamptz("expires_at").notNull(),
  },
  (table) => [
    // Marks: how many somebody has.
    index("idx_mcp_marks_by_owner").on(table.owner),
    // Cleanup: the next batch.
    index("idx_mcp_marks_expires").on(table.expiresAt),
  ],
);
