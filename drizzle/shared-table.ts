// What stands in PostgreSQL's catalog of mcp_sessions, which another program may have made and may go on using.
import type { Client } from "pg";

export interface ForeignKey {
  name: string;
  /** The table that has the constraint, as a statement names it. */
  table: string;
  /** As ADD CONSTRAINT takes it. */
  definition: string;
  /** What stands on the other side, as statements name it. */
  partner: { table: string; column: string; baseType: string };
}

export interface SharedColumn {
  name: string;
  /** Its name as a statement needs it: `"sessionId"`. */
  quoted: string;
  /** With its length, such as `character varying(36)`. */
  type: string;
  /** Without its length and its schema, and below any domains. */
  baseType: string;
  /** How many characters it holds; null when that is not limited. */
  length: number | null;
  /** How many digits of a second a time has; null for all six. */
  precision: number | null;
  isDomain: boolean;
  isEnum: boolean;
  /** Its collation takes equal bytes only for equal. */
  isDeterministic: boolean;
  isNotNull: boolean;
  /** Its domain is NOT NULL. */
  isDomainNotNull: boolean;
  /** Its own default; null when it has none. */
  default: string | null;
  /** The default of its domain, for a column without one of its own. */
  domainDefault: string | null;
  /** The type of the column's default. */
  defaultType: string | null;
  /** An INSERT can leave it out, even if it is NOT NULL. */
  fillsItself: boolean;
  /** `s` stored, `v` virtual, empty: it is written. */
  generated: string;
  isIdentity: boolean;
  /** What keeps its type from being changed, such as `view active_sessions`. */
  users: string[];
  foreignKeys: ForeignKey[];
}

export interface SharedTable {
  /** Its name as a statement needs it, with the schema when that is not public. */
  quoted: string;
  /** pg_class.relkind. */
  kind: string;
  isUnlogged: boolean;
  owner: string;
  role: string;
  /** Whether this role may alter it. */
  isOwned: boolean;
  /** What lets this role act for the owner. */
  grant: string;
  /** The parent of which it is a partition; null for none. */
  partitionOf: string | null;
  parents: string[];
  children: string[];
  /** CREATE TABLE … OF this type. */
  ofType: string | null;
  rules: string[];
  uniqueIndexes: UniqueIndex[];
  columns: SharedColumn[];
}

export interface UniqueIndex {
  /** In its order; or of an expression or a condition, all that are in it. */
  columns: string[];
  /** It is of columns alone, and of all rows. */
  isWhole: boolean;
  /** What removes it, such as `ALTER TABLE mcp_sessions DROP CONSTRAINT …`. */
  drop: string;
  isPrimary: boolean;
  /** ON CONFLICT can use it. */
  isImmediate: boolean;
  /** Two rows without a value are equal, too. */
  comparesNulls: boolean;
}

/** mcp_sessions of a schema; undefined when it is not there. */
export async function readSharedTable(client: Client, schema: string): Promise<SharedTable | undefined> {
  const { rows } = await client.query<SharedTable>(tableQuery, [schema]);
  const [table] = rows;
  if (table === undefined) return undefined;
  // Without a search_path, the text that PostgreSQL makes of a default or a constraint names every schema.
  const { rows: paths } = await client.query<{ path: string }>(
    "SELECT current_setting('search_path') AS path",
  );
  await setSearchPath(client, "pg_catalog");
  const columns = await client.query<SharedColumn>(columnsQuery, [schema]);
  await setSearchPath(client, paths[0]?.path ?? "");
  table.columns = columns.rows;
  for (const column of table.columns) column.defaultType = await typeOf(client, column);
  return table;
}

async function setSearchPath(client: Client, path: string): Promise<void> {
  await client.query("SELECT set_config('search_path', $1, true)", [path]);
}

