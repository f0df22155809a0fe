-- Cleanup: the next batch of expired sessions, oldest first. The name is the one an adopted table has.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_sessions_expires ON mcp_sessions (expires_at);
