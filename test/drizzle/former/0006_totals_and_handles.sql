CREATE TABLE IF NOT EXISTS "mcp_session_totals" (
	"name" text NOT NULL,
	"shard" smallint NOT NULL,
	"value" bigint NOT NULL,
	CONSTRAINT "mcp_session_totals_name_shard_pk" PRIMARY KEY("name","shard")
) WITH (fillfactor = 50);
--> statement-breakpoint
ALTER TABLE "mcp_sessions" ADD COLUMN IF NOT EXISTS "end_reason" text;--> statement-breakpoint
-- How administration names a session: nobody gets from it to the id, nor to the hash that is stored. Immutable,
-- because a database keeps its encoding.
CREATE OR REPLACE FUNCTION mcp_session_handle(p_session_id text)
RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT substr(encode(sha256(convert_to('handle:' || p_session_id, 'UTF8')), 'hex'), 1, 32)::uuid
$$;
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "idx_mcp_sessions_handle" ON "mcp_sessions" USING btree (mcp_session_handle("session_id"));
