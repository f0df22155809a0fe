// Triggers, rules and policies that others have put on our tables.
import { mayHideRowsOf } from "../../src/health/usability.ts";
import { tableRights } from "../../src/db/rights.ts";
import { declaredTables } from "../catalog.ts";
import { readSqlFiles } from "../files.ts";
import type { Finding } from "./finding.ts";
import { type Look, rowsOf } from "./subject.ts";

/** @param folder of the SQL files */
export const lookAtTriggers =
  (folder: string): Look =>
  async ({ client, schema }) => {
    const tables = declaredTables.map(({ name }) => name);
    const ours = readSqlFiles(folder).routines.map(({ name }) => name);
    const found = await rowsOf<{ name: string; definition: string }>(
      client,
      `SELECT quote_ident(t.tgname) AS name, pg_get_triggerdef(t.oid) AS definition
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND n.nspname = $1 AND c.relname = ANY ($2)
          AND t.tgname <> ALL ($3) ORDER BY 1`,
      [schema, tables, ours],
    );
    return found.map(({ name, definition }) => ({
      level: "note",
      about: "trigger",
      what: `Another program has the trigger ${name}: ${definition}.`,
      means: "It runs within statements of the Worker. When it fails, they fail, too.",
      todo: "",
    }));
  };

export const lookAtRules: Look = async ({ client, schema }) => {
  const found = await rowsOf<{ name: string; table: string; definition: string }>(
    client,
    `SELECT quote_ident(r.rulename) AS name, c.relname AS table, pg_get_ruledef(r.oid) AS definition
       FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname = $1 AND c.relname = ANY ($2) ORDER BY 1`,
    [schema, declaredTables.map(({ name }) => name)],
  );
  return found.map(({ name, table, definition }) => ({
    level: "warning",
    about: "rule",
    what: `${table} has the rule ${name}: ${definition.replaceAll(/\s+/g, " ").replace(/;$/, "")}.`,
    means: "PostgreSQL refuses some statements on a table with rules, and changes others without a word.",
    todo: `Use a trigger in its place: DROP RULE ${name} ON ${table};`,
  }));
};

/** On mcp_sessions, whose rows are others', too, and on the tables that are this project's alone. */
export const lookAtPolicies: Look = async (subject) => [
  ...(await policiesOfSessions(subject)),
  ...(await policiesOfOurs(subject)),
];

const policiesOfOurs: Look = async ({ client, schema }) => {
  const found = await rowsOf<{ table: string; role: string }>(
    client,
    `SELECT c.relname AS table, quote_ident(current_user) AS role
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relname <> 'mcp_sessions' AND ${mayHideRowsOf("c.oid")}
      ORDER BY 1`,
    [schema, Object.keys(tableRights)],
  );
  if (found.length === 0) return [];
  const finding: Finding = {
    level: "warning",
    about: "row_security_of_ours",
    what: `Row-level security applies to this role on ${found.map(({ table }) => table).join(", ")}, and no policy lets all rows through.`,
    means: "What needs these tables fails with 42501, finds nothing, or counts wrong.",
    todo: `ALTER ROLE ${found[0]?.role} BYPASSRLS; or: ${found.map(({ table, role }) => `CREATE POLICY mcp_worker ON ${table} TO ${role} USING (true);`).join(" ")}`,
  };
  return [finding];
};

const policiesOfSessions: Look = async ({ client }) => {
  const [found] = await rowsOf<{ is_active: boolean; may_hide: boolean; role: string }>(
    client,
    `SELECT row_security_active('mcp_sessions') AS is_active, ${mayHideRowsOf("'mcp_sessions'::regclass")} AS may_hide,
            quote_ident(current_user) AS role`,
  );
  if (!found?.is_active) return [];
  const rows = "Row-level security applies to this role on mcp_sessions";
  const finding: Finding = found.may_hide
    ? {
        level: "warning",
        about: "rows_hidden",
        what: `${rows}, and no policy lets all rows through.`,
        means: "Rows that are hidden from it are not cleaned up. Health is degraded: rows_hidden.",
        todo: `ALTER ROLE ${found.role} BYPASSRLS; or: CREATE POLICY mcp_worker ON mcp_sessions TO ${found.role} USING (true);`,
      }
    : {
        level: "note",
        about: "row_security",
        what: `${rows}, with a policy that lets all rows through.`,
        means: "That is as it should be.",
        todo: "",
      };
  return [finding];
};
