-- Streams: how many a session has.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_streams_by_session ON mcp_streams (session_id);
