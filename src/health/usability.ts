// Whether the Worker can use the tables: a trial of a session's life, the rights of its role, and whether policies may hide
// rows. A part of the statement of the census. Pure.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { DatabaseFault, type Fault, undoneWrite } from "../db/fault.ts";
import { faultOfSqlstate } from "../db/read-fault.ts";
import { newRoutines, newTables, routineRights, tableRights } from "../db/rights.ts";
import { type FailedStep, TrialFailed, trials } from "./trial.ts";

const tables = sql.raw(
  Object.entries(tableRights)
    .filter(([table]) => !newTables.some((name) => name === table))
    .flatMap(([table, rights]) => rights.map((right) => `('${table}', '${right}')`))
    .join(", "),
);
const neededRoutines = routineRights.filter((name) => !newRoutines.includes(name));
const routines = sql.raw(neededRoutines.map((name) => `'${name}'`).join(", "));

/**
 * Whether row-level security may hide rows of a table from the role, as an expression of SQL. A policy that lets all rows
 * through hides none, unless a restrictive one stands beside it.
 */
export const mayHideRowsOf = (oid: string) => `
  CASE WHEN row_security_active(${oid}) THEN
    (SELECT coalesce(bool_or(NOT p.polpermissive), false)
            OR NOT coalesce(bool_or(pg_get_expr(p.polqual, p.polrelid) = 'true'), false)
       FROM pg_policy p
      WHERE p.polrelid = ${oid} AND (p.polcmd = '*' OR NOT p.polpermissive)
        AND EXISTS (SELECT FROM unnest(p.polroles) AS role
                     WHERE CASE WHEN role = 0 THEN true ELSE pg_has_role(role, 'USAGE') END))
  ELSE false END`;

const mayHideRows = mayHideRowsOf("'mcp_sessions'::regclass");

/** A query of one row, for `usabilities`. A step that fails does not fail the query. */
export function usability(isWholeLife: boolean): SQL {
  return sql`
    SELECT to_jsonb(trial) AS trial,
           -- Nothing of a trial is committed, so no commit must reach the disk.
           set_config('synchronous_commit', 'off', true) AS synchronous_commit,
           -- One column is enough. Rows are deleted as a whole.
           (SELECT bool_and(CASE WHEN r.privilege = 'DELETE' THEN has_table_privilege(r.name, r.privilege)
                                 ELSE has_any_column_privilege(r.name, r.privilege) END)
              FROM (VALUES ${tables}) AS r (name, privilege)) AS may_use_tables,
           (SELECT CASE WHEN count(DISTINCT p.proname) < ${neededRoutines.length} THEN 'missing'
                        WHEN NOT bool_and(has_function_privilege(p.oid, 'EXECUTE')) THEN 'denied' END
              FROM pg_proc p
             WHERE p.proname IN (${routines}) AND pg_function_is_visible(p.oid)) AS routines,
           ${sql.raw(mayHideRows)} AS may_hide_rows
      FROM mcp_try_session(${isWholeLife}) AS trial`;
}

/** The rows of `usability`; other columns are left out. */
export const usabilities = z.tuple([
  z.object({
    trial: trials,
    may_use_tables: z.boolean(),
    routines: z.enum(["missing", "denied"]).nullable(),
    may_hide_rows: z.boolean(),
  }),
]);

/** Why the tables cannot be used; undefined when they can. */
export function refusalOf([found]: z.infer<typeof usabilities>): DatabaseFault | undefined {
  if (found.trial !== undefined) return new TrialFailed(faultOfStep(found.trial), found.trial);
  // The codes with which PostgreSQL would refuse to use them.
  if (found.routines === "missing") return new DatabaseFault("session census", answered("42883"));
  if (found.routines === "denied" || !found.may_use_tables) {
    return new DatabaseFault("session census", answered("42501"));
  }
  return undefined;
}

function faultOfStep({ sqlstate }: FailedStep): Fault {
  return sqlstate === null ? undoneWrite : answered(sqlstate);
}

/** PostgreSQL has answered, whatever the code says of connections: a trigger can raise any. */
const answered = (sqlstate: string): Fault => ({
  ...faultOfSqlstate(sqlstate, "", 400),
  outcomeUnknown: false,
  answered: true,
});
