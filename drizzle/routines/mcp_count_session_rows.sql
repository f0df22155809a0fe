-- Records how many rows a statement has inserted into mcp_sessions or deleted from it, in the statement's transaction. Runs
-- with the rights of its owner, because another program that writes to mcp_sessions has no rights on our tables.
--
-- Deletes are counted by the statistics of the backend, before and after the statement. A transition table would copy every
-- row, and a big cleanup would take twice as long. A delete may start further deletes by triggers, so there is a depth.
CREATE OR REPLACE FUNCTION mcp_count_session_rows()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
  deleted bigint;
  depth integer;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO mcp_session_changes (change) SELECT count(*) FROM inserted HAVING count(*) > 0;
    -- One insert in a thousand merges the rows, so that few are left to add up between two cleanup runs. Not in a
    -- stricter isolation level: merging there fails when another transaction has merged the same rows.
    IF random() < 0.001 AND current_setting('transaction_isolation') = 'read committed' THEN
      PERFORM mcp_merge_session_changes(10000);
    END IF;
  ELSIF TG_OP = 'DELETE' THEN
    deleted := pg_stat_get_xact_tuples_deleted(TG_RELID);
    depth := coalesce(nullif(current_setting('mcp_sessions.delete_depth', true), ''), '0');
    IF TG_WHEN = 'AFTER' THEN
      INSERT INTO mcp_session_changes (change)
      SELECT counted - deleted FROM (SELECT current_setting('mcp_sessions.deletes_counted')::bigint) AS c (counted)
       WHERE counted <> deleted;
    END IF;
    IF TG_WHEN = 'AFTER' OR depth = 0 THEN
      PERFORM set_config('mcp_sessions.deletes_counted', deleted::text, true);
    END IF;
    PERFORM set_config('mcp_sessions.delete_depth', (depth + CASE TG_WHEN WHEN 'AFTER' THEN -1 ELSE 1 END)::text, true);
  ELSE
    -- TRUNCATE removes the sessions for every snapshot, so the count must go in the same way.
    TRUNCATE mcp_session_changes;
  END IF;
  RETURN NULL;
END
$$;
