-- Changes the value of a live handle of a principal, if it has the given version, and returns it as it is then. `written` is the
-- version that the change has made; NULL: somebody else has changed it. No row: there is no such handle, or it is dead, or
-- somebody else's. Repeated with the same claim it changes nothing, and returns the same version.
CREATE OR REPLACE FUNCTION mcp_change_handle(
  p_handle_hash text,
  p_owner text,
  p_value text,
  -- NULL: whatever its version.
  p_if_version integer,
  p_claim text
)
RETURNS TABLE (written integer, kind text, value text, version integer, expires_at timestamptz)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  -- One handle has fewer changes in flight.
  writes_kept CONSTANT integer := 64;
  own record;
BEGIN
  SELECT h.* INTO own FROM mcp_handles h
   WHERE h.handle_hash = p_handle_hash AND h.owner = p_owner AND h.expires_at > clock_timestamp()
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  written := (SELECT split_part(w, '/', 2) FROM unnest(own.writes) AS w WHERE split_part(w, '/', 1) = p_claim)::integer;
  IF written IS NULL AND own.version = coalesce(p_if_version, own.version) THEN
    UPDATE mcp_handles AS h
       SET value = p_value, version = h.version + 1, last_used_at = now(),
           writes = (coalesce(h.writes, '{}') || (p_claim || '/' || h.version + 1))
                    [cardinality(coalesce(h.writes, '{}')) + 2 - writes_kept :],
           expires_at = greatest(h.expires_at, now() + h.sliding_seconds * interval '1 second')
     WHERE h.handle_hash = p_handle_hash
    RETURNING h.* INTO own;
    written := own.version;
  END IF;
  RETURN QUERY SELECT written, own.kind, own.value, own.version, own.expires_at;
END
$$;
