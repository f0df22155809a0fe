-- Cleanup: the next batch.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_streams_expires ON mcp_streams (expires_at);
