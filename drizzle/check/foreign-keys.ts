// Tables of other programs whose rows refer to sessions.
import type { Finding } from "./finding.ts";
import { type Look, rowsOf } from "./subject.ts";

interface ForeignKey {
  name: string;
  child: string;
  columns: string;
  /** What it refers to, as REFERENCES takes it. */
  target: string;
  /** pg_constraint.confdeltype */
  on_delete: string;
  has_index: boolean;
  /** Whether one of the columns that ON DELETE sets is NOT NULL. */
  is_not_null: boolean;
}

export const lookAtForeignKeys: Look = async ({ client, oid }) => {
  const keys = await rowsOf<ForeignKey>(
    client,
    `SELECT quote_ident(k.conname) AS name, k.conrelid::regclass::text AS child, k.confdeltype AS on_delete,
            (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.place)
               FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) AS columns,
            (SELECT format('%s (%s)', k.confrelid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY u.place))
               FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum) AS target,
            -- SET NULL may name columns from PostgreSQL 15 on.
            EXISTS (SELECT FROM pg_attribute a
                     WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND a.attnotnull
                       AND (coalesce(jsonb_typeof(to_jsonb(k) -> 'confdelsetcols'), 'null') = 'null'
                            OR to_jsonb(k) -> 'confdelsetcols' @> to_jsonb(a.attnum))) AS is_not_null,
            EXISTS (SELECT FROM pg_index i
                     WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
                       AND (i.indkey::smallint[])[0 : cardinality(k.conkey) - 1] @> k.conkey) AS has_index
       FROM pg_constraint k
      WHERE k.contype = 'f' AND k.confrelid = $1 AND k.conparentid = 0
        -- PostgreSQL 18 can be told to enforce none.
        AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
      ORDER BY 2, 1`,
    [oid],
  );
  return keys.flatMap((key) => [...deleteFindings(key), ...indexFindings(key)]);
};

function deleteFindings({
  name,
  child,
  columns,
  target,
  on_delete: onDelete,
  is_not_null: isNotNull,
}: ForeignKey) {
  const what = `${child} (${columns}) refers to sessions: foreign key ${name}`;
  const cascade =
    `ALTER TABLE ${child} DROP CONSTRAINT ${name}, ` +
    `ADD FOREIGN KEY (${columns}) REFERENCES ${target} ON DELETE CASCADE; or ON DELETE SET NULL.`;
  const about = "foreign_key";
  if (onDelete === "c") {
    return [
      {
        level: "note",
        about,
        what: `${what}, ON DELETE CASCADE.`,
        means: `The cleanup deletes those rows with their session.`,
        todo: "",
      } satisfies Finding,
    ];
  }
  if (["n", "d"].includes(onDelete) && !isNotNull) return [];
  return [
    {
      level: "warning",
      about,
      what: ["n", "d"].includes(onDelete)
        ? `${what}, which ON DELETE sets to a value although the column is NOT NULL.`
        : `${what}, which does not let them go.`,
      means: "An expired session with such a row cannot be deleted. It stays, and so does its row.",
      todo: cascade,
    } satisfies Finding,
  ];
}

function indexFindings({ child, columns, has_index: hasIndex }: ForeignKey) {
  if (hasIndex) return [];
  return [
    {
      level: "warning",
      about: "foreign_key_index",
      what: `${child} has no index that begins with (${columns}), which refers to sessions.`,
      means: `Each session that the cleanup deletes reads all of ${child}.`,
      todo: `CREATE INDEX CONCURRENTLY ON ${child} (${columns});`,
    } satisfies Finding,
  ];
}
