// Logical replication of our tables: out of them (publications) and into them (subscriptions).
import { type Client, DatabaseError, escapeIdentifier } from "pg";
import { declaredTables } from "../catalog.ts";
import type { Finding } from "./finding.ts";
import { type Look, rowsOf } from "./subject.ts";

export const lookAtPublications: Look = async ({ client, schema }) => {
  const found = await rowsOf<{ publication: string; table: string; is_broken: boolean }>(
    client,
    `SELECT quote_ident(p.pubname) AS publication, c.relname AS table,
            (p.pubupdate OR p.pubdelete)
              AND NOT (c.relreplident = 'f'
                       OR EXISTS (SELECT FROM pg_index i
                                   WHERE i.indrelid = c.oid AND i.indisvalid
                                     AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)))
              AS is_broken
       FROM pg_publication p
       JOIN pg_publication_tables t USING (pubname)
       JOIN pg_namespace n ON n.nspname = t.schemaname
       JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
      WHERE n.nspname = $1 AND c.relname = ANY ($2)
      ORDER BY 1, 2`,
    [schema, declaredTables.map(({ name }) => name)],
  );
  const broken = found.filter((published) => published.is_broken);
  const whole = new Map<string, string[]>();
  for (const { publication, table, is_broken: isBroken } of found) {
    if (!isBroken) whole.set(publication, [...(whole.get(publication) ?? []), table]);
  }
  const published = [...new Set(found.filter((one) => !one.is_broken).map(({ table }) => table))];
  const refused = published.filter((table) => !broken.some((one) => one.table === table));
  return [
    ...(await refusedWrites(client, schema, refused)),
    ...broken.map(({ publication, table }): Finding => ({
      level: "error",
      about: "replica_identity",
      what: `The publication ${publication} has ${table}, which has no replica identity.`,
      means: "Every UPDATE and DELETE of its rows fails with 55000, those of other programs, too.",
      todo: `ALTER TABLE ${table} REPLICA IDENTITY FULL; or take the table out of the publication.`,
    })),
    ...[...whole].map(([publication, tables]): Finding => ({
      level: "note",
      about: "publication",
      what: `The publication ${publication} sends ${tables.join(", ")} to its subscribers.`,
      means: "They get the names of principals and what clients say of themselves.",
      todo: "",
    })),
  ];
};

/** Tables of which a publication has some rows or columns only, and not those of the key: PostgreSQL refuses to change them. */
async function refusedWrites(client: Client, schema: string, tables: string[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const table of tables) {
    const column = declaredTables.find(({ name }) => name === table)?.columns.at(-1)?.name ?? "";
    const name = `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
    // Nothing is executed.
    const statements = [
      `EXPLAIN UPDATE ONLY ${name} SET ${column} = ${column}`,
      `EXPLAIN DELETE FROM ONLY ${name}`,
    ];
    for (const statement of statements) {
      try {
        await client.query(statement);
      } catch (error) {
        if (!(error instanceof DatabaseError && error.code === INVALID_COLUMN_REFERENCE)) continue;
        findings.push({
          level: "error",
          about: "publication_filter",
          what: `A publication has some rows or columns of ${table}, by columns that its replica identity lacks.`,
          means: `${statement.includes("UPDATE") ? "Every UPDATE" : "Every DELETE"} of its rows fails with 42P10.`,
          todo: `Let the publication have all of ${table}; or, for a WHERE: ALTER TABLE ${table} REPLICA IDENTITY FULL;`,
        });
        break;
      }
    }
  }
  return findings;
}

const INVALID_COLUMN_REFERENCE = "42P10";

export const lookAtSubscriptions: Look = async ({ client, oid }) => {
  const found = await rowsOf<{ name: string }>(
    client,
    `SELECT quote_ident(s.subname) AS name FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
      WHERE r.srrelid = $1 ORDER BY 1`,
    [oid],
  );
  return found.map(({ name }) => ({
    level: "warning",
    about: "subscription",
    what: `The subscription ${name} writes to mcp_sessions.`,
    means: "Rows that come by replication are written past the triggers that count them.",
    todo: "SELECT mcp_recount_sessions(); as the owner, when the counts of health are wrong.",
  }));
};
