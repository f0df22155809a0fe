-- Streams: the questions of a call.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_questions_by_stream ON mcp_questions (stream);
