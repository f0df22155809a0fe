-- Health: the last runs of a tier. Cleanup: has this scheduled run been done?
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_cleanup_runs_tier ON mcp_cleanup_runs (tier, run_id);
