// How times leave the database. PostgreSQL holds times that their readers cannot: infinity, the years before Christ, and
// years above 9999. Those become null, so one row with such a time breaks no answer. Pure.
import { type SQL, sql } from "drizzle-orm";

/** SQL: a time, or NULL when it is not within the years 1 to 9999, which are those of RFC 3339. */
function shown(column: string, form: string): SQL {
  return sql.raw(
    `CASE WHEN ${column} >= '0001-01-01 00:00:00+00' AND ${column} < '10000-01-01 00:00:00+00' THEN ${form} END`,
  );
}

/** SQL: a column's time as ISO 8601 in UTC, cut to milliseconds; NULL outside the years 1 to 9999. */
export function isoTime(column: string): SQL {
  return shown(column, `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);
}

/** SQL: a column's time in milliseconds since 1970, cut to whole ones; NULL outside the years 1 to 9999. */
export function epochMilliseconds(column: string): SQL {
  return shown(column, `floor(extract(epoch FROM ${column}) * 1000)::float8`);
}
