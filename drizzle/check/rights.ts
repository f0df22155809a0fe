// The rights of the role: those of src/db/rights.ts, each.
import { routineRights, tableRights } from "../../src/db/rights.ts";
import type { Finding } from "./finding.ts";
import { type Look, rowsOf } from "./subject.ts";

export const lookAtRights: Look = async ({ client }) => {
  const pairs = Object.entries(tableRights).flatMap(([table, rights]) =>
    rights.map((right) => [table, right]),
  );
  const tables = await rowsOf<{ grant: string }>(
    client,
    `SELECT format('GRANT %s ON %s TO %I;', r.privilege, r.name, current_user) AS grant
       FROM unnest($1::text[], $2::text[]) AS r (name, privilege)
      WHERE NOT CASE WHEN to_regclass(r.name) IS NULL THEN true
                     WHEN r.privilege = 'DELETE' THEN has_table_privilege(to_regclass(r.name), r.privilege)
                     ELSE has_any_column_privilege(to_regclass(r.name), r.privilege) END`,
    [pairs.map(([table]) => table), pairs.map(([, right]) => right)],
  );
  const routines = await rowsOf<{ grant: string }>(
    client,
    `SELECT format('GRANT EXECUTE ON ROUTINE %s TO %I;', p.oid::regprocedure, current_user) AS grant
       FROM pg_proc p
      WHERE p.proname = ANY ($1) AND pg_function_is_visible(p.oid) AND NOT has_function_privilege(p.oid, 'EXECUTE')`,
    [routineRights],
  );
  const missing = [...tables, ...routines].map(({ grant }) => grant);
  if (missing.length === 0) return [];
  const finding: Finding = {
    level: "error",
    about: "rights",
    what: `The role lacks ${missing.length === 1 ? "a right" : `${missing.length} rights`} that the Worker needs.`,
    means: "What needs them fails with 42501. Health is 503: permission_denied.",
    todo: `As the owner: ${missing.join(" ")} ops/postgres/worker-role.sql has all that are needed.`,
  };
  return [finding];
};
