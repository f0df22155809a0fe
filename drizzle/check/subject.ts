// What a check looks at: the tables that the Worker's role sees without a schema's name.
import type { Client } from "pg";
import type { Finding } from "./finding.ts";

export interface Subject {
  client: Client;
  /** The schema of mcp_sessions. */
  schema: string;
  /** The table's oid. Everything in the catalog refers to it. */
  oid: number;
  /** pg_class.relkind: `r` for an ordinary table. */
  kind: string;
}

/** Looks at one thing. */
export type Look = (subject: Subject) => Promise<Finding[]>;

/** The table that an unqualified mcp_sessions is on this connection; undefined when there is none. */
export async function findSubject(client: Client): Promise<Subject | undefined> {
  const { rows } = await client.query<Omit<Subject, "client">>(
    `SELECT n.nspname AS schema, c.oid, c.relkind AS kind
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid = to_regclass('mcp_sessions')`,
  );
  return rows[0] && { client, ...rows[0] };
}

/** The rows of a query. */
export async function rowsOf<Row extends object>(
  client: Client,
  query: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(query, values);
  return rows;
}
