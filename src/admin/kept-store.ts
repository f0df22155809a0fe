// All SQL of the operator routes of handles and tasks. A row is named by its key: no value, call or result leaves the database.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { bearerIn } from "../auth/principal.ts";
import type { Database } from "../db/client.ts";
import { isoTime } from "../db/time.ts";
import { listedHandle, type ListedHandle, listedTask, type ListedTask } from "./listed-kept.ts";
import { LOOKED_AT } from "./sessions-store.ts";

export interface KeptFilter {
  principal?: string | undefined;
  state?: "active" | "expired" | undefined;
  /** Only those after this key, in the order of keys. */
  after?: string | undefined;
  limit: number;
}

export type HandleFilter = KeptFilter & { kind?: string | undefined; handle?: string | undefined };
export type TaskFilter = KeptFilter & {
  status?: ListedTask["status"] | undefined;
  tool?: string | undefined;
  task?: string | undefined;
};

/** Every method is one round trip, and @throws DatabaseFault. */
export interface KeptStore<Row, Filter> {
  /**
   * A page in the order of keys, which never changes. `next` is the `after` of the next page. A page looks at LOOKED_AT rows at
   * most, so it may have few, or none, and a `next`.
   */
  list(filter: Filter): Promise<{ rows: Row[]; next: string | null }>;
  /** One row, whatever its state; undefined when there is none. */
  find(key: string): Promise<Row | undefined>;
  /** Ends an active row of any principal, and says whose it is; undefined when there is no such active one. */
  end(key: string): Promise<{ principal: string } | undefined>;
}

interface Table<Row, Filter> {
  name: "mcp_handles" | "mcp_tasks";
  /** The column of the key. */
  hash: string;
  /** The columns that an operator may see, beside those that both tables have. */
  columns: SQL;
  row: z.ZodType<Row>;
  /** The columns that must have exactly the value of the filter, and the name in the logs. */
  filtered: (filter: Filter) => {
    columns: Record<string, string | undefined>;
    nameInLogs: string | undefined;
  };
  /** A condition that ends an active row. It is true when this request has ended it, also when it is repeated with its claim. */
  ends: (key: string, claim: string, isRepeated: boolean) => SQL;
}

const isActive = sql.raw("expires_at > now()");

const handles: Table<ListedHandle, HandleFilter> = {
  name: "mcp_handles",
  hash: "handle_hash",
  columns: sql`left(handle_hash, 8) AS handle, kind, version = 0 AS is_ended, octet_length(value) AS value_bytes, sliding_seconds,
    ${isoTime("last_used_at")} AS last_used_at`,
  row: listedHandle,
  filtered: ({ kind, handle }) => ({ columns: { kind }, nameInLogs: handle }),
  ends: (key, claim) => sql`mcp_end_handle(${key}, NULL, ${claim})`,
};

const tasks: Table<ListedTask, TaskFilter> = {
  name: "mcp_tasks",
  hash: "task_hash",
  columns: sql`left(task_hash, 8) AS task, tool, status, attempt, max_attempts, octet_length(call) AS call_bytes,
    octet_length(result) AS result_bytes, ${isoTime("updated_at")} AS updated_at,
    ${isoTime("CASE WHEN lease IS NOT NULL THEN leased_until END")} AS leased_until`,
  row: listedTask,
  filtered: ({ status, tool, task }) => ({ columns: { status, tool }, nameInLogs: task }),
  // Cancelled twice it is cancelled: a repetition cannot know by which of them.
  ends: (key, _claim, isRepeated) => sql`(${isRepeated} OR status IN ('working', 'input_required'))
    AND mcp_cancel_task(${key}, NULL) = 'cancelled'`,
};

/** Those of all principals. */
export const createHandlesStore = (database: Database, options: { timeoutMs: number }) =>
  createKeptStore(database, options, handles);

/** Those of all principals. To end one is to cancel it. */
export const createTasksStore = (database: Database, options: { timeoutMs: number }) =>
  createKeptStore(database, options, tasks);

export type HandlesStore = KeptStore<ListedHandle, HandleFilter>;
export type TasksStore = KeptStore<ListedTask, TaskFilter>;

function createKeptStore<Row extends { key: string; principal: string }, Filter extends KeptFilter>(
  database: Database,
  { timeoutMs }: { timeoutMs: number },
  { name, hash: column, columns, row, filtered, ends }: Table<Row, Filter>,
): KeptStore<Row, Filter> {
  const table = sql.raw(name);
  const hash = sql.raw(column);
  const shown = sql`${hash} AS key, owner AS principal, CASE WHEN ${isActive} THEN 'active' ELSE 'expired' END AS state,
    version, ${isoTime("created_at")} AS created_at, ${isoTime("expires_at")} AS expires_at, ${columns}`;
  const listed = (found: unknown): Row => {
    const read = row.parse(found);
    return { ...read, ...bearerIn(read.principal) };
  };
  const rowsOf = async (what: string, statement: (isRepeated: boolean) => SQL) =>
    database.run({ name: what, budgetMs: timeoutMs, isIdempotent: true }, async (db, attempt) => {
      const { rows } = await db.execute(statement(attempt > 0));
      return rows;
    });

  return {
    async list(filter) {
      const { principal, state, after, limit } = filter;
      const { columns: wanted, nameInLogs } = filtered(filter);
      const conditions = all([
        principal !== undefined && sql`owner = ${principal}`,
        after !== undefined && sql`${hash} > ${after}`,
        // The key's index finds them: in every collation `g` is after all hex digits.
        nameInLogs !== undefined && sql`${hash} >= ${nameInLogs} AND ${hash} < ${`${nameInLogs}g`}`,
      ]);
      const matches = all([
        state !== undefined && sql`(${isActive}) = ${state === "active"}`,
        ...Object.entries(wanted).map(
          ([name_, value]) => value !== undefined && sql`${sql.raw(name_)} = ${value}`,
        ),
      ]);
      // As in sessions-store.ts: rows are read until the page is full, and the last one that may be looked at is always on it.
      const rows = await rowsOf(
        `listing ${name}`,
        () => sql`
            WITH page AS MATERIALIZED (
              SELECT *, ${matches} AS is_wanted
                FROM (SELECT *, row_number() OVER () AS place
                        FROM (SELECT * FROM ${table} WHERE ${conditions}
                               ORDER BY ${hash} LIMIT ${LOOKED_AT}) AS found) AS looked_at
               WHERE ${matches} OR place = ${LOOKED_AT} LIMIT ${limit + 1})
            SELECT is_wanted, place = ${LOOKED_AT} AS is_last, ${shown} FROM page ORDER BY place`,
      );
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const hasNext = rows.length > limit || last?.["is_last"] === true;
      return {
        rows: page.filter((found) => found["is_wanted"] === true).map(listed),
        next: hasNext && last !== undefined ? listed(last).key : null,
      };
    },

    async find(key) {
      const [found] = await rowsOf(
        `reading ${name}`,
        () => sql`SELECT ${shown} FROM ${table} WHERE ${hash} = ${key}`,
      );
      return found && listed(found);
    },

    async end(key) {
      const claim = crypto.randomUUID();
      const rows = await rowsOf(
        `ending ${name}`,
        (isRepeated) => sql`SELECT owner AS principal FROM ${table}
          WHERE ${hash} = ${key} AND ${ends(key, claim, isRepeated)}`,
      );
      return ended.parse(rows)[0];
    },
  };
}

const ended = z.array(z.object({ principal: z.string() }));

const all = (conditions: readonly (SQL | false)[]): SQL =>
  sql.join([sql`true`, ...conditions.filter((condition) => condition !== false)], sql` AND `);