/** The type of a default's expression, which is not evaluated. Only a time of day needs to know it. */
async function typeOf(client: Client, { default: value, baseType }: SharedColumn): Promise<string | null> {
  if (value === null || baseType !== "timestamp without time zone") return null;
  const { rows } = await client.query<{ type: string }>(
    `SELECT pg_typeof((SELECT ${value} WHERE false))::text AS type`,
  );
  return rows[0]?.type ?? null;
}

/** SQL: a relation's name as a statement needs it. */
const named = (relation: string) => `(
  SELECT concat_ws('.', CASE WHEN n.nspname <> 'public' THEN quote_ident(n.nspname) END, quote_ident(r.relname))
    FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = ${relation})`;

const tableQuery = `
  SELECT ${named("c.oid")} AS quoted, c.relkind AS kind, c.relpersistence = 'u' AS "isUnlogged",
         quote_ident(pg_get_userbyid(c.relowner)) AS owner, quote_ident(current_user) AS role,
         pg_has_role(c.relowner, 'USAGE') AS "isOwned",
         -- A member may inherit nothing: by its role, and from PostgreSQL 16 on by the grant.
         CASE WHEN pg_has_role(c.relowner, 'MEMBER') AND current_setting('server_version_num')::int < 160000
              THEN format('ALTER ROLE %I INHERIT', current_user)
              ELSE format('GRANT %I TO %I', pg_get_userbyid(c.relowner), current_user)
                   || CASE WHEN pg_has_role(c.relowner, 'MEMBER') THEN ' WITH INHERIT TRUE' ELSE '' END END AS grant,
         CASE WHEN c.relispartition
              THEN (SELECT ${named("i.inhparent")} FROM pg_inherits i WHERE i.inhrelid = c.oid) END AS "partitionOf",
         ARRAY(SELECT ${named("i.inhparent")} FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT c.relispartition
                ORDER BY i.inhseqno) AS parents,
         ARRAY(SELECT ${named("i.inhrelid")} FROM pg_inherits i WHERE i.inhparent = c.oid ORDER BY 1) AS children,
         CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS "ofType",
         ARRAY(SELECT quote_ident(w.rulename) FROM pg_rewrite w
                WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN' ORDER BY 1) AS rules,
         coalesce((SELECT jsonb_agg(jsonb_build_object(
                            'isWhole', i.indpred IS NULL AND i.indexprs IS NULL,
                            'columns', CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL THEN ARRAY(
                              SELECT a.attname::text FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS key (attnum, place)
                                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = key.attnum
                               WHERE key.place <= i.indnkeyatts ORDER BY key.place)
                            ELSE ARRAY(
                              SELECT DISTINCT a.attname::text FROM pg_depend p
                                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.refobjsubid
                               WHERE p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
                                 AND p.refobjid = c.oid AND p.refobjsubid > 0 ORDER BY 1) END,
                            'drop', coalesce((SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', ${named("c.oid")}, k.conname)
                                                FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid
                                                 AND k.contype IN ('p', 'u')),
                                             format('DROP INDEX %s', ${named("i.indexrelid")})),
                            'isPrimary', i.indisprimary, 'isImmediate', i.indimmediate,
                            -- The column is there from PostgreSQL 15 on.
                            'comparesNulls', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false))
                            ORDER BY i.indexrelid)
                     FROM pg_index i
                    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND NOT i.indisexclusion), '[]') AS "uniqueIndexes"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = 'mcp_sessions'`;

