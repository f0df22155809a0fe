// Which mcp_sessions the Worker uses, and which others there are: in another schema, or spelt otherwise.
import type { Client } from "pg";
import * as z from "zod";
import type { RunStatement } from "../trial.ts";
import type { Finding } from "./finding.ts";
import { rowsOf } from "./subject.ts";

const KINDS: Record<string, string> = {
  r: "a table",
  p: "a partitioned table",
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
};

/** Tables whose names differ from mcp_sessions in case, underscores, hyphens or quotes, or only in the schema. */
export async function lookForOthers(client: Client): Promise<Finding[]> {
  const others = await rowsOf<{ name: string; kind: string; rows: string; schema: string; is_here: boolean }>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind, quote_ident(n.nspname) AS schema,
            n.nspname = current_schema() AS is_here,
            greatest(pg_stat_get_live_tuples(c.oid), c.reltuples, 0)::bigint AS rows
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND regexp_replace(lower(c.relname), '[^a-z0-9]', '', 'g') IN ('mcpsession', 'mcpsessions')
        AND c.oid IS DISTINCT FROM to_regclass('mcp_sessions')
      ORDER BY 1`,
  );
  return others.map(({ name, kind, rows, schema, is_here: isHere }) => {
    const size = Number(rows) > 0 ? ` with about ${rows} rows` : "";
    const steps = [
      ...(name.endsWith(".mcp_sessions") ? [] : [`ALTER TABLE ${name} RENAME TO mcp_sessions;`]),
      ...(isHere ? [] : [`ALTER ROLE … IN DATABASE … SET search_path = ${schema};`]),
    ];
    return {
      level: "warning",
      about: "another_table",
      what: `There is another table of this name: ${name}, ${KINDS[kind]}${size}.`,
      means: "The Worker does not see it. Sessions in it are neither found nor cleaned up.",
      todo: `If it is the one that is meant: ${steps.join(" ")} Then npm run db:migrate.`,
    };
  });
}

/** @param schema where mcp_sessions is found over TCP; undefined when it is nowhere */
export async function comparePlaces(
  schema: string | undefined,
  http: RunStatement | undefined,
): Promise<Finding[]> {
  if (http === undefined) return [];
  const nowhere = "none";
  const [row] = z
    .array(z.object({ schema: z.string() }))
    .parse(
      await http(
        "SELECT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('mcp_sessions')",
      ),
    );
  const there = row?.schema;
  if (there === schema) return [];
  return [
    {
      level: "error",
      about: "search_path",
      what: `Over HTTP mcp_sessions is in schema ${there ?? nowhere}, over TCP in ${schema ?? nowhere}.`,
      means: "The Worker uses HTTP.",
      todo: "Set the search_path for the role: ALTER ROLE … IN DATABASE … SET search_path = …; A pooled connection has it after some minutes.",
    },
  ];
}
