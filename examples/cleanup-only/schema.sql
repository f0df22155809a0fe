-- The table of server.py. `npx mcp-sessions migrate` adds to it what cleanup, health and metrics need.
CREATE TABLE IF NOT EXISTS mcp_sessions (
  session_id text PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_active timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  capabilities jsonb NOT NULL DEFAULT '{}',
  client_info jsonb NOT NULL DEFAULT '{}',
  total bigint NOT NULL DEFAULT 0
);
