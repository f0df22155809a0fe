-- Tasks: how many somebody has. Operators: those of one principal.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_tasks_by_owner ON mcp_tasks (owner);
