-- Adds the sessions that expired since the last count to their total, each in the hour in which it expired, before a run
-- deletes them. No statement runs when a session expires, so this is the first that can count it. Ended sessions do not
-- count, nor do those that an opening has deleted before. The first count only notes where counting begins.
CREATE OR REPLACE FUNCTION mcp_count_expired()
RETURNS void
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  counted_until CONSTANT timestamptz :=
    (SELECT to_timestamp(t.value / 1e6) FROM mcp_session_totals t WHERE t.name = 'expired_until');
BEGIN
  INSERT INTO mcp_session_totals AS t (name, shard, value)
  SELECT 'sessions_expired', floor(extract(epoch FROM s.expires_at) / 3600)::integer * 16, count(*)
    FROM ONLY mcp_sessions s
   WHERE s.expires_at > counted_until AND s.expires_at <= now() AND s.ended_at IS NULL
   GROUP BY 2
  ON CONFLICT (name, shard) DO UPDATE SET value = t.value + excluded.value;
  INSERT INTO mcp_session_totals (name, shard, value) VALUES ('expired_until', 0, extract(epoch FROM now()) * 1000000)
  ON CONFLICT (name, shard) DO UPDATE SET value = excluded.value;
END
$$;
