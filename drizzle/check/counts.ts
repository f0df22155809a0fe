// Whether the number of sessions that triggers keep is the number of rows.
import { type Look, rowsOf } from "./subject.ts";

// Counting them takes seconds.
const MOST_ROWS = 20_000_000;

export const lookAtCounts: Look = async ({ client, oid, kind }) => {
  const [table] = await rowsOf<{ rows: number; is_visible: boolean }>(
    client,
    `SELECT reltuples::float8 AS rows, NOT row_security_active(oid) AS is_visible FROM pg_class WHERE oid = $1`,
    [oid],
  );
  if (kind !== "r" || !table?.is_visible) return [];
  if (table.rows > MOST_ROWS) {
    return [
      {
        level: "note",
        about: "counts",
        what: "The number of sessions was not compared with the table, because the table is large.",
        means: "",
        todo: "",
      },
    ];
  }
  // In one statement, so in one snapshot.
  const [counts] = await rowsOf<{ found: string; kept: string }>(
    client,
    "SELECT (SELECT count(*) FROM ONLY mcp_sessions) AS found, c.total AS kept FROM mcp_count_sessions(0) c",
  );
  if (counts === undefined || counts.found === counts.kept) return [];
  return [
    {
      level: "warning",
      about: "counts",
      what: `Health counts ${counts.kept} sessions, and the table has ${counts.found}.`,
      means: "Rows were inserted or deleted without the triggers: by a restored dump, or by replication.",
      todo: "As the owner: SELECT mcp_recount_sessions();",
    },
  ];
};
