-- Makes a handle, and returns when it expires. A principal that has as many as it may gives the least recently used one up,
-- dead ones first. Repeated with the same hash it changes and counts nothing.
CREATE OR REPLACE FUNCTION mcp_make_handle(
  p_handle_hash text,
  p_owner text,
  p_kind text,
  p_value text,
  p_ttl_seconds integer,
  p_is_sliding boolean,
  p_max_handles integer
)
RETURNS timestamptz
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  -- As many as mcp_open_session evicts at once.
  at_once CONSTANT integer := 10000;
  evicted bigint := 0;
  expired bigint := 0;
BEGIN
  -- The turn. Otherwise two could both see room for one more handle.
  PERFORM pg_advisory_xact_lock(hashtext('mcp_make_handle'), hashtext(p_owner));
  INSERT INTO mcp_handles (handle_hash, owner, kind, value, sliding_seconds, created_at, last_used_at, expires_at)
  VALUES (p_handle_hash, p_owner, p_kind, p_value, CASE WHEN p_is_sliding THEN p_ttl_seconds END, now(), now(),
          now() + p_ttl_seconds * interval '1 second')
  ON CONFLICT (handle_hash) DO NOTHING;
  IF FOUND THEN
    -- Counting is cheaper than ranking, and nearly always enough.
    IF (SELECT count(*) FROM (
          SELECT FROM mcp_handles o WHERE o.owner = p_owner LIMIT p_max_handles + 1) AS own) > p_max_handles THEN
      WITH surplus AS MATERIALIZED (
        SELECT o.handle_hash FROM mcp_handles o
         WHERE o.owner = p_owner AND o.handle_hash <> p_handle_hash
         ORDER BY o.expires_at > now() DESC, o.last_used_at DESC, o.handle_hash
        OFFSET p_max_handles - 1 LIMIT at_once),
      gone AS (
        DELETE FROM mcp_handles h USING surplus WHERE h.handle_hash = surplus.handle_hash
        RETURNING h.version, h.expires_at)
      SELECT count(*) FILTER (WHERE gone.expires_at > now()),
             count(*) FILTER (WHERE gone.expires_at <= now() AND gone.version > 0)
        INTO evicted, expired FROM gone;
    END IF;
    PERFORM mcp_add_to_total('handles_ended/evicted', evicted);
    PERFORM mcp_add_to_total('handles_expired', expired);
    PERFORM mcp_add_to_total('handles_made', 1);
  END IF;
  RETURN (SELECT h.expires_at FROM mcp_handles h WHERE h.handle_hash = p_handle_hash);
END
$$;
