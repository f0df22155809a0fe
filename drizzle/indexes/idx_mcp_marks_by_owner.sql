-- Marks: how many somebody has.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_marks_by_owner ON mcp_marks (owner);
