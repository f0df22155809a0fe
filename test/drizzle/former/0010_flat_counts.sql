-- Writes down how many rows a statement has added to mcp_sessions or taken from it, in its own transaction. With the
-- rights of whoever migrated, because a program that knows nothing of this writes to mcp_sessions, too.
--
-- Deletes are told by the statistics of the backend, before and after: a transition table would copy every row, and make
-- a big cleanup take twice as long. A statement may delete by triggers of its own, hence the depth.
CREATE OR REPLACE FUNCTION mcp_note_session_change()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
DECLARE
  removed bigint;
  depth integer;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO mcp_session_changes (change) SELECT count(*) FROM added HAVING count(*) > 0;
    -- So that few are to be summed up, also in the hour between two cleanup runs. What another transaction has merged
    -- meanwhile would fail one that is isolated from it.
    IF random() < 0.001 AND current_setting('transaction_isolation') = 'read committed' THEN
      PERFORM mcp_merge_session_changes(10000);
    END IF;
  ELSIF TG_OP = 'DELETE' THEN
    removed := pg_stat_get_xact_tuples_deleted(TG_RELID);
    depth := coalesce(nullif(current_setting('mcp_sessions.delete_depth', true), ''), '0');
    IF TG_WHEN = 'AFTER' THEN
      INSERT INTO mcp_session_changes (change)
      SELECT noted - removed FROM (SELECT current_setting('mcp_sessions.deletes_noted')::bigint) AS n (noted)
       WHERE noted <> removed;
    END IF;
    IF TG_WHEN = 'AFTER' OR depth = 0 THEN
      PERFORM set_config('mcp_sessions.deletes_noted', removed::text, true);
    END IF;
    PERFORM set_config('mcp_sessions.delete_depth', (depth + CASE TG_WHEN WHEN 'AFTER' THEN -1 ELSE 1 END)::text, true);
  ELSE
    -- As TRUNCATE does with the sessions, whatever the snapshot of this transaction still sees.
    TRUNCATE mcp_session_changes;
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- Puts the changes together into one, but for those that another transaction is about to put together.
CREATE OR REPLACE FUNCTION mcp_merge_session_changes(p_limit bigint DEFAULT 100000)
RETURNS void
LANGUAGE sql
SECURITY DEFINER
AS $$
  WITH merged AS (
    DELETE FROM mcp_session_changes
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM mcp_session_changes LIMIT p_limit FOR UPDATE SKIP LOCKED))
    RETURNING change
  )
  INSERT INTO mcp_session_changes (change) SELECT sum(change) FROM merged HAVING count(*) > 0
$$;
--> statement-breakpoint
-- Makes the number right again after rows came or went without triggers, as with session_replication_role = replica.
-- One statement, so that the rows and the changes are those of one instant; answers by how much it was wrong.
CREATE OR REPLACE FUNCTION mcp_recount_sessions()
RETURNS bigint
LANGUAGE sql
AS $$
  SELECT pg_advisory_xact_lock(hashtext('mcp_recount_sessions'), 0);
  INSERT INTO mcp_session_changes (change)
  SELECT (SELECT count(*) FROM mcp_sessions) - (SELECT coalesce(sum(change), 0) FROM mcp_session_changes)
  RETURNING change
$$;
--> statement-breakpoint
-- The counts of health, without reading the table. Expired sessions are counted one by one up to a hundred thousand;
-- when there are more, pages picked at random tell about how many.
CREATE OR REPLACE FUNCTION mcp_count_sessions(
  p_overdue_seconds double precision,
  OUT total bigint,
  OUT expired bigint,
  OUT expired_at_least bigint,
  OUT is_overdue boolean,
  OUT oldest_expired timestamptz
)
LANGUAGE plpgsql STABLE
-- The oldest come first in their index, and no statistics, old or missing, may lead elsewhere.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
  exact_up_to CONSTANT integer := 100000;
  sampled_pages CONSTANT integer := 500;
  pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);
  expired_share double precision;
BEGIN
  SELECT count(*) INTO expired_at_least
    FROM (SELECT FROM mcp_sessions s WHERE s.expires_at <= now() ORDER BY s.expires_at LIMIT exact_up_to + 1) AS e;
  is_overdue := EXISTS (
    SELECT FROM mcp_sessions s WHERE s.expires_at <= now() - p_overdue_seconds * interval '1 second'
  );
  SELECT min(s.expires_at) INTO oldest_expired
    FROM mcp_sessions s WHERE s.expires_at > '-infinity' AND s.expires_at <= now();
  SELECT coalesce(sum(c.change), 0) INTO total FROM mcp_session_changes c;
  expired := expired_at_least;
  IF expired_at_least > exact_up_to THEN
    SELECT avg((s.expires_at <= now() AND s.expires_at IS NOT NULL)::integer) INTO expired_share
      FROM mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * sampled_pages / pages, 100));
    expired := least(greatest(coalesce(expired_share, 0) * total, expired_at_least), total);
  END IF;
END
$$;
--> statement-breakpoint
-- What these need, in the schema that this migration runs in, whatever the search_path of the caller is; and the right
-- to read and to merge for whoever may use sessions.
DO $$
DECLARE
  granted record;
BEGIN
  EXECUTE format('ALTER FUNCTION mcp_note_session_change() SET search_path = %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION mcp_merge_session_changes(bigint) SET search_path = %I, pg_temp', current_schema());
  FOR granted IN
    SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role
      FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.oid = 'mcp_cleanup_runs'::regclass AND a.privilege_type = 'SELECT'
  LOOP
    EXECUTE format('GRANT SELECT ON mcp_session_changes TO %s', granted.role);
  END LOOP;
END
$$;
--> statement-breakpoint
-- Its rows come and go quickly.
ALTER TABLE mcp_session_changes SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
--> statement-breakpoint
-- Nobody writes sessions from here to the end of the migration.
LOCK TABLE mcp_sessions IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER mcp_note_added AFTER INSERT ON mcp_sessions
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION mcp_note_session_change();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER mcp_note_removal BEFORE DELETE ON mcp_sessions
  FOR EACH STATEMENT EXECUTE FUNCTION mcp_note_session_change();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER mcp_note_removed AFTER DELETE ON mcp_sessions
  FOR EACH STATEMENT EXECUTE FUNCTION mcp_note_session_change();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER mcp_note_truncated AFTER TRUNCATE ON mcp_sessions
  FOR EACH STATEMENT EXECUTE FUNCTION mcp_note_session_change();
--> statement-breakpoint
SELECT mcp_recount_sessions();
