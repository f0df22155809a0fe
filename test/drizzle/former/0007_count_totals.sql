-- Adds to a total, in the transaction of what is counted, so that both are committed or neither is. Answers what
-- it has added.
CREATE OR REPLACE FUNCTION mcp_add_to_total(p_name text, p_amount bigint)
RETURNS bigint
LANGUAGE sql
AS $$
  -- Sixteen rows a total: about as many backends as add to one at once.
  INSERT INTO mcp_session_totals AS t (name, shard, value)
  SELECT p_name, pg_backend_pid() % 16, p_amount WHERE p_amount > 0
  ON CONFLICT (name, shard) DO UPDATE SET value = t.value + excluded.value;
  SELECT p_amount
$$;
--> statement-breakpoint
-- What a run adds to the totals: each batch what it has deleted, its end the run itself. The records of runs are
-- pruned; these sums are not.
CREATE OR REPLACE FUNCTION mcp_count_cleanup_run()
RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  deleted_before CONSTANT bigint := CASE WHEN TG_OP = 'UPDATE' THEN OLD.deleted ELSE 0 END;
  was_running CONSTANT boolean := TG_OP = 'INSERT' OR OLD.outcome = 'running';
  duration_ms CONSTANT bigint := extract(epoch FROM NEW.finished_at - NEW.started_at) * 1000;
  bucket CONSTANT text := coalesce(
    (SELECT min(bound) FROM unnest(ARRAY[10, 50, 100, 500, 1000, 5000, 20000, 60000, 300000]) AS bound
      WHERE duration_ms <= bound)::text, 'more');
BEGIN
  PERFORM mcp_add_to_total('sessions_deleted/' || NEW.tier, NEW.deleted - deleted_before);
  IF was_running AND NEW.outcome <> 'running' THEN
    PERFORM mcp_add_to_total('cleanup_runs/' || NEW.tier || '/' || NEW.outcome, 1);
    -- One that was skipped took no time, and when one was interrupted is not known.
    IF NEW.outcome <> 'skipped' AND NEW.error_code IS DISTINCT FROM 'interrupted' THEN
      PERFORM mcp_add_to_total('cleanup_duration/' || NEW.tier || '/' || bucket, 1);
      PERFORM mcp_add_to_total('cleanup_duration_ms/' || NEW.tier, duration_ms);
    END IF;
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- Whoever may write the records of runs may count them.
DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT a.privilege_type AS privilege,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role
      FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.oid = 'mcp_cleanup_runs'::regclass AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
  LOOP
    EXECUTE format('GRANT %s ON mcp_session_totals TO %s', granted.privilege, granted.role);
  END LOOP;
END
$$;
--> statement-breakpoint
-- The totals begin with what is on record. Nobody runs a cleanup meanwhile.
LOCK TABLE mcp_cleanup_runs IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER mcp_count_cleanup_run
  AFTER INSERT OR UPDATE OF outcome, deleted ON mcp_cleanup_runs
  FOR EACH ROW EXECUTE FUNCTION mcp_count_cleanup_run();
--> statement-breakpoint
INSERT INTO mcp_session_totals (name, shard, value)
SELECT 'sessions_deleted/' || tier, 0, sum(deleted) FROM mcp_cleanup_runs GROUP BY tier HAVING sum(deleted) > 0
UNION ALL
SELECT 'cleanup_runs/' || tier || '/' || outcome, 0, count(*) FROM mcp_cleanup_runs
 WHERE outcome <> 'running' GROUP BY tier, outcome
ON CONFLICT DO NOTHING;
--> statement-breakpoint
-- Opens a session, and ends those of its principal that are used least when there would be more than the limit.
-- Answers how many it ended. Called again with the same key it changes nothing, and counts nothing.
CREATE OR REPLACE FUNCTION mcp_open_session(
  p_session_id text,
  p_principal text,
  p_protocol_version text,
  p_client_info jsonb,
  p_capabilities jsonb,
  p_ttl_seconds integer,
  p_max_lifetime_seconds integer,
  p_max_sessions integer
)
RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
  evicted integer;
BEGIN
  -- One opening at a time for a principal, or two at once would both see room for one more.
  PERFORM pg_advisory_xact_lock(hashtext('mcp_open_session'), hashtext(p_principal));

  INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info, capabilities,
                            created_at, last_active, expires_at)
  VALUES (p_session_id, p_principal, p_protocol_version, p_client_info, p_capabilities, now(), now(),
          now() + least(p_ttl_seconds, p_max_lifetime_seconds) * interval '1 second')
  ON CONFLICT (session_id) DO NOTHING;
  IF NOT FOUND THEN RETURN 0; END IF;

  UPDATE mcp_sessions m
     SET ended_at = now(), expires_at = now(), end_reason = 'evicted'
    FROM (SELECT s.session_id, s.last_active
            FROM mcp_sessions s
           WHERE s.principal = p_principal AND s.ended_at IS NULL AND s.expires_at > now()
             AND s.session_id <> p_session_id
           ORDER BY s.last_active DESC, s.session_id
          OFFSET p_max_sessions - 1) AS idle
   WHERE m.session_id = idle.session_id
     -- One that was touched meanwhile is not the least used any more.
     AND m.last_active = idle.last_active AND m.ended_at IS NULL;
  GET DIAGNOSTICS evicted = ROW_COUNT;
  PERFORM mcp_add_to_total('sessions_ended/evicted', evicted);
  PERFORM mcp_add_to_total('sessions_opened', 1);
  RETURN evicted;
END
$$;
