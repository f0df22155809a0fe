-- Cleanup: the next batch.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_questions_expires ON mcp_questions (expires_at);