// A domain over a domain may have the length.
const columnsQuery = `
  WITH RECURSIVE shared AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = 'mcp_sessions'
  ), types AS (
    SELECT a.attnum, t.oid, t.typtype, t.typbasetype, a.atttypmod AS typmod, false AS is_not_null, NULL::text COLLATE "C" AS value
      FROM shared JOIN pg_attribute a ON a.attrelid = shared.oid JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attnum > 0 AND NOT a.attisdropped
     UNION ALL
    SELECT d.attnum, t.oid, t.typtype, t.typbasetype, greatest(d.typmod, b.typtypmod),
           d.is_not_null OR b.typnotnull, coalesce(d.value, b.typdefault)
      FROM types d JOIN pg_type b ON b.oid = d.oid JOIN pg_type t ON t.oid = d.typbasetype
     WHERE d.typtype = 'd'
  )
  SELECT a.attname AS name, quote_ident(a.attname) AS quoted, format_type(a.atttypid, a.atttypmod) AS type,
         regexp_replace(format_type(b.oid, NULL), '^.*\\.', '') AS "baseType",
         CASE WHEN b.typmod > 0 AND format_type(b.oid, NULL) ~ '^character' THEN b.typmod - 4 END AS length,
         CASE WHEN b.typmod >= 0 AND b.oid IN ('timestamp'::regtype, 'timestamptz'::regtype) THEN b.typmod END AS precision,
         a.atttypid <> b.oid AS "isDomain", b.typtype = 'e' AS "isEnum",
         coalesce(l.collisdeterministic, true) AS "isDeterministic",
         a.attnotnull AS "isNotNull", b.is_not_null AS "isDomainNotNull",
         CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
         CASE WHEN d.oid IS NULL AND a.attidentity = '' THEN b.value END AS "domainDefault", NULL AS "defaultType",
         d.oid IS NOT NULL OR a.attidentity <> '' OR b.value IS NOT NULL AS "fillsItself",
         a.attgenerated::text AS generated, a.attidentity <> '' AS "isIdentity",
         ARRAY(SELECT DISTINCT replace(pg_describe_object(p.classid, p.objid, p.objsubid), 'rule _RETURN on ', '')
                 FROM pg_depend p
                WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = shared.oid AND p.refobjsubid = a.attnum
                  AND (p.classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass,
                                     'pg_proc'::regclass, 'pg_publication_rel'::regclass)
                       OR p.classid = 'pg_attrdef'::regclass AND p.objid IS DISTINCT FROM d.oid
                       -- Rules for times with a zone are not immutable, so an index cannot have them.
                       OR a.atttypid = 'timestamp'::regtype AND EXISTS (
                            SELECT FROM pg_index i WHERE p.classid = 'pg_class'::regclass AND i.indexrelid = p.objid
                               AND (i.indexprs IS NOT NULL
                                    OR pg_get_expr(i.indpred, i.indrelid) !~ '^\\(\\S+ IS (NOT )?NULL\\)$')))
                ORDER BY 1) AS users,
         coalesce((SELECT jsonb_agg(jsonb_build_object(
                            'name', quote_ident(k.conname), 'table', ${named("k.conrelid")},
                            'definition', pg_get_constraintdef(k.oid),
                            'partner', jsonb_build_object('table', ${named("f.relation")}, 'column', quote_ident(o.attname),
                                                          'baseType', format_type(coalesce(nullif(y.typbasetype, 0), y.oid), NULL)))
                            ORDER BY k.conname)
                     FROM pg_constraint k,
                          LATERAL (SELECT k.confrelid AS relation, k.confkey[array_position(k.conkey, a.attnum)] AS attnum
                                    WHERE k.conrelid = shared.oid AND a.attnum = ANY (k.conkey)
                                    UNION
                                   SELECT k.conrelid, k.conkey[array_position(k.confkey, a.attnum)]
                                    WHERE k.confrelid = shared.oid AND a.attnum = ANY (k.confkey)) AS f
                     JOIN pg_attribute o ON o.attrelid = f.relation AND o.attnum = f.attnum
                     JOIN pg_type y ON y.oid = o.atttypid
                    -- Partitions have those of their table.
                    WHERE k.contype = 'f' AND k.conparentid = 0), '[]') AS "foreignKeys"
    FROM shared
    JOIN pg_attribute a ON a.attrelid = shared.oid
    JOIN types b ON b.attnum = a.attnum AND b.typtype <> 'd'
    LEFT JOIN pg_attrdef d ON d.adrelid = shared.oid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
   ORDER BY a.attnum`;
