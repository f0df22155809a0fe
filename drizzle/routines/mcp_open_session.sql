-- Opens a session. When its principal would then have more sessions than the limit, ends the least recently used ones.
-- Returns how many it ended. A second call with the same key changes and counts nothing.
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
  -- Calls for one principal run one after the other. Otherwise two of them could both see room for one more session.
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
     -- A session that was touched meanwhile is no longer the least recently used.
     AND m.last_active = idle.last_active AND m.ended_at IS NULL;
  GET DIAGNOSTICS evicted = ROW_COUNT;
  PERFORM mcp_add_to_total('sessions_ended/evicted', evicted);
  PERFORM mcp_add_to_total('sessions_opened', 1);
  RETURN evicted;
END
$$;
