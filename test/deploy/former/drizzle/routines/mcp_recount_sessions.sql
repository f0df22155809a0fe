-- Corrects the number of sessions after rows were inserted or deleted without triggers, for example by logical replication.
-- Counts in one statement, so rows and changes are of one snapshot. Returns the error that it corrected: positive when
-- sessions were missing from the count. Runs with the rights of its owner, for the roles that may not write the changes; it
-- can only make the count right.
CREATE OR REPLACE FUNCTION mcp_recount_sessions()
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
#variable_conflict use_variable
DECLARE
  error bigint;
BEGIN
  -- A second recount begins after the first has committed.
  PERFORM pg_advisory_xact_lock(hashtext('mcp_recount_sessions'), 0);
  SELECT (SELECT count(*) FROM ONLY mcp_sessions) - (SELECT coalesce(sum(c.change), 0) FROM mcp_session_changes c)
    INTO error;
  IF error <> 0 THEN
    INSERT INTO mcp_session_changes (transaction_id, change_number, change)
    SELECT pg_current_xact_id()::text::bigint, coalesce(max(c.change_number), 0) + 1, error
      FROM mcp_session_changes c WHERE c.transaction_id = pg_current_xact_id()::text::bigint;
  END IF;
  RETURN error;
END
$$;
