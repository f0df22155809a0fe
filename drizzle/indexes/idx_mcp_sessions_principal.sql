-- Tools: the sessions of a principal.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_sessions_principal ON mcp_sessions (principal);
