ALTER TABLE "mcp_sessions" ADD COLUMN IF NOT EXISTS "principal" text;--> statement-breakpoint
ALTER TABLE "mcp_sessions" ADD COLUMN IF NOT EXISTS "protocol_version" text;--> statement-breakpoint
ALTER TABLE "mcp_sessions" ADD COLUMN IF NOT EXISTS "log_level" text;--> statement-breakpoint
ALTER TABLE "mcp_sessions" ADD COLUMN IF NOT EXISTS "state" jsonb;--> statement-breakpoint
ALTER TABLE "mcp_sessions" ADD COLUMN IF NOT EXISTS "ended_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "idx_mcp_sessions_principal" ON "mcp_sessions" USING btree ("principal");
