-- Tries whether sessions can live in these tables. Plays their life with the caller's rights, by statements like the Worker's,
-- and rolls everything back. Returns the first step that failed; only NULLs when none did.
--
-- The whole life is played by two sessions that differ in nothing but their keys. So a unique constraint on another column
-- fails at the second one. Deferred constraints and triggers run at the end of each step.
CREATE OR REPLACE FUNCTION mcp_try_session(
  -- false: opens one session, looks whether it is there, and that is all.
  p_whole boolean DEFAULT true,
  -- `open`, `resume`, `write_state`, `set_log_level`, `end`, `record_run` or `delete`.
  OUT step text,
  -- The SQLSTATE of the error. Where PostgreSQL reports none: `hidden` (the row cannot be seen), `ignored` (the row does not
  -- have what was written) or `kept` (the row was deleted, and is still there).
  OUT code text,
  -- What the error is about, where that is known.
  OUT column_name text,
  OUT constraint_name text,
  OUT table_name text
)
LANGUAGE plpgsql
AS $$
-- A table of another program may have columns named like these variables.
#variable_conflict use_variable
DECLARE
  steps CONSTANT text[] := '{open,resume,write_state,set_log_level,end,record_run,delete}';
  -- Nobody's name. So a trial waits for no other trial, and for no principal.
  owner CONSTANT text := 'mcp_try_session ' || gen_random_uuid();
  keys CONSTANT text[] := ARRAY(
    SELECT encode(sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 'hex')
      FROM generate_series(1, CASE WHEN p_whole THEN 2 ELSE 1 END));
  this_key text;
  -- MCP's levels: a column of another program may take some of them only.
  levels CONSTANT text[] := '{debug,info,notice,warning,error,critical,alert,emergency}';
  level text;
  reason text;
  protocol CONSTANT text := '2025-11-25';
  shortly_after CONSTANT timestamptz := now() + interval '1 microsecond';
  opened_until timestamptz;
  -- 4 kB that cannot be compressed. A B-tree takes 2.7 kB, so an index of whole documents fails here.
  document CONSTANT jsonb := CASE WHEN p_whole THEN
    (SELECT to_jsonb(string_agg(md5(random()::text), '')) FROM generate_series(1, 128)) END;
  -- Records of runs have positive numbers. This one does not use up a number, which no rollback gives back.
  this_run CONSTANT bigint := -pg_backend_pid();
  row_id tid;
  is_over boolean := false;
