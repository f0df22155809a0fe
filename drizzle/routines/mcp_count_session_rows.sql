-- Records how many rows a statement has inserted into mcp_sessions or deleted from it, in the statement's transaction. Runs
-- with the rights of its owner, because another program that writes to mcp_sessions has no rights on our tables. So it counts
-- nothing but mcp_sessions, and no other role may make a trigger of it.
--
-- Deletes are counted by the statistics of the backend, before and after the statement. A transition table would copy every
-- row, and a big cleanup would take twice as long. A delete may start further deletes by triggers, so there is a depth. What
-- was counted before stands in the transaction's row: a setting could be changed by anyone.
CREATE OR REPLACE FUNCTION mcp_count_session_rows()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
  deleted CONSTANT bigint := pg_stat_get_xact_tuples_deleted(TG_RELID);
BEGIN
  IF TG_RELID IS DISTINCT FROM to_regclass('mcp_sessions') THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO mcp_session_changes AS c (transaction_id, change)
    SELECT pg_current_xact_id()::text::bigint, count(*) FROM inserted HAVING count(*) > 0
    ON CONFLICT (transaction_id) DO UPDATE SET change = c.change + excluded.change;
    -- One insert in a thousand merges the rows, so that few are left to add up between two cleanup runs. Not in a
    -- stricter isolation level: merging there fails when another transaction has merged the same rows.
    IF random() < 0.001 AND current_setting('transaction_isolation') = 'read committed' THEN
      WITH merged AS (
        DELETE FROM mcp_session_changes
         WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM mcp_session_changes WHERE transaction_id <> pg_current_xact_id()::text::bigint
            LIMIT 10000 FOR UPDATE SKIP LOCKED))
        RETURNING change
      )
      INSERT INTO mcp_session_changes AS c (transaction_id, change)
      SELECT pg_current_xact_id()::text::bigint, sum(change) FROM merged HAVING count(*) > 0
      ON CONFLICT (transaction_id) DO UPDATE SET change = c.change + excluded.change;
    END IF;
  ELSIF TG_OP = 'DELETE' AND TG_WHEN = 'BEFORE' THEN
    INSERT INTO mcp_session_changes AS c (transaction_id, change, deletes_before, delete_depth)
    VALUES (pg_current_xact_id()::text::bigint, 0, deleted, 1)
    ON CONFLICT (transaction_id) DO UPDATE
       SET deletes_before = CASE WHEN c.delete_depth = 0 THEN excluded.deletes_before ELSE c.deletes_before END,
           delete_depth = c.delete_depth + 1;
  ELSIF TG_OP = 'DELETE' THEN
    UPDATE mcp_session_changes c
       SET change = c.change + c.deletes_before - deleted, deletes_before = deleted, delete_depth = c.delete_depth - 1
     WHERE c.transaction_id = pg_current_xact_id()::text::bigint AND c.delete_depth > 0;
  ELSE
    -- TRUNCATE removes the sessions for every snapshot, so the count must go in the same way.
    TRUNCATE mcp_session_changes;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS OR assert_failure THEN
  -- No statement of another program fails because it cannot be counted. The next cleanup run counts the sessions.
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION mcp_count_session_rows() FROM PUBLIC;
