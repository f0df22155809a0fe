-- Whether a session may be kept although its deletion succeeds: by a trigger of another program, a rule or a policy. PostgreSQL
-- knows no other way. A cleanup run then looks for each session that it has deleted.
CREATE OR REPLACE FUNCTION mcp_may_be_kept()
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_variable
DECLARE
  -- pg_trigger.tgtype has this bit when a trigger is for DELETE.
  for_delete CONSTANT integer := 8;
BEGIN
  RETURN (
    SELECT c.relhasrules OR row_security_active(c.oid)
           OR EXISTS (SELECT FROM pg_trigger t
                       WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
                         AND t.tgtype & for_delete > 0
                         AND t.tgfoid IS DISTINCT FROM to_regproc('mcp_count_session_rows'))
      FROM pg_class c WHERE c.oid = 'mcp_sessions'::regclass);
END
$$;
