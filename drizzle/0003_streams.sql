-- What outlives a request: streams, their events, questions to clients, and marks that are made once.
CREATE TABLE IF NOT EXISTS mcp_streams (
  stream text PRIMARY KEY,
  session_id text NOT NULL,
  last_event integer NOT NULL DEFAULT 0,
  call text,
  detached_at timestamptz,
  taken_by text,
  finished_at timestamptz,
  expires_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS mcp_stream_events (
  stream text NOT NULL,
  event integer NOT NULL,
  message text NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT mcp_stream_events_stream_event_pk PRIMARY KEY (stream, event)
);

CREATE TABLE IF NOT EXISTS mcp_questions (
  question text PRIMARY KEY,
  stream text NOT NULL,
  session_id text NOT NULL,
  key text NOT NULL,
  answer text,
  expires_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS mcp_marks (
  mark text PRIMARY KEY,
  owner text NOT NULL,
  claim text NOT NULL,
  expires_at timestamptz NOT NULL
);
