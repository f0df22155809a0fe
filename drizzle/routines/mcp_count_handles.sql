-- Counts handles for health, without a scan of the table: exactly up to 100,000. The number of more active ones is an estimate, and
-- 100,001 expired ones are that many or more. Those that were ended count as expired.
CREATE OR REPLACE FUNCTION mcp_count_handles()
RETURNS jsonb
LANGUAGE plpgsql STABLE
-- The index of expiry times is used even when statistics are old or missing.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
SET timezone = 'UTC'
AS $$
DECLARE
  exact_up_to CONSTANT integer := 100000;
  active bigint;
  expired bigint;
  oldest_expired timestamptz;
BEGIN
  SELECT count(*), min(e.expires_at) INTO expired, oldest_expired
    FROM (SELECT h.expires_at FROM mcp_handles h WHERE h.expires_at <= now()
           ORDER BY h.expires_at LIMIT exact_up_to + 1) AS e;
  SELECT count(*) INTO active
    FROM (SELECT FROM mcp_handles h WHERE h.expires_at > now() ORDER BY h.expires_at LIMIT exact_up_to + 1) AS a;
  IF active > exact_up_to THEN
    SELECT greatest(active, c.reltuples - expired) INTO active FROM pg_class c WHERE c.oid = 'mcp_handles'::regclass;
  END IF;
  RETURN jsonb_build_object('active', active, 'expired', expired,
                            'oldest_expired_at', to_char(oldest_expired, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
END
$$;
