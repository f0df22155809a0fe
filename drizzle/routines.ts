// Applies functions and procedures, and says how routines and triggers are dropped.
import { type Client, DatabaseError, escapeIdentifier } from "pg";
import type { Routine } from "./catalog.ts";
import type { RoutineFile } from "./files.ts";

interface Overload {
  oid: number;
  /** Where its catalog row is; it moves when the routine is replaced. */
  version: string;
  /** As DROP ROUTINE names it. */
  identity: string;
  owner: string;
  /** Who may execute it besides its owner; PUBLIC is null. */
  grants: { grantee: string | null; withGrantOption: boolean }[];
}

// CREATE OR REPLACE refuses another return type or other argument names, and a procedure in place of a function.
const CANNOT_REPLACE = new Set(["42P13", "42809"]);

/** Afterwards there is exactly one function or procedure of this name: the file's. Grants and owner stay. */
export async function applyRoutine(client: Client, schema: string, file: RoutineFile): Promise<void> {
  const before = await overloadsOf(client, schema, file.name);
  await client.query("SAVEPOINT before_routine");
  try {
    await client.query(file.text);
  } catch (error) {
    if (!(error instanceof DatabaseError && CANNOT_REPLACE.has(error.code ?? ""))) throw error;
    await client.query("ROLLBACK TO SAVEPOINT before_routine");
    for (const { identity } of before) await client.query(`DROP ROUTINE ${identity}`);
    await client.query(file.text);
  }
  const after = await overloadsOf(client, schema, file.name);
  const isOld = ({ oid, version }: Overload) =>
    before.some((old) => old.oid === oid && old.version === version);
  for (const { identity } of after.filter(isOld)) await client.query(`DROP ROUTINE ${identity}`);
  const applied = after.find((overload) => !isOld(overload));
  if (applied === undefined) throw new Error(`${file.name} was not created in schema ${schema}`);
  // Whoever may run the cleanup may execute a routine that is new beside it, and nobody else. A trigger's function is for
  // triggers alone.
  const former =
    before.length > 0 || file.countsRows ? before : await overloadsOf(client, schema, "mcp_cleanup_sessions");
  if (former.length > 0 && !former.some(({ oid }) => oid === applied.oid)) {
    await handOver(client, former, applied);
  }
}

/** Drops the routines or the triggers among these. */
export const dropStatements = (routines: Routine[], dropped: Routine["kind"]) =>
  routines
    .filter(({ kind }) => kind === dropped)
    .map(({ kind, identity }) => `DROP ${kind.toUpperCase()} ${identity}`);

/** Gives a new routine the grants and the owner of those that it replaces. */
async function handOver(client: Client, before: Overload[], applied: Overload): Promise<void> {
  const grants = before.flatMap((old) => old.grants);
  // PostgreSQL lets everybody execute a new routine.
  await client.query(`REVOKE ALL ON ROUTINE ${applied.identity} FROM PUBLIC`);
  for (const { grantee, withGrantOption } of grants) {
    const role = grantee === null ? "PUBLIC" : escapeIdentifier(grantee);
    const option = withGrantOption ? " WITH GRANT OPTION" : "";
    await client.query(`GRANT EXECUTE ON ROUTINE ${applied.identity} TO ${role}${option}`);
  }
  const owner = before[0]?.owner ?? applied.owner;
  if (owner !== applied.owner) {
    await client.query(`ALTER ROUTINE ${applied.identity} OWNER TO ${escapeIdentifier(owner)}`);
  }
}

async function overloadsOf(client: Client, schema: string, name: string): Promise<Overload[]> {
  const { rows } = await client.query<Overload>(
    `SELECT p.oid, p.ctid::text AS version, p.oid::regprocedure::text AS identity, pg_get_userbyid(p.proowner) AS owner,
            coalesce((SELECT jsonb_agg(jsonb_build_object(
                        'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
                        'withGrantOption', a.is_grantable))
                        FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                       WHERE a.grantee <> p.proowner), '[]') AS grants
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = $1 AND p.proname = $2`,
    [schema, name],
  );
  return rows;
}
