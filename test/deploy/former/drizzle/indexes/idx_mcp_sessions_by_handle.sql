-- Administration: one session by its handle, and pages of all sessions in the order of handles.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_sessions_by_handle ON mcp_sessions
  ((substr(encode(sha256(('handle:' || replace(session_id, '\', '\\'))::bytea), 'hex'), 1, 32)::uuid));
