-- One batch of a cleanup run: deletes handles that have expired or were ended, up to a number. Returns how many rows.
CREATE OR REPLACE FUNCTION mcp_sweep_handles(p_run_id bigint, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  swept bigint;
  expired bigint;
BEGIN
  -- The lease of the run, as in mcp_delete_in_batches.
  UPDATE mcp_cleanup_runs r SET renewed_at = clock_timestamp() WHERE r.run_id = p_run_id AND r.outcome = 'running';
  IF NOT FOUND THEN RETURN 0; END IF;
  -- A locked row is in use: its expiry has been moved, or its owner gives it up.
  WITH gone AS (
    DELETE FROM mcp_handles WHERE handle_hash = ANY (ARRAY(
      SELECT h.handle_hash FROM mcp_handles h WHERE h.expires_at <= now()
       ORDER BY h.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED))
    RETURNING version)
  SELECT count(*), count(*) FILTER (WHERE gone.version > 0) INTO swept, expired FROM gone;
  PERFORM mcp_add_to_total('handles_expired', expired);
  RETURN swept;
END
$$;
