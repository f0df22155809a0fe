-- Finds a session, judges it and touches it, in one call. Returns no row when the session is unknown, expired, ended or
-- somebody else's; the caller cannot tell which. Never revives a session. Writes at most once in a touch interval.
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
#variable_conflict use_variable
DECLARE
  -- Without a maximum lifetime, a session of any age is accepted.
  opened_after CONSTANT timestamptz :=
    coalesce(now() - p_max_lifetime_seconds * interval '1 second', '-infinity');
  due_before CONSTANT timestamptz := now() - p_touch_interval_seconds * interval '1 second';
  -- A touch rounds expires_at up to a multiple of this step. Most touches then leave the indexed column as it is, and
  -- are HOT updates. The step is a 48th of the lifetime, at most half an hour.
  step CONSTANT interval := least(p_ttl_seconds / 48.0, 1800) * interval '1 second';
  s mcp_sessions;
BEGIN
  SELECT * INTO s FROM ONLY mcp_sessions m
   WHERE m.session_id = p_session_id AND m.principal = p_principal
     AND m.ended_at IS NULL AND m.expires_at > now() AND m.created_at > opened_after;
  IF NOT FOUND THEN RETURN; END IF;

  -- The first use is always written: until then the session has its short first lifetime. A last use that is unknown or in
  -- the future is not ours, and would keep the session from being extended.
  IF (s.last_active > due_before AND s.last_active <= clock_timestamp() AND s.last_active <> s.created_at) IS NOT TRUE THEN
    -- A crash may lose this touch, and nothing else. The next use of the session touches it again.
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Every condition is checked again, because another transaction may have touched, ended or deleted the row while
    -- this statement waited for it.
    UPDATE ONLY mcp_sessions m
       SET last_active = now(),
           expires_at = least(date_bin(step, now() + p_ttl_seconds * interval '1 second', 'epoch') + step,
                              -- The sum has no overflow, also when another program has put created_at at the end of time.
                              least(m.created_at, now()) + p_max_lifetime_seconds * interval '1 second')
     WHERE m.session_id = p_session_id AND m.principal = p_principal
       AND m.ended_at IS NULL AND m.expires_at > clock_timestamp()
       AND (m.last_active > due_before AND m.last_active <= clock_timestamp() AND m.last_active <> m.created_at) IS NOT TRUE
    RETURNING m.* INTO s;
    IF NOT FOUND THEN
      SELECT * INTO s FROM ONLY mcp_sessions m
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
