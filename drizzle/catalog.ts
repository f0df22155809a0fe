// What a database holds of this project, read from PostgreSQL's catalog; and what src/db/schema.ts declares.
import { is } from "drizzle-orm";
import { getTableConfig, IndexedColumn, PgTable } from "drizzle-orm/pg-core";
import { type Client, escapeLiteral } from "pg";
import * as schema from "../src/db/schema.ts";
import { sha256 } from "./files.ts";

/** The tables that src/db/schema.ts declares. */
export const declaredTables = Object.values(schema)
  .filter((value) => is(value, PgTable))
  .map((table) => {
    const { name, columns, indexes, checks, primaryKeys } = getTableConfig(table);
    return {
      name,
      columns: columns.map((column) => ({ name: column.name, type: column.getSQLType() })),
      indexes: indexes.map(({ config }) => ({
        name: String(config.name),
        /** What it is on, in order; undefined when that is not columns alone. */
        columns: config.columns.every((part) => is(part, IndexedColumn))
          ? config.columns.map((part) => String(part.name))
          : undefined,
        /** Whether it is on some of the rows only. */
        isPartial: config.where !== undefined,
      })),
      checks: checks.map((check) => check.name),
      /** The columns of the primary key; empty when there is none. */
      key:
        primaryKeys[0]?.columns.map((column) => column.name) ??
        columns.filter((column) => column.primary).map((column) => column.name),
    };
  });

export interface Column {
  name: string;
  type: string;
  /** An INSERT that leaves it out fails. */
  mustBeGiven: boolean;
}

export interface Index {
  name: string;
  /** False while it is built, and for ever when that was interrupted. */
  isValid: boolean;
  definition: string;
  /** Whether it is on some of the rows only. */
  isPartial: boolean;
  /** The columns, in order, of a valid B-tree of columns without anything special; null for any other index. */
  plainColumns: string[] | null;
}

export interface Table {
  name: string;
  /** `r` for an ordinary table (pg_class.relkind). */
  kind: string;
  columns: Column[];
  indexes: Index[];
  checks: string[];
  /** The columns of each unique index, in order, that ON CONFLICT can use. */
  keys: string[][];
}

export interface Routine {
  kind: "routine" | "trigger";
  name: string;
  /** As DROP ROUTINE or DROP TRIGGER names it. */
  identity: string;
  definition: string;
}

export interface Catalog {
  tables: Table[];
  routines: Routine[];
}

/** What stands in `schemaName` of the declared tables, and of the routines and triggers named `names`. */
export async function readCatalog(client: Client, schemaName: string, names: string[]): Promise<Catalog> {
  return catalogOf(await client.query(catalogStatements(schemaName, names).join(";\n")));
}

/** The questions of readCatalog(), to be sent at the end of a message. */
export function catalogStatements(schemaName: string, names: string[]): string[] {
  const values = [schemaName, arrayOf(declaredTables.map(({ name }) => name)), arrayOf(names)];
  return [tablesQuery, routinesQuery].map((query) =>
    query.replaceAll(/\$([123])/g, (_, number: string) => escapeLiteral(values[Number(number) - 1] ?? "")),
  );
}

/** @param results of a message that ends with the questions; node-postgres returns one for each statement. */
export function catalogOf(results: unknown): Catalog {
  if (!Array.isArray(results)) throw new Error("a message of several statements has several results");
  const [tables, routines] = results.slice(-2);
  return { tables: tables.rows, routines: routines.rows };
}

const arrayOf = (names: string[]) => `{${names.map((name) => JSON.stringify(name)).join(",")}}`;

/** The hash of a routine's definition, undefined when it is not there. A second overload changes the hash. */
export function definitionHash(
  { routines }: Catalog,
  kind: Routine["kind"],
  name: string,
): string | undefined {
  const found = routines.filter((routine) => routine.kind === kind && routine.name === name);
  return found.length === 0 ? undefined : sha256(found.map(({ definition }) => definition).join("\n"));
}

const tablesQuery = `
  SELECT c.relname AS name, c.relkind AS kind,
         ARRAY(SELECT jsonb_build_object(
                        'name', a.attname, 'type', format_type(a.atttypid, NULL),
                        'mustBeGiven', a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')
                 FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                ORDER BY a.attnum) AS columns,
         ARRAY(SELECT jsonb_build_object(
                        'name', x.relname, 'isValid', i.indisvalid, 'definition', pg_get_indexdef(x.oid),
                        'isPartial', i.indpred IS NOT NULL,
                        'plainColumns', CASE WHEN i.indisvalid AND m.amname = 'btree' AND i.indexprs IS NULL
                           AND i.indnatts = i.indnkeyatts AND part.are_plain THEN part.names END)
                 FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam,
                      LATERAL (SELECT jsonb_agg(a.attname ORDER BY p.place) AS names,
                                      bool_and(p.option = 0 AND o.opcdefault AND p.coll = a.attcollation) AS are_plain
                                 FROM unnest(i.indkey::smallint[], i.indoption::smallint[], i.indclass::oid[],
                                             i.indcollation::oid[]) WITH ORDINALITY AS p (attnum, option, class, coll, place)
                                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.attnum
                                 JOIN pg_opclass o ON o.oid = p.class) AS part
                WHERE i.indrelid = c.oid ORDER BY x.relname) AS indexes,
         ARRAY(SELECT k.conname::text FROM pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY k.conname) AS checks,
         coalesce((SELECT jsonb_agg(ARRAY(SELECT a.attname::text
                                            FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS key (attnum, place)
                                            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = key.attnum
                                           WHERE key.place <= i.indnkeyatts
                                           ORDER BY key.place))
                     FROM pg_index i
                    WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                      AND i.indpred IS NULL AND i.indexprs IS NULL), '[]') AS keys
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = ANY ($2::text[])
   ORDER BY c.relname`;

const routinesQuery = `
  SELECT 'routine' AS kind, p.proname AS name, p.oid::regprocedure::text AS identity,
         pg_get_functiondef(p.oid) AS definition
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = $1 AND p.proname = ANY ($3::text[]) AND p.prokind IN ('f', 'p')
   UNION ALL
  SELECT 'trigger', t.tgname, format('%I ON %s', t.tgname, t.tgrelid::regclass),
         -- A trigger can be disabled, which its text does not say.
         concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = ANY ($2::text[]) AND t.tgname = ANY ($3::text[]) AND NOT t.tgisinternal
   ORDER BY kind, name, identity`;
