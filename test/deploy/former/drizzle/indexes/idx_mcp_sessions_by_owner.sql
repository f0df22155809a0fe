-- Tools: the sessions of a principal. Administration: pages of them in the order of handles. Rows of another program have
-- no principal, and cost nothing here.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_sessions_by_owner ON mcp_sessions
  (principal, (substr(encode(sha256(('handle:' || replace(session_id, '\', '\\'))::bytea), 'hex'), 1, 32)::uuid))
  WHERE principal IS NOT NULL;
