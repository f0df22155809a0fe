-- Cleanup: the next batch.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_tasks_expires ON mcp_tasks (expires_at);
