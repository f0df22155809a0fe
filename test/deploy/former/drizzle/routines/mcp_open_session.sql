-- Opens a session. When its principal would then have more sessions than the limit, ends the least recently used ones.
-- Returns how many it ended; NULL when the session is not there, because a trigger, a rule or a policy has kept it out. A
-- second call with the same key changes and counts nothing.
--
-- A principal leaves at most as many expired and ended sessions behind as it may have live ones: the oldest of more are
-- deleted. So opening in a loop cannot fill the table between two cleanup runs.
--
-- It locks in the order in which every statement of this project locks, so that no two wait for each other: the turn of the
-- principal, the sessions in the order of session_id, the totals.
CREATE OR REPLACE FUNCTION mcp_open_session(
  p_session_id text,
  p_principal text,
  p_protocol_version text,
  p_client_info jsonb,
  p_capabilities jsonb,
  p_ttl_seconds integer,
  p_max_lifetime_seconds integer,
  -- NULL: no limit.
  p_max_sessions integer
)
RETURNS integer
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  -- PostgreSQL updates so many rows in well under a second. There are more when the limit was lowered; each further session
  -- that is opened then ends as many, and deletes as many.
  at_once CONSTANT integer := 10000;
  -- A session that is used while it is being evicted is spared, and the next one is evicted in its place. The last attempt
  -- spares none, so that the limit holds.
  attempts CONSTANT integer := 3;
  idle_found bigint;
  idle_ended bigint;
  evicted bigint := 0;
  -- Those that are to be deleted, and how many were.
  surplus text[];
  removed bigint := 0;
  lock_timeout_before CONSTANT text := current_setting('lock_timeout');
BEGIN
  -- The turn. Openings and bulk ends of one principal run one after the other. Otherwise two openings could both see room
  -- for one more session. Principals with the same hash only wait for each other.
  PERFORM pg_advisory_xact_lock(hashtext('mcp_open_session'), hashtext(p_principal));

  INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info, capabilities,
                            created_at, last_active, expires_at)
  VALUES (p_session_id, p_principal, p_protocol_version, p_client_info, p_capabilities, now(), now(),
          now() + least(p_ttl_seconds, p_max_lifetime_seconds) * interval '1 second')
  ON CONFLICT (session_id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN CASE WHEN EXISTS (SELECT FROM ONLY mcp_sessions s WHERE s.session_id = p_session_id) THEN 0 END;
  END IF;

  FOR attempt IN 1..CASE WHEN p_max_sessions IS NULL THEN 0 ELSE attempts END LOOP
    WITH idle AS MATERIALIZED (
      SELECT o.session_id, o.last_active
        FROM (SELECT s.session_id, s.last_active
                FROM ONLY mcp_sessions s
               WHERE s.principal = p_principal AND s.ended_at IS NULL AND s.expires_at > now()
                 AND s.session_id <> p_session_id
               ORDER BY s.last_active DESC NULLS LAST, s.session_id
              OFFSET p_max_sessions - 1) AS o
       ORDER BY o.last_active NULLS FIRST
       LIMIT at_once
    ), chosen AS MATERIALIZED (
      SELECT s.session_id
        FROM ONLY mcp_sessions s
       WHERE s.session_id = ANY (ARRAY(SELECT i.session_id FROM idle i))
         AND s.ended_at IS NULL AND s.expires_at > now()
         AND (attempt = attempts OR (s.last_active > (SELECT coalesce(max(i.last_active), '-infinity') FROM idle i)) IS NOT TRUE)
       ORDER BY s.session_id
         FOR NO KEY UPDATE OF s
    ), ended AS (
      UPDATE ONLY mcp_sessions
         SET ended_at = now(), expires_at = now(), end_reason = 'evicted'
       WHERE session_id = ANY (ARRAY(SELECT c.session_id FROM chosen c))
      RETURNING 1
    )
    SELECT (SELECT count(*) FROM idle), (SELECT count(*) FROM ended) INTO idle_found, idle_ended;
    evicted := evicted + idle_ended;
    EXIT WHEN idle_ended = idle_found;
  END LOOP;

  -- A session that its client or an operator has ended is kept for two minutes, as mcp_cleanup_sessions keeps it. One that
  -- cannot be deleted is listed when that was tried, and then left out.
  IF p_max_sessions IS NOT NULL THEN
    -- IS TRUE keeps the planner from the index of expiry times, in which the expired sessions of all principals stand.
    surplus := ARRAY(
      SELECT s.session_id
        FROM ONLY mcp_sessions s
       WHERE s.principal = p_principal AND (s.expires_at <= now()) IS TRUE
         AND (s.ended_at IS NULL OR s.end_reason = 'evicted' OR s.ended_at < now() - interval '2 minutes')
         AND NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id)
       ORDER BY s.expires_at DESC, s.session_id
      OFFSET p_max_sessions
       LIMIT at_once);
  END IF;
  IF cardinality(surplus) > 0 THEN
    BEGIN
      -- A row of another program that refers to a session may be locked.
      PERFORM set_config('lock_timeout', '100', true);
      SELECT d.deleted INTO removed
        FROM mcp_delete_sessions(surplus, clock_timestamp(), clock_timestamp(), 'infinity',
                                 clock_timestamp() + interval '100 milliseconds') d;
      IF removed < cardinality(surplus) THEN
        -- Fails when no session can be deleted, by a missing right or by a trigger for each statement. Then none is listed.
        DELETE FROM ONLY mcp_sessions WHERE false;
      END IF;
      PERFORM set_config('lock_timeout', lock_timeout_before, true);
    EXCEPTION WHEN OTHERS OR assert_failure THEN
      -- No session is refused because an old one cannot be deleted. A cleanup run says what keeps it.
      removed := 0;
    END;
  END IF;

  PERFORM mcp_add_to_total('sessions_deleted/opening', removed);
  PERFORM mcp_add_to_total('sessions_ended/evicted', evicted);
  PERFORM mcp_add_to_total('sessions_opened', 1);
  RETURN evicted;
END
$$;
