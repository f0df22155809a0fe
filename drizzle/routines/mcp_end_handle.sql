-- Ends a live handle. Returns whether it is the caller who has ended it: also when it is repeated with the same claim. What it held is
-- gone at once; cleanup deletes the row.
CREATE OR REPLACE FUNCTION mcp_end_handle(
  p_handle_hash text,
  -- NULL: an operator ends it, whosever it is.
  p_owner text,
  p_claim text
)
RETURNS boolean
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
  UPDATE mcp_handles AS h
     SET value = 'null', version = 0, writes = ARRAY[p_claim], last_used_at = now(), expires_at = now()
   WHERE h.handle_hash = p_handle_hash AND h.owner = coalesce(p_owner, h.owner) AND h.expires_at > clock_timestamp();
  IF FOUND THEN
    PERFORM mcp_add_to_total('handles_ended/' || CASE WHEN p_owner IS NULL THEN 'operator' ELSE 'client' END, 1);
    RETURN true;
  END IF;
  RETURN EXISTS (SELECT FROM mcp_handles h WHERE h.handle_hash = p_handle_hash AND h.writes = ARRAY[p_claim]);
END
$$;
