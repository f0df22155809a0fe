-- Cleanup: the next batch.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_marks_expires ON mcp_marks (expires_at);
