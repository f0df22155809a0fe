-- Counts tasks for health, without a scan of the table: exactly up to 100,000. The number of more that have ended is an estimate, and
-- 100,001 of another count are that many or more.
CREATE OR REPLACE FUNCTION mcp_count_tasks(
  -- How long a task may be due.
  p_overdue_seconds double precision
)
RETURNS jsonb
LANGUAGE plpgsql STABLE
-- The indexes are used even when statistics are old or missing.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
SET timezone = 'UTC'
AS $$
DECLARE
  exact_up_to CONSTANT integer := 100000;
  form CONSTANT text := 'YYYY-MM-DD"T"HH24:MI:SS"Z"';
  active bigint;
  working bigint;
  input_required bigint;
  expired bigint;
  oldest_expired timestamptz;
  -- Nobody is known to run them, or has begun to.
  due bigint;
  oldest_due timestamptz;
BEGIN
  SELECT count(*), min(e.expires_at) INTO expired, oldest_expired
    FROM (SELECT t.expires_at FROM mcp_tasks t WHERE t.expires_at <= now()
           ORDER BY t.expires_at LIMIT exact_up_to + 1) AS e;
  SELECT count(*), count(*) FILTER (WHERE w.leased_until <= now()),
         min(w.leased_until) FILTER (WHERE w.leased_until <= now())
    INTO working, due, oldest_due
    FROM (SELECT t.leased_until, t.expires_at FROM mcp_tasks t WHERE t.status = 'working'
           ORDER BY t.leased_until LIMIT exact_up_to + 1) AS w
   WHERE w.expires_at > now();
  SELECT count(*) INTO input_required
    FROM (SELECT t.expires_at FROM mcp_tasks t WHERE t.status = 'input_required' LIMIT exact_up_to + 1) AS i
   WHERE i.expires_at > now();
  SELECT count(*) INTO active
    FROM (SELECT FROM mcp_tasks t WHERE t.expires_at > now() ORDER BY t.expires_at LIMIT exact_up_to + 1) AS a;
  IF active > exact_up_to THEN
    SELECT greatest(active, c.reltuples - expired) INTO active FROM pg_class c WHERE c.oid = 'mcp_tasks'::regclass;
  END IF;
  RETURN jsonb_build_object(
    'tasks', jsonb_build_object(
      'working', working, 'input_required', input_required, 'ended', greatest(active - working - input_required, 0),
      'expired', expired, 'due', due,
      'oldest_due_at', to_char(oldest_due, form), 'oldest_expired_at', to_char(oldest_expired, form)),
    'is_overdue', coalesce(oldest_due <= now() - p_overdue_seconds * interval '1 second', false));
END
$$;
