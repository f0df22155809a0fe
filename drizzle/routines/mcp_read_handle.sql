-- A live handle of a principal, and notes its use: at most once in a minute, or in a tenth of the time by which a use moves its
-- expiry. No row: there is no such handle, or it is dead, or somebody else's.
CREATE OR REPLACE FUNCTION mcp_read_handle(p_handle_hash text, p_owner text)
RETURNS TABLE (kind text, value text, version integer, expires_at timestamptz)
LANGUAGE sql
AS $$
  WITH used AS (
    UPDATE mcp_handles AS h
       SET last_used_at = now(),
           expires_at = greatest(h.expires_at, now() + h.sliding_seconds * interval '1 second')
     WHERE h.handle_hash = p_handle_hash AND h.owner = p_owner AND h.expires_at > clock_timestamp()
       AND h.last_used_at <= now() - least(60, h.sliding_seconds * 0.1) * interval '1 second'
    RETURNING h.kind, h.value, h.version, h.expires_at)
  SELECT * FROM used
  UNION ALL
  SELECT h.kind, h.value, h.version, h.expires_at FROM mcp_handles h
   WHERE h.handle_hash = p_handle_hash AND h.owner = p_owner AND h.expires_at > clock_timestamp()
     AND NOT EXISTS (SELECT FROM used)
$$;
