-- Tasks: those that are due. Health: how many wait, and for how long.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_tasks_alive ON mcp_tasks (status, leased_until)
  WHERE status IN ('working', 'input_required');
