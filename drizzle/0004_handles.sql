-- Handles: what a tool keeps for a principal, beyond a request and without a session.
CREATE TABLE IF NOT EXISTS mcp_handles (
  handle_hash text PRIMARY KEY,
  owner text NOT NULL,
  kind text NOT NULL,
  value text NOT NULL,
  version integer NOT NULL DEFAULT 1,
  writes text[],
  sliding_seconds integer,
  created_at timestamptz NOT NULL,
  last_used_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
