-- Chooses how a cleanup run goes on after a first full batch: in bulk by `ranges` of expiry times or by `pages`, or, when
-- this is NULL, batch after batch as before.
CREATE OR REPLACE FUNCTION mcp_choose_bulk(
  -- Of the first batch.
  p_found bigint,
  p_found_pages bigint,
  p_last_expiry timestamptz,
  -- The latest expiry time that may be deleted in bulk.
  p_bulk_until timestamptz
)
RETURNS text
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  -- 4 MB. A smaller table is read in no time.
  least_pages CONSTANT bigint := 500;
  pages CONSTANT bigint := pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint;
BEGIN
  IF pages < least_pages THEN RETURN NULL; END IF;
  -- Sessions that expire together are stored together.
  IF 4 * p_found_pages <= p_found AND isfinite(p_last_expiry) THEN RETURN 'ranges'; END IF;
  -- A sample of a hundred random pages shows whether at least a tenth has expired.
  RETURN (SELECT CASE WHEN 10 * count(*) FILTER (WHERE s.expires_at <= p_bulk_until) >= count(*) THEN 'pages' END
            FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * 100 / pages, 100)));
END
$$;
