// Applies functions and procedures, and says how routines and triggers are dropped.
import { type Client, DatabaseError, escapeIdentifier, escapeLiteral } from "pg";
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
  /** Why this role cannot replace it; null when it can. */
  mayNotReplace: string | null;
  /** Why this role cannot give another routine to its owner; null when it can. */
  mayNotGive: string | null;
}

// CREATE OR REPLACE refuses another return type or other argument names, and a procedure in place of a function.
const CANNOT_REPLACE = new Set(["42P13", "42809"]);

/**
 * Afterwards there is exactly one function or procedure of this name: the file's. Grants and owner stay.
 * @throws Error when the owner of our routines is another role, and this one cannot act for it.
 */
export async function applyRoutine(client: Client, schema: string, file: RoutineFile): Promise<void> {
  const before = await overloadsOf(client, schema, file.name);
  // Whoever may run the cleanup may execute a routine that is new beside it, and nobody else. A trigger's function is for
  // triggers alone.
  const former =
    before.length > 0 || file.countsRows ? before : await overloadsOf(client, schema, "mcp_cleanup_sessions");
  refuse(former.map(({ mayNotReplace }) => mayNotReplace));
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
  const [first] = before;
  if (first === undefined || first.owner === applied.owner) return;
  refuse([first.mayNotGive]);
  await client.query(`ALTER ROUTINE ${applied.identity} OWNER TO ${escapeIdentifier(first.owner)}`);
}

function refuse(reasons: (string | null)[]): void {
  for (const reason of reasons) if (reason !== null) throw new Error(reason);
}

async function overloadsOf(client: Client, schema: string, name: string): Promise<Overload[]> {
  const { rows } = await client.query<Overload>(
    `SELECT p.oid, p.ctid::text AS version, p.oid::regprocedure::text AS identity, pg_get_userbyid(p.proowner) AS owner,
            coalesce((SELECT jsonb_agg(jsonb_build_object(
                        'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
                        'withGrantOption', a.is_grantable))
                        FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                       WHERE a.grantee <> p.proowner), '[]') AS grants,
            ${MAY_NOT_REPLACE} AS "mayNotReplace", ${MAY_NOT_GIVE} AS "mayNotGive"
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = $1 AND p.proname = $2`,
    [schema, name],
  );
  return rows;
}

/** SQL: a sentence with the owner of a routine (1), this role (2) and the schema (3). */
const sentence = (text: string) =>
  `format(${escapeLiteral(text)}, pg_get_userbyid(p.proowner), current_user, n.nspname)`;

const NO_MEMBER = sentence(
  "%1$I owns the routines, and %2$I may not act for it. Migrate as %1$I, or let an administrator run: GRANT %1$I TO %2$I",
);

// A superuser has every right.
const MAY_NOT_REPLACE = `CASE WHEN NOT pg_has_role(p.proowner, 'USAGE') THEN ${NO_MEMBER} END`;
const MAY_NOT_GIVE = `
  CASE WHEN current_setting('is_superuser') = 'on' THEN NULL
       -- The privilege is there from PostgreSQL 16 on.
       WHEN NOT pg_has_role(p.proowner, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
       THEN ${NO_MEMBER}
       WHEN NOT has_schema_privilege(p.proowner, n.oid, 'CREATE')
       THEN ${sentence("%1$I owns the routines, and may make none in schema %3$I. Let an administrator run: GRANT CREATE ON SCHEMA %3$I TO %1$I")}
  END`;
