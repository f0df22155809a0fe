-- The list of what cannot be deleted, the lease of a cleanup run, and a key for the changes of the number of sessions.
CREATE TABLE IF NOT EXISTS mcp_cleanup_blocked (
  session_id text PRIMARY KEY,
  reason text NOT NULL,
  blocked_at timestamptz NOT NULL DEFAULT now(),
  tried_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE mcp_cleanup_runs
  ADD COLUMN IF NOT EXISTS blocked bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS blocked_by text,
  ADD COLUMN IF NOT EXISTS renewed_at timestamptz,
  ADD COLUMN IF NOT EXISTS backend_pid integer,
  DROP CONSTRAINT IF EXISTS mcp_cleanup_runs_counts;

ALTER TABLE mcp_cleanup_runs
  ADD CONSTRAINT mcp_cleanup_runs_counts CHECK (deleted >= 0 AND batches >= 0 AND blocked >= 0);

ALTER TABLE mcp_session_changes
  ADD COLUMN IF NOT EXISTS transaction_id bigint,
  ADD COLUMN IF NOT EXISTS change_number integer,
  ADD COLUMN IF NOT EXISTS deletes_before bigint,
  ADD COLUMN IF NOT EXISTS delete_depth integer NOT NULL DEFAULT 0;

-- Rows without a key become one.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'mcp_session_changes'::regclass AND contype = 'p') THEN
    WITH merged AS (DELETE FROM mcp_session_changes RETURNING change)
    INSERT INTO mcp_session_changes (transaction_id, change_number, change) SELECT 0, 1, sum(change) FROM merged HAVING count(*) > 0;
    ALTER TABLE mcp_session_changes ADD CONSTRAINT mcp_session_changes_key PRIMARY KEY (transaction_id, change_number);
  END IF;
END
$$;

-- A role that may write the records of runs may write the list. A role that may read them may read it.
DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT CASE a.privilege_type WHEN 'SELECT' THEN 'SELECT' ELSE 'INSERT, UPDATE, DELETE' END AS privileges,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role
      FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.oid = 'mcp_cleanup_runs'::regclass AND a.privilege_type IN ('SELECT', 'INSERT')
  LOOP
    EXECUTE format('GRANT %s ON mcp_cleanup_blocked TO %s', granted.privileges, granted.role);
  END LOOP;
END
$$;
