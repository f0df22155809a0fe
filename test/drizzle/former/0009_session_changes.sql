CREATE TABLE IF NOT EXISTS "mcp_session_changes" (
	"change" bigint NOT NULL
);
