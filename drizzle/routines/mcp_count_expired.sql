-- Adds the sessions that expired since the last count to their total, each in the hour in which it expired, before a run
-- deletes them. No statement runs when a session expires, so this is the first that can count it. Ended sessions do not
-- count, nor do those that an opening has deleted before. The first count only notes where counting begins. Up to 100,000
-- are counted exactly; the number of more is estimated from random pages, so that a run does not read them all twice.
CREATE OR REPLACE FUNCTION mcp_count_expired()
RETURNS void
LANGUAGE plpgsql
-- The index of expiry times is used even when statistics are old or missing.
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_variable
DECLARE
  exact_up_to CONSTANT integer := 100000;
  sampled_pages CONSTANT integer := 500;
  pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);
  -- In percent.
  share CONSTANT double precision := least(100.0 * sampled_pages / pages, 100);
  counted_until CONSTANT timestamptz :=
    (SELECT to_timestamp(t.value / 1e6) FROM mcp_session_totals t WHERE t.name = 'expired_until');
  is_exact CONSTANT boolean := exact_up_to >= (
    SELECT count(*) FROM (SELECT FROM ONLY mcp_sessions s WHERE s.expires_at > counted_until AND s.expires_at <= now()
                           LIMIT exact_up_to + 1) AS e);
BEGIN
  INSERT INTO mcp_session_totals AS t (name, shard, value)
  SELECT 'sessions_expired', expired.hour * 16, expired.sessions
    FROM (
      -- Hour by hour: to compute the hour of each session takes several times as long.
      SELECT h.hour, (SELECT count(*) FROM ONLY mcp_sessions s
                       WHERE s.expires_at >= to_timestamp(h.hour * 3600.0) AND s.expires_at < to_timestamp((h.hour + 1) * 3600.0)
                         AND s.expires_at > counted_until AND s.expires_at <= now() AND s.ended_at IS NULL) AS sessions
        FROM generate_series(floor(extract(epoch FROM counted_until) / 3600)::integer,
                             floor(extract(epoch FROM now()) / 3600)::integer) AS h (hour)
       WHERE is_exact
       UNION ALL
      SELECT floor(extract(epoch FROM s.expires_at) / 3600)::integer, round(count(*) * 100 / share)
        FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (share)
       WHERE NOT is_exact AND s.expires_at > counted_until AND s.expires_at <= now() AND s.ended_at IS NULL
       GROUP BY 1) AS expired
   WHERE expired.sessions > 0
  ON CONFLICT (name, shard) DO UPDATE SET value = t.value + excluded.value;
  INSERT INTO mcp_session_totals (name, shard, value) VALUES ('expired_until', 0, extract(epoch FROM now()) * 1000000)
  ON CONFLICT (name, shard) DO UPDATE SET value = excluded.value;
END
$$;
