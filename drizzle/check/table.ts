// The table itself: what kind it is, its family, how it is stored, and its indexes.
import { declaredTables } from "../catalog.ts";
import type { Finding } from "./finding.ts";
import { type Look, rowsOf } from "./subject.ts";

const KINDS: Record<string, string> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
  p: "a partitioned table",
};

export const lookAtKind: Look = ({ kind }) =>
  Promise.resolve(
    kind === "r"
      ? []
      : [
          {
            level: "error",
            about: "kind",
            what: `mcp_sessions is ${KINDS[kind] ?? "no table"}.`,
            means: "The cleanup needs rows of a table of its own, and db:migrate refuses it.",
            todo: "Rename it, and let db:migrate make a table: ALTER TABLE or ALTER VIEW … RENAME TO …;",
          },
        ],
  );

export const lookAtFamily: Look = async ({ client, oid }) => {
  const family = await rowsOf<{ name: string; is_child: boolean }>(
    client,
    `SELECT inhrelid::regclass::text AS name, true AS is_child FROM pg_inherits WHERE inhparent = $1
      UNION ALL SELECT inhparent::regclass::text, false FROM pg_inherits WHERE inhrelid = $1 ORDER BY 1`,
    [oid],
  );
  const childrens = family.filter((relative) => relative.is_child).map(({ name }) => name);
  const parents = family.filter((relative) => !relative.is_child).map(({ name }) => name);
  const findings: Finding[] = [];
  if (childrens.length > 0) {
    findings.push({
      level: "warning",
      about: "children",
      what: `Other tables inherit from mcp_sessions: ${childrens.join(", ")}.`,
      means: "The Worker leaves their rows alone: they are neither sessions nor cleaned up.",
      todo: `When their rows are sessions, move them: INSERT INTO mcp_sessions SELECT … FROM …; Otherwise: ALTER TABLE ${childrens[0]} NO INHERIT mcp_sessions;`,
    });
  }
  if (parents.length > 0) {
    findings.push({
      level: "warning",
      about: "parents",
      what: `mcp_sessions inherits from ${parents.join(", ")}, or is a partition of it.`,
      means: "What other programs do to that table they also do to sessions.",
      todo: `ALTER TABLE mcp_sessions NO INHERIT ${parents[0]}; or: ALTER TABLE ${parents[0]} DETACH PARTITION mcp_sessions;`,
    });
  }
  return findings;
};

export const lookAtStorage: Look = async ({ client, oid }) => {
  const [table] = await rowsOf<{ persistence: string; options: string }>(
    client,
    "SELECT relpersistence AS persistence, coalesce(reloptions::text, '') AS options FROM pg_class WHERE oid = $1",
    [oid],
  );
  const findings: Finding[] = [];
  if (table?.persistence === "u") {
    findings.push({
      level: "warning",
      about: "unlogged",
      what: "mcp_sessions is an unlogged table.",
      means: "A crash empties it, so every client loses its session.",
      todo: "ALTER TABLE mcp_sessions SET LOGGED;",
    });
  }
  if (/autovacuum_enabled=(false|off|0|no)\b/.test(table?.options ?? "")) {
    findings.push({
      level: "warning",
      about: "autovacuum",
      what: "Autovacuum is off for mcp_sessions.",
      means:
        "The room of deleted sessions is not used again: the table grows, and everything becomes slower.",
      todo: "ALTER TABLE mcp_sessions RESET (autovacuum_enabled);",
    });
  }
  return findings;
};

interface Index {
  table: string;
  name: string;
  is_valid: boolean;
  definition: string;
}

/** The indexes of src/db/schema.ts: a query of ours needs each of them, or another that does the same. */
export const lookAtIndexes: Look = async ({ client, schema }) => {
  const found = await rowsOf<Index>(
    client,
    `SELECT t.relname AS table, x.relname AS name, i.indisvalid AND i.indisready AS is_valid, pg_get_indexdef(x.oid) AS definition
       FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
       JOIN pg_namespace n ON n.oid = t.relnamespace
      WHERE n.nspname = $1 AND t.relname = ANY ($2)`,
    [schema, declaredTables.map(({ name }) => name)],
  );
  const means = "Requests, cleanup or administration read the whole table where the index would be used.";
  return declaredTables.flatMap(({ name: table, indexes }) =>
    indexes.flatMap(({ name, columns, isPartial }): Finding[] => {
      const isIt = ({ definition }: Index) => {
        // An expression is that of a handle.
        if (columns === undefined) return definition.includes("'handle:'");
        const [, those, where] =
          / USING btree \(([^)]*)\)(?: WITH \(.*?\))?( WHERE .*)?$/.exec(definition) ?? [];
        // One on all rows does what one on some of them does.
        return those === columns.join(", ") && (isPartial || where === undefined);
      };
      const here = found.filter((index) => index.table === table);
      const index = here.find((other) => other.name === name);
      if (index?.is_valid === true && isIt(index)) return [];
      const about = "index";
      if (index?.is_valid === false) {
        const what = `The index ${name} is invalid: building it was interrupted.`;
        const todo = `DROP INDEX CONCURRENTLY ${name}; then npm run db:migrate`;
        return [
          { level: "warning", about, what, means: `${means} Every write keeps it up all the same.`, todo },
        ];
      }
      const isTwin = (other: Index) => other.is_valid && isIt(other) && !other.definition.includes(" WHERE ");
      if (columns !== undefined && here.some(isTwin)) return [];
      const [what, todo] =
        index === undefined
          ? [`The index ${name} is missing.`, "npm run db:migrate"]
          : [
              `The index ${name} is another program's: ${index.definition}.`,
              `ALTER INDEX ${name} RENAME TO other_${name}; then npm run db:migrate`,
            ];
      return [{ level: "warning", about, what, means, todo }];
    }),
  );
};
