-- Cleanup: the next batch.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_stream_events_expires ON mcp_stream_events (expires_at);
