-- Counts sessions for health, without a scan of the table. Expired sessions are counted exactly up to 100,000; the number
-- of more is estimated from random pages.
CREATE OR REPLACE FUNCTION mcp_count_sessions(
  p_overdue_seconds double precision,
  OUT total bigint,
  OUT expired bigint,
  OUT expired_at_least bigint,
  OUT is_overdue boolean,
  OUT oldest_expired timestamptz
)
LANGUAGE plpgsql STABLE
-- The index of expiry times is used even when statistics are old or missing.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
  exact_up_to CONSTANT integer := 100000;
  sampled_pages CONSTANT integer := 500;
  pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);
  expired_share double precision;
  oldest_deletable timestamptz;
BEGIN
  SELECT count(*) INTO expired_at_least
    FROM (SELECT FROM ONLY mcp_sessions s WHERE s.expires_at <= now() ORDER BY s.expires_at LIMIT exact_up_to + 1) AS e;
  -- What cannot be deleted says nothing about whether cleanup keeps up.
  SELECT e.expires_at INTO oldest_deletable
    FROM (SELECT s.session_id, s.expires_at FROM ONLY mcp_sessions s
           WHERE s.expires_at <= now() ORDER BY s.expires_at LIMIT exact_up_to) AS e
   WHERE NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = e.session_id)
   ORDER BY e.expires_at LIMIT 1;
  is_overdue := coalesce(oldest_deletable <= now() - p_overdue_seconds * interval '1 second', false);
  SELECT e.expires_at INTO oldest_expired
    FROM (SELECT s.session_id, s.expires_at FROM ONLY mcp_sessions s
           WHERE s.expires_at > '-infinity' AND s.expires_at <= now() ORDER BY s.expires_at LIMIT exact_up_to) AS e
   WHERE NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = e.session_id)
   ORDER BY e.expires_at LIMIT 1;
  -- Rows that came past the triggers are missing from the sum until the next cleanup run has counted them.
  SELECT greatest(coalesce(sum(c.change), 0), expired_at_least) INTO total FROM mcp_session_changes c;
  expired := expired_at_least;
  IF expired_at_least > exact_up_to THEN
    SELECT avg((s.expires_at <= now() AND s.expires_at IS NOT NULL)::integer) INTO expired_share
      FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * sampled_pages / pages, 100));
    expired := least(greatest(coalesce(expired_share, 0) * total, expired_at_least), total);
  END IF;
END
$$;
