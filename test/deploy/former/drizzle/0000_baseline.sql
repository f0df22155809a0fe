-- The tables and their columns. Indexes stand in drizzle/indexes, routines in drizzle/routines, one file each.
--
-- Every migration is repeatable: run again, or on any former state of this project, it ends in the same schema and keeps
-- every row. db:migrate has compared the column types before, and holds the locks.
CREATE TABLE IF NOT EXISTS mcp_schema_journal (
  name text PRIMARY KEY,
  sha256 text NOT NULL,
  definition_sha256 text,
  applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS mcp_sessions (
  session_id text PRIMARY KEY,
  created_at timestamptz DEFAULT now(),
  last_active timestamptz DEFAULT now(),
  expires_at timestamptz,
  capabilities jsonb DEFAULT '{}',
  client_info jsonb DEFAULT '{}'
);

-- These columns are NULL in a row of another server. Without a default, adding one rewrites no row. The table is locked
-- only when something is missing: ADD COLUMN IF NOT EXISTS would keep everybody out to find that nothing is.
DO $$
DECLARE
  additions text;
BEGIN
  SELECT string_agg(format('ADD COLUMN %I %s', wanted.name, wanted.type), ', ') INTO additions
    FROM (VALUES
      ('principal', 'text'),
      ('protocol_version', 'text'),
      ('log_level', 'text'),
      ('state', 'jsonb'),
      ('state_version', 'bigint'),
      ('state_versions', 'jsonb'),
      ('state_writes', 'text[]'),
      ('ended_at', 'timestamptz'),
      ('end_reason', 'text')
    ) AS wanted (name, type)
   WHERE NOT EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = 'mcp_sessions'::regclass AND a.attname = wanted.name AND NOT a.attisdropped);
  IF additions IS NOT NULL THEN
    -- fillfactor: room in each page for the new version of a touched row. It applies to pages to come.
    EXECUTE 'ALTER TABLE mcp_sessions ' || additions || ', SET (fillfactor = 90)';
  END IF;
END
$$;

-- An index of a former state. It calls a function of ours, which a role that writes this table need not have the right to
-- call. Another program's index of this name stays.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_depend d JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
              WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('idx_mcp_sessions_handle')
                AND p.proname = 'mcp_session_handle') THEN
    DROP INDEX idx_mcp_sessions_handle;
  END IF;
END
$$;

CREATE TABLE IF NOT EXISTS mcp_cleanup_runs (
  run_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  tier text NOT NULL,
  trigger text NOT NULL,
  scheduled_at timestamptz NOT NULL,
  cutoff timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  outcome text NOT NULL,
  deleted bigint NOT NULL DEFAULT 0,
  batches integer NOT NULL DEFAULT 0,
  error_code text
);

ALTER TABLE mcp_cleanup_runs
  ADD COLUMN IF NOT EXISTS finished_at timestamptz,
  ADD COLUMN IF NOT EXISTS deleted bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS batches integer NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS error_code text;

-- PostgreSQL has no ADD CONSTRAINT IF NOT EXISTS.
ALTER TABLE mcp_cleanup_runs
  DROP CONSTRAINT IF EXISTS mcp_cleanup_runs_tier,
  DROP CONSTRAINT IF EXISTS mcp_cleanup_runs_trigger,
  DROP CONSTRAINT IF EXISTS mcp_cleanup_runs_outcome,
  DROP CONSTRAINT IF EXISTS mcp_cleanup_runs_finished,
  DROP CONSTRAINT IF EXISTS mcp_cleanup_runs_counts,
  DROP CONSTRAINT IF EXISTS mcp_cleanup_runs_error_code,
  ADD CONSTRAINT mcp_cleanup_runs_tier CHECK (tier IN ('regular', 'immediate')),
  ADD CONSTRAINT mcp_cleanup_runs_trigger CHECK (trigger IN ('cron', 'manual')),
  ADD CONSTRAINT mcp_cleanup_runs_outcome CHECK (outcome IN ('running', 'completed', 'partial', 'skipped', 'failed')),
  ADD CONSTRAINT mcp_cleanup_runs_finished CHECK ((outcome = 'running') = (finished_at IS NULL)),
  ADD CONSTRAINT mcp_cleanup_runs_counts CHECK (deleted >= 0 AND batches >= 0),
  ADD CONSTRAINT mcp_cleanup_runs_error_code CHECK ((outcome IN ('skipped', 'failed')) = (error_code IS NOT NULL));

CREATE TABLE IF NOT EXISTS mcp_session_totals (
  name text NOT NULL,
  shard smallint NOT NULL,
  value bigint NOT NULL,
  CONSTRAINT mcp_session_totals_name_shard_pk PRIMARY KEY (name, shard)
) WITH (fillfactor = 50);

-- The totals begin with the runs on record, when there are no totals yet.
INSERT INTO mcp_session_totals (name, shard, value)
SELECT total.name, 0, total.value
  FROM (SELECT 'sessions_deleted/' || tier AS name, sum(deleted) AS value
          FROM mcp_cleanup_runs GROUP BY tier HAVING sum(deleted) > 0
         UNION ALL
        SELECT 'cleanup_runs/' || tier || '/' || outcome, count(*)
          FROM mcp_cleanup_runs WHERE outcome <> 'running' GROUP BY tier, outcome) AS total
 WHERE NOT EXISTS (SELECT FROM mcp_session_totals);

CREATE TABLE IF NOT EXISTS mcp_session_changes (
  change bigint NOT NULL
);

-- Its rows are inserted and deleted quickly.
ALTER TABLE mcp_session_changes SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- A role that may write the records of runs may add to the totals. A role that may read them may read the counts.
DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT a.privilege_type AS privilege,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role
      FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.oid = 'mcp_cleanup_runs'::regclass AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
  LOOP
    EXECUTE format('GRANT %s ON mcp_session_totals TO %s', granted.privilege, granted.role);
    IF granted.privilege = 'SELECT' THEN
      EXECUTE format('GRANT SELECT ON mcp_session_changes TO %s', granted.role);
    END IF;
  END LOOP;
END
$$;
