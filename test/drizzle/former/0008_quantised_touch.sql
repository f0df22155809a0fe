-- Room in each page, so that a touched row finds a place beside itself. For rows to come; a rewrite is not worth it.
ALTER TABLE mcp_sessions SET (fillfactor = 90);
--> statement-breakpoint
-- Finds a session, judges it and touches it, in one call. No row: it is unknown, expired, ended, or somebody
-- else's, and the caller cannot tell which. Never revives a session, and writes at most once a touch interval.
CREATE OR REPLACE FUNCTION mcp_resume_session(
  p_session_id text,
  p_principal text,
  p_ttl_seconds integer,
  p_max_lifetime_seconds integer,
  p_touch_interval_seconds integer
)
RETURNS TABLE (
  session_id text,
  principal text,
  protocol_version text,
  client_info jsonb,
  capabilities jsonb,
  log_level text,
  created_at timestamptz,
  last_active timestamptz,
  expires_at timestamptz
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  -- A session without a maximum lifetime has one that never comes.
  opened_after CONSTANT timestamptz :=
    coalesce(now() - p_max_lifetime_seconds * interval '1 second', '-infinity');
  due_before CONSTANT timestamptz := now() - p_touch_interval_seconds * interval '1 second';
  -- A touch moves the end of the session in steps, upwards: between two steps it changes no indexed column, and the
  -- row stays where it is (a HOT update). A 48th of the lifetime, half an hour at most.
  step CONSTANT interval := least(p_ttl_seconds / 48.0, 1800) * interval '1 second';
  s mcp_sessions;
BEGIN
  SELECT * INTO s FROM mcp_sessions m
   WHERE m.session_id = p_session_id AND m.principal = p_principal
     AND m.ended_at IS NULL AND m.expires_at > now() AND m.created_at > opened_after;
  IF NOT FOUND THEN RETURN; END IF;

  -- Not used since it was opened: it has its short first lifetime until now.
  IF s.last_active <= due_before OR s.last_active = s.created_at THEN
    -- A crash may lose a touch, and no more than that: whoever uses the session touches it again.
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Everything is judged again: while this waited for the row it can have been touched, ended or deleted.
    UPDATE mcp_sessions m
       SET last_active = now(),
           expires_at = least(date_bin(step, now() + p_ttl_seconds * interval '1 second', 'epoch') + step,
                              m.created_at + p_max_lifetime_seconds * interval '1 second')
     WHERE m.session_id = p_session_id AND m.principal = p_principal
       AND m.ended_at IS NULL AND m.expires_at > clock_timestamp()
       AND (m.last_active <= due_before OR m.last_active = m.created_at)
    RETURNING m.* INTO s;
    IF NOT FOUND THEN
      SELECT * INTO s FROM mcp_sessions m
       WHERE m.session_id = p_session_id AND m.principal = p_principal
         AND m.ended_at IS NULL AND m.expires_at > clock_timestamp();
      IF NOT FOUND THEN RETURN; END IF;
    END IF;
  END IF;

  session_id := s.session_id;
  principal := s.principal;
  protocol_version := s.protocol_version;
  client_info := s.client_info;
  capabilities := s.capabilities;
  log_level := s.log_level;
  created_at := s.created_at;
  last_active := s.last_active;
  expires_at := s.expires_at;
  RETURN NEXT;
END
$$;
