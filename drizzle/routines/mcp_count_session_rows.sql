-- Records how many rows a statement has inserted into mcp_sessions or deleted from it, in the statement's transaction. Runs
-- with the rights of its owner, because another program that writes to mcp_sessions has no rights on our tables. So it counts
-- nothing but mcp_sessions, and no other role may make a trigger of it.
--
-- Deletes are counted by the statistics of the backend, before and after the statement. A transition table would copy every
-- row, and a big cleanup would take twice as long. A delete may start further statements by triggers, so there is a depth.
-- Meanwhile the row of the delete is the last one of its transaction with a positive number. A setting would be simpler, but
-- anyone could change it.
CREATE OR REPLACE FUNCTION mcp_count_session_rows()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
#variable_conflict use_variable
DECLARE
  this_transaction CONSTANT bigint := pg_current_xact_id()::text::bigint;
  total_deleted CONSTANT bigint := pg_stat_get_xact_tuples_deleted(TG_RELID);
  -- The row of an insert. Random, because to look for the next one would be a read: serializable transactions that read here,
  -- and insert at the same time, would fail.
  insert_number CONSTANT integer := -1 - floor(random() * 2147483647)::integer;
  inserted_rows bigint;
  last_number integer;
  depth integer;
BEGIN
  IF TG_RELID IS DISTINCT FROM to_regclass('mcp_sessions') THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    SELECT count(*) INTO inserted_rows FROM inserted;
    IF inserted_rows > 0 THEN
      INSERT INTO mcp_session_changes AS c (transaction_id, change_number, change)
      VALUES (this_transaction, insert_number, inserted_rows)
      ON CONFLICT (transaction_id, change_number) DO UPDATE SET change = c.change + excluded.change;
      -- One insert in a thousand merges the rows, so that few are left to add up between two cleanup runs. Not in a
      -- stricter isolation level: merging there fails when another transaction has merged the same rows.
      IF random() < 0.001 AND current_setting('transaction_isolation') = 'read committed' THEN
        WITH merged AS (
          DELETE FROM mcp_session_changes
           WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM mcp_session_changes
              WHERE delete_depth = 0 AND (transaction_id, change_number) <> (this_transaction, insert_number)
              LIMIT 10000 FOR UPDATE SKIP LOCKED))
          RETURNING change
        )
        UPDATE mcp_session_changes c SET change = c.change + (SELECT coalesce(sum(m.change), 0) FROM merged m)
         WHERE c.transaction_id = this_transaction AND c.change_number = insert_number;
      END IF;
    END IF;
    RETURN NULL;
  END IF;
  SELECT c.change_number, c.delete_depth INTO last_number, depth
    FROM mcp_session_changes c WHERE c.transaction_id = this_transaction AND c.change_number > 0
   ORDER BY c.change_number DESC LIMIT 1;
  IF TG_WHEN = 'BEFORE' AND depth > 0 THEN
    UPDATE mcp_session_changes c SET delete_depth = c.delete_depth + 1
     WHERE c.transaction_id = this_transaction AND c.change_number = last_number;
  ELSIF TG_WHEN = 'BEFORE' THEN
    INSERT INTO mcp_session_changes (transaction_id, change_number, change, deletes_before, delete_depth)
    VALUES (this_transaction, coalesce(last_number, 0) + 1, 0, total_deleted, 1);
  ELSIF TG_OP = 'DELETE' THEN
    UPDATE mcp_session_changes c
       SET change = c.change + c.deletes_before - total_deleted, deletes_before = total_deleted,
           delete_depth = c.delete_depth - 1
     WHERE c.transaction_id = this_transaction AND c.change_number = last_number AND c.delete_depth > 0;
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