BEGIN
  <<life>>
  BEGIN
    FOREACH step IN ARRAY steps LOOP
      table_name := CASE step WHEN 'open' THEN NULL WHEN 'record_run' THEN 'mcp_cleanup_runs' ELSE 'mcp_sessions' END;
      IF step = 'record_run' THEN
        INSERT INTO mcp_cleanup_runs (run_id, tier, trigger, scheduled_at, cutoff, started_at, outcome)
        OVERRIDING SYSTEM VALUE
        VALUES (this_run, 'regular', 'manual', now(), now(), now(), 'running');
        PERFORM mcp_merge_session_changes(1);
        UPDATE mcp_cleanup_runs r
           SET deleted = r.deleted + 1, batches = r.batches + 1, outcome = 'completed', finished_at = clock_timestamp()
         WHERE r.run_id = this_run AND r.outcome = 'running';
        code := CASE WHEN NOT FOUND THEN 'hidden' END;
        EXIT life WHEN code IS NOT NULL;
        DELETE FROM mcp_cleanup_runs r WHERE r.run_id = this_run;
        code := CASE WHEN NOT FOUND THEN 'kept' END;
        EXIT life WHEN code IS NOT NULL;
      END IF;

      -- Each step ends by looking for the row, and for the first of its columns that is not as it was written.
      FOREACH this_key IN ARRAY keys LOOP
        CASE step
        WHEN 'open' THEN
          -- 60 s is less than any lifetime, so the first use is seen to extend it. They begin with the transaction, and a
          -- migration may have taken minutes before. 1000 is the default of the Worker. In the whole life there is no limit,
          -- but the statement of an eviction: db:migrate plays it before the table has its index of principals.
          PERFORM mcp_open_session(this_key, owner, protocol, '{"name":"trial","version":"1"}', '{}',
                                   60 + extract(epoch FROM clock_timestamp() - now())::integer, NULL,
                                   CASE WHEN NOT p_whole THEN 1000 END);
          IF p_whole THEN
            UPDATE ONLY mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = 'evicted' WHERE false;
          END IF;
          CONTINUE;

        WHEN 'resume' THEN
          SELECT CASE WHEN s.protocol_version IS DISTINCT FROM protocol THEN 'protocol_version'
                      WHEN jsonb_typeof(s.client_info::jsonb) <> 'object' THEN 'client_info'
                      WHEN jsonb_typeof(s.capabilities::jsonb) <> 'object' THEN 'capabilities' END, s.expires_at
            INTO column_name, opened_until
            FROM ONLY mcp_sessions s
           WHERE s.session_id = this_key AND s.principal = owner AND s.ended_at IS NULL AND s.expires_at > now()
             AND s.created_at > '-infinity';
          IF FOUND AND column_name IS NULL AND p_whole THEN
            -- The first use is always written: it gives the session its full lifetime.
            PERFORM FROM mcp_resume_session(this_key, owner, 86400, NULL, 60);
            IF FOUND THEN
              SELECT CASE WHEN (s.expires_at > opened_until) IS NOT TRUE THEN 'expires_at' END
                INTO column_name FROM ONLY mcp_sessions s WHERE s.session_id = this_key;
            END IF;
          END IF;

        WHEN 'write_state' THEN
          WITH own AS MATERIALIZED (
            SELECT s.session_id, s.state, s.state_writes, s.state_versions,
                   coalesce(s.state_version, (s.state IS NOT NULL)::int) + 1 AS next_version
              FROM ONLY mcp_sessions s
             WHERE s.session_id = this_key AND s.principal = owner AND s.ended_at IS NULL
               AND s.expires_at > clock_timestamp()
               FOR NO KEY UPDATE)
          UPDATE ONLY mcp_sessions s
             SET state = coalesce(own.state, '{}') || jsonb_build_object('trial', document),
                 state_writes = array_append(coalesce(own.state_writes, '{}'), 'trial/' || own.next_version),
                 state_version = own.next_version,
                 state_versions = coalesce(own.state_versions, '{}') || jsonb_build_object('trial', own.next_version)
            FROM own
           WHERE s.session_id = own.session_id;
          SELECT CASE WHEN (s.state -> 'trial' = document) IS NOT TRUE THEN 'state'
                      WHEN s.state_version IS NULL THEN 'state_version'
                      WHEN (s.state_versions ->> 'trial')::bigint IS DISTINCT FROM s.state_version THEN 'state_versions'
                      WHEN ('trial/' || s.state_version = ANY (s.state_writes)) IS NOT TRUE THEN 'state_writes' END
            INTO column_name FROM ONLY mcp_sessions s WHERE s.session_id = this_key;

        WHEN 'set_log_level' THEN
          FOREACH level IN ARRAY levels LOOP
            UPDATE ONLY mcp_sessions s SET log_level = level WHERE s.session_id = this_key;
          END LOOP;
          UPDATE ONLY mcp_sessions s SET log_level = 'warning'
           WHERE s.session_id = this_key AND s.principal = owner AND s.ended_at IS NULL
             AND s.expires_at > clock_timestamp();
          SELECT CASE WHEN s.log_level IS DISTINCT FROM 'warning' THEN 'log_level' END
            INTO column_name FROM ONLY mcp_sessions s WHERE s.session_id = this_key;

        WHEN 'end' THEN
          reason := CASE this_key WHEN keys[1] THEN 'client' ELSE 'evicted' END;
          WITH ended AS (
            -- Later than it was opened, as it always is: the owner may have a constraint on that. In columns of whole seconds
            -- it is the same time, as it then may be in use.
            UPDATE ONLY mcp_sessions s SET ended_at = shortly_after, expires_at = shortly_after, end_reason = reason
             WHERE s.session_id = this_key AND s.principal = owner AND s.ended_at IS NULL
               AND s.expires_at > clock_timestamp()
            RETURNING s.principal)
          SELECT CASE WHEN mcp_add_to_total('sessions_ended/client', count(*)) = 0 THEN 'ended_at' END
            INTO column_name FROM ended;
          IF column_name IS NULL THEN
            SELECT CASE WHEN s.ended_at IS NULL THEN 'ended_at'
                        -- A column of whole seconds rounds up.
                        WHEN (s.expires_at <= now() + interval '1 second') IS NOT TRUE THEN 'expires_at'
                        WHEN s.end_reason IS DISTINCT FROM reason THEN 'end_reason' END
              INTO column_name FROM ONLY mcp_sessions s WHERE s.session_id = this_key;
          END IF;

        WHEN 'delete' THEN
          SELECT s.ctid INTO row_id FROM ONLY mcp_sessions s
           WHERE s.session_id = this_key AND s.expires_at <= now() + interval '1 second' FOR UPDATE SKIP LOCKED;
          DELETE FROM ONLY mcp_sessions s WHERE s.ctid = ANY (ARRAY[row_id]);
          code := CASE WHEN EXISTS (SELECT FROM ONLY mcp_sessions s WHERE s.session_id = this_key) THEN 'kept' END;
          EXIT life WHEN code IS NOT NULL;
          CONTINUE;

        ELSE
          CONTINUE;
        END CASE;
        code := CASE WHEN NOT FOUND THEN 'hidden' WHEN column_name IS NOT NULL THEN 'ignored' END;
        EXIT life WHEN code IS NOT NULL;
      END LOOP;
      EXIT life WHEN step = 'resume' AND NOT p_whole;
      SET CONSTRAINTS ALL IMMEDIATE;
    END LOOP;
  END life;
  is_over := true;
  RAISE EXCEPTION 'a trial is rolled back';
EXCEPTION
  -- A canceled statement is no answer, so query_canceled is not caught.
  WHEN OTHERS OR assert_failure THEN
    IF is_over AND code IS NULL THEN
      step := NULL;
      table_name := NULL;
    ELSIF NOT is_over THEN
      GET STACKED DIAGNOSTICS
        code = RETURNED_SQLSTATE, column_name = COLUMN_NAME, constraint_name = CONSTRAINT_NAME, table_name = TABLE_NAME;
      column_name := nullif(column_name, '');
      constraint_name := nullif(constraint_name, '');
      table_name := nullif(table_name, '');
    END IF;
END
$$;
