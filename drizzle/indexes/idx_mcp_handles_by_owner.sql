-- Handles: those of a principal.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_handles_by_owner ON mcp_handles (owner);
