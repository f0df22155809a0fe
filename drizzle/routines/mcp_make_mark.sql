-- Makes a mark, once. Returns whether it is the caller's: not when it was made before, or when its owner has too many. Repeated with
-- the same claim it says the same.
CREATE OR REPLACE FUNCTION mcp_make_mark(
  p_mark text,
  p_owner text,
  p_claim text,
  p_ttl_seconds integer,
  p_max_marks integer
)
RETURNS boolean
LANGUAGE sql
AS $$
  WITH made AS (
    INSERT INTO mcp_marks AS m (mark, owner, claim, expires_at)
    SELECT p_mark, p_owner, p_claim, now() + p_ttl_seconds * interval '1 second'
     WHERE EXISTS (SELECT FROM mcp_marks own WHERE own.mark = p_mark)
        OR (SELECT count(*) FROM (SELECT FROM mcp_marks others
             WHERE others.owner = p_owner AND others.expires_at > now() LIMIT p_max_marks) AS own) < p_max_marks
    ON CONFLICT (mark) DO UPDATE SET claim = excluded.claim WHERE m.claim = excluded.claim
    RETURNING 1)
  SELECT EXISTS (SELECT FROM made)
$$;
