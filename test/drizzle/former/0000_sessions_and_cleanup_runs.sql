-- Runs on an empty database, on one where another server already keeps mcp_sessions, and twice: what is there
-- stays as it is.
CREATE TABLE IF NOT EXISTS "mcp_cleanup_runs" (
	"run_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "mcp_cleanup_runs_run_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tier" text NOT NULL,
	"trigger" text NOT NULL,
	"scheduled_at" timestamp with time zone NOT NULL,
	"cutoff" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"finished_at" timestamp with time zone,
	"outcome" text NOT NULL,
	"deleted" bigint DEFAULT 0 NOT NULL,
	"batches" integer DEFAULT 0 NOT NULL,
	"error_code" text,
	CONSTRAINT "mcp_cleanup_runs_tier" CHECK ("mcp_cleanup_runs"."tier" IN ('regular', 'immediate')),
	CONSTRAINT "mcp_cleanup_runs_trigger" CHECK ("mcp_cleanup_runs"."trigger" IN ('cron', 'manual')),
	CONSTRAINT "mcp_cleanup_runs_outcome" CHECK ("mcp_cleanup_runs"."outcome" IN ('running', 'completed', 'partial', 'skipped', 'failed')),
	CONSTRAINT "mcp_cleanup_runs_finished" CHECK (("mcp_cleanup_runs"."outcome" = 'running') = ("mcp_cleanup_runs"."finished_at" IS NULL)),
	CONSTRAINT "mcp_cleanup_runs_counts" CHECK ("mcp_cleanup_runs"."deleted" >= 0 AND "mcp_cleanup_runs"."batches" >= 0),
	CONSTRAINT "mcp_cleanup_runs_error_code" CHECK (("mcp_cleanup_runs"."outcome" IN ('skipped', 'failed')) = ("mcp_cleanup_runs"."error_code" IS NOT NULL))
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "mcp_sessions" (
	"session_id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp with time zone DEFAULT now(),
	"last_active" timestamp with time zone DEFAULT now(),
	"expires_at" timestamp with time zone,
	"capabilities" jsonb DEFAULT '{}'::jsonb,
	"client_info" jsonb DEFAULT '{}'::jsonb
);
--> statement-breakpoint
-- An mcp_sessions that was there before must have the columns that are read here, with these types.
DO $$
DECLARE
  wrong text;
BEGIN
  SELECT string_agg(format('%s must be %s, is %s', wanted.name, wanted.type, coalesce(format_type(a.atttypid, NULL), 'missing')), '; ')
    INTO wrong
    FROM (VALUES ('session_id', 'text'), ('created_at', 'timestamp with time zone'),
                 ('last_active', 'timestamp with time zone'), ('expires_at', 'timestamp with time zone'),
                 ('capabilities', 'jsonb'), ('client_info', 'jsonb')) AS wanted (name, type)
    LEFT JOIN pg_attribute a
      ON a.attrelid = 'mcp_sessions'::regclass AND a.attname = wanted.name AND NOT a.attisdropped
   WHERE format_type(a.atttypid, NULL) IS DISTINCT FROM wanted.type;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the existing table mcp_sessions cannot be adopted: %', wrong;
  END IF;
END
$$;
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "idx_mcp_cleanup_runs_tier" ON "mcp_cleanup_runs" USING btree ("tier","run_id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "idx_mcp_sessions_expires" ON "mcp_sessions" USING btree ("expires_at");
