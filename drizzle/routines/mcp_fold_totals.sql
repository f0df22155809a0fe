-- Folds the rows of the totals of sessions: those of an hour that is over into one row, after two days those of six hours,
-- after eight days those of a day, and after 32 days all that is older. The sum of a name never changes, nor that of a
-- stretch of time that is still told apart. Runs with the rights of its owner, for the roles that may not delete totals.
CREATE OR REPLACE FUNCTION mcp_fold_totals(p_now timestamptz DEFAULT now())
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
#variable_conflict use_variable
DECLARE
  this_hour CONSTANT integer := floor(extract(epoch FROM p_now) / 3600);
  -- From when single hours are told apart, for the chart of the last 25 hours; six hours, for that of a week; and days, for
  -- that of the last 31 days.
  hours_from CONSTANT integer := this_hour - 2 * 24;
  quarters_from CONSTANT integer := this_hour - 8 * 24;
  days_from CONSTANT integer := this_hour - 32 * 24;
  split record;
BEGIN
  FOR split IN
    SELECT placed.name, min(placed.shard) AS first, max(placed.shard) AS last
      FROM (SELECT t.name, t.shard, t.shard / 16 AS hour,
                   CASE WHEN t.shard / 16 >= hours_from THEN 1 WHEN t.shard / 16 >= quarters_from THEN 6
                        WHEN t.shard / 16 >= days_from THEN 24 ELSE days_from END AS hours
              FROM mcp_session_totals t
             -- A transaction that began in the last hour may still add to it.
             WHERE starts_with(t.name, 'sessions_') AND t.shard / 16 < this_hour - 1) AS placed
     GROUP BY placed.name, placed.hours, placed.hour / placed.hours HAVING count(*) > 1
  LOOP
    -- A row that a late transaction has locked is folded next time. So this waits for nobody: it writes these rows only.
    WITH locked AS MATERIALIZED (
      SELECT t.shard, t.value FROM mcp_session_totals t
       WHERE t.name = split.name AND t.shard BETWEEN split.first AND split.last FOR UPDATE SKIP LOCKED
    ), kept AS MATERIALIZED (
      SELECT min(l.shard) AS shard, sum(l.value) AS value FROM locked l
    ), removed AS (
      DELETE FROM mcp_session_totals t USING locked l, kept k
       WHERE t.name = split.name AND t.shard = l.shard AND l.shard > k.shard
    )
    UPDATE mcp_session_totals t SET value = k.value FROM kept k WHERE t.name = split.name AND t.shard = k.shard;
  END LOOP;
END
$$;
