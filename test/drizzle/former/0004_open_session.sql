-- Opens a session, and ends those of its principal that are used least when there would be more than the limit.
-- Answers how many it ended. Called again with the same key it changes nothing.
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
     SET ended_at = now(), expires_at = now()
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
  RETURN evicted;
END
$$;
