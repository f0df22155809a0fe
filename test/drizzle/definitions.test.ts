// What the migrations make, table by table: columns with their types and defaults, keys, checks and how rows are stored.
import type { ClientConfig } from "pg";
import { beforeAll, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { createDatabase, query } from "./databases.ts";

let config: ClientConfig;
beforeAll(async () => {
  config = await createDatabase();
  await migrate(config);
});

// `!` is NOT NULL, `=` a default.
const TABLES: Record<string, string> = {
  mcp_cleanup_blocked: `
    blocked_at timestamptz! = now(); reason text!; session_id text!
    tried_at timestamptz! = now()
    PRIMARY KEY (session_id)
  `,
  mcp_cleanup_runs: `
    backend_pid integer; batches integer! = 0; blocked bigint! = 0; blocked_by text
    cutoff timestamptz!; deleted bigint! = 0; error_code text; finished_at timestamptz
    outcome text!; renewed_at timestamptz; run_id bigint! identity; scheduled_at timestamptz!
    started_at timestamptz!; tier text!; trigger text!
    CHECK (((deleted >= 0) AND (batches >= 0) AND (blocked >= 0)))
    CHECK (((outcome = 'running'::text) = (finished_at IS NULL)))
    CHECK (((outcome = ANY (ARRAY['skipped'::text, 'failed'::text])) = (error_code IS NOT NULL)))
    CHECK ((outcome = ANY (ARRAY['running'::text, 'completed'::text, 'partial'::text, 'skipped'::text, 'failed'::text])))
    CHECK ((tier = ANY (ARRAY['regular'::text, 'immediate'::text])))
    CHECK ((trigger = ANY (ARRAY['cron'::text, 'manual'::text])))
    PRIMARY KEY (run_id)
  `,
  mcp_handles: `
    created_at timestamptz!; expires_at timestamptz!; handle_hash text!; kind text!
    last_used_at timestamptz!; owner text!; sliding_seconds integer; value text!
    version integer! = 1; writes text[]
    PRIMARY KEY (handle_hash)
  `,
  mcp_marks: `
    claim text!; expires_at timestamptz!; mark text!; owner text!
    PRIMARY KEY (mark)
  `,
  mcp_questions: `
    answer text; expires_at timestamptz!; key text!; question text!; session_id text!
    stream text!
    PRIMARY KEY (question)
  `,
  mcp_schema_journal: `
    applied_at timestamptz! = now(); definition_sha256 text; name text!; sha256 text!
    PRIMARY KEY (name)
  `,
  mcp_session_changes: `
    autovacuum_vacuum_scale_factor=0; autovacuum_vacuum_threshold=2000; change bigint!
    change_number integer!; delete_depth integer! = 0; deletes_before bigint
    transaction_id bigint!
    PRIMARY KEY (transaction_id, change_number)
  `,
  mcp_session_totals: `
    fillfactor=50; name text!; shard integer!; value bigint!
    PRIMARY KEY (name, shard)
  `,
  mcp_sessions: `
    capabilities jsonb = '{}'::jsonb; client_info jsonb = '{}'::jsonb
    created_at timestamptz = now(); end_reason text; ended_at timestamptz
    expires_at timestamptz; fillfactor=90; last_active timestamptz = now(); log_level text
    principal text; protocol_version text; session_id text!; state jsonb; state_version bigint
    state_versions jsonb; state_writes text[]
    PRIMARY KEY (session_id)
  `,
  mcp_stream_events: `
    event integer!; expires_at timestamptz!; message text!; stream text!
    PRIMARY KEY (stream, event)
  `,
  mcp_streams: `
    call text; detached_at timestamptz; expires_at timestamptz!; finished_at timestamptz
    last_event integer! = 0; session_id text!; stream text!; taken_by text
    PRIMARY KEY (stream)
  `,
  mcp_tasks: `
    attempt integer! = 0; call text; created_at timestamptz! = now(); expires_at timestamptz!
    input_keys text[]; input_requests text; input_responses text[]; lease text
    leased_until timestamptz; max_attempts integer!; on_lost text!; owner text!
    poll_ms integer!; request_state text; result text; status text! = 'working'::text
    status_message text; task_hash text!; tool text!; updated_at timestamptz! = now()
    version integer! = 1
    CHECK ((on_lost = ANY (ARRAY['retry'::text, 'fail'::text])))
    CHECK ((status = ANY (ARRAY['working'::text, 'input_required'::text, 'completed'::text, 'cancelled'::text, 'failed'::text])))
    PRIMARY KEY (task_hash)
  `,
};

const columns = (table: string) =>
  query(
    config,
    `SELECT a.attname || ' ' || replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz')
            || CASE WHEN a.attidentity <> '' THEN '! identity' WHEN a.attnotnull THEN '!' ELSE '' END
            || coalesce(' = ' || pg_get_expr(d.adbin, d.adrelid), '') AS text
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = '${table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped
     UNION ALL
     SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE c.conrelid = '${table}'::regclass AND c.contype <> 'n'
     UNION ALL
     SELECT unnest(c.reloptions) FROM pg_class c WHERE c.oid = '${table}'::regclass
      ORDER BY 1`,
  );

test("there are these tables, and no others", async () => {
  const tables = await query(
    config,
    "SELECT relname AS name FROM pg_class WHERE relname LIKE 'mcp\\_%' AND relkind = 'r' ORDER BY 1",
  );
  expect(tables.map(({ name }) => name)).toEqual(Object.keys(TABLES).toSorted());
});

test.each(Object.entries(TABLES))("%s", async (table, expected) => {
  expect((await columns(table)).map(({ text }) => text)).toEqual(
    expected
      .trim()
      .split(/;\s|\n\s*/)
      .toSorted(),
  );
});
