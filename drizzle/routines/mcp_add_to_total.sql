-- Adds to a total, in the transaction of what it counts: both are committed, or neither. Returns the amount. An amount of
-- zero or less adds nothing. The totals of sessions have rows for each hour, by the clock at the start of the transaction.
-- Those of cleanup runs have none, because the runs have records.
CREATE OR REPLACE FUNCTION mcp_add_to_total(p_name text, p_amount bigint)
RETURNS bigint
LANGUAGE sql
AS $$
  -- 16 shards: about as many backends as add to one total at the same time.
  INSERT INTO mcp_session_totals AS t (name, shard, value)
  SELECT p_name,
         CASE WHEN starts_with(p_name, 'sessions_') THEN floor(extract(epoch FROM now()) / 3600)::integer * 16 ELSE 0 END
           + pg_backend_pid() % 16,
         p_amount
   WHERE p_amount > 0
  ON CONFLICT (name, shard) DO UPDATE SET value = t.value + excluded.value;
  SELECT p_amount
$$;
