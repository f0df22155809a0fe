-- Cleanup: the next batch.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_handles_expires ON mcp_handles (expires_at);
