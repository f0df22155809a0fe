// All SQL of handles. The routines judge by the database's clock, and none revives a handle that is dead.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { DatabaseFault, undoneWrite } from "../db/fault.ts";
import { epochMilliseconds } from "../db/time.ts";
import type { HandleSummary } from "./handles.ts";

/** A live handle as it stands. */
export interface StoredHandle {
  kind: string;
  /** JSON text. */
  value: string;
  version: number;
  expiresAt: Date;
}

export interface NewHandle {
  /** The key of its id. */
  key: string;
  owner: string;
  kind: string;
  /** JSON text. */
  value: string;
  ttlSeconds: number;
  isSliding: boolean;
}

/**
 * Every method is one round trip, atomic, changes nothing more when it is repeated, and @throws DatabaseFault. A handle is
 * undefined when it is unknown, expired, ended, or of another owner.
 */
export interface HandleStore {
  /** @returns when it expires. */
  make(handle: NewHandle): Promise<Date>;
  read(key: string, owner: string): Promise<StoredHandle | undefined>;
  /**
   * @param ifVersion the version that it must have; undefined: any.
   * @returns the handle as it is then. `written` is the version that the change has made; null: it has another one than `ifVersion`.
   */
  change(
    key: string,
    owner: string,
    value: string,
    ifVersion?: number,
  ): Promise<(StoredHandle & { written: number | null }) | undefined>;
  /** @param owner undefined: an operator ends it, whosever it is. */
  end(key: string, owner: string | undefined): Promise<boolean>;
  /** The live ones, the last used first, at most 100. */
  list(owner: string, kind?: string): Promise<HandleSummary[]>;
}

// More is of no use in a tool's answer.
const LIST_LIMIT = 100;

const time = z.number().transform((milliseconds) => new Date(milliseconds));
const stored = z.object({ kind: z.string(), value: z.string(), version: z.number(), expiresAt: time });
const changed = stored.extend({ written: z.number().nullable() });
const summaries = z.object({
  kind: z.string(),
  version: z.number(),
  createdAt: time,
  lastUsedAt: time,
  expiresAt: time,
});

const expiresAt = sql`${epochMilliseconds("expires_at")} AS "expiresAt"`;

export function createHandleStore(
  database: Database,
  { timeoutMs, maxPerPrincipal }: { timeoutMs: number; maxPerPrincipal: number },
): HandleStore {
  const rowsOf = <T>(name: string, shape: z.ZodType<T>, statement: SQL): Promise<T[]> =>
    database.run({ name, budgetMs: timeoutMs, isIdempotent: true }, async (db) =>
      z.array(shape).parse((await db.execute(statement)).rows),
    );

  return {
    async make({ key, owner, kind, value, ttlSeconds, isSliding }) {
      const [made] = await rowsOf(
        "making a handle",
        z.object({ expiresAt: time.nullable() }),
        sql`SELECT ${expiresAt} FROM mcp_make_handle(${key}, ${owner}, ${kind}, ${value}, ${ttlSeconds}, ${isSliding},
                                                     ${maxPerPrincipal}) AS expires_at`,
      );
      if (made?.expiresAt == null) throw new DatabaseFault("making a handle", undoneWrite);
      return made.expiresAt;
    },

    async read(key, owner) {
      const statement = sql`SELECT kind, value, version, ${expiresAt} FROM mcp_read_handle(${key}, ${owner})`;
      return (await rowsOf("reading a handle", stored, statement))[0];
    },

    async change(key, owner, value, ifVersion) {
      const statement = sql`SELECT written, kind, value, version, ${expiresAt}
        FROM mcp_change_handle(${key}, ${owner}, ${value}, ${ifVersion ?? null}, ${crypto.randomUUID()})`;
      return (await rowsOf("changing a handle", changed, statement))[0];
    },

    async end(key, owner) {
      const statement = sql`SELECT mcp_end_handle(${key}, ${owner ?? null}, ${crypto.randomUUID()}) AS "isEnded"`;
      const [ended] = await rowsOf("ending a handle", z.object({ isEnded: z.boolean() }), statement);
      return ended?.isEnded === true;
    },

    list: (owner, kind) =>
      rowsOf(
        "listing handles",
        summaries,
        sql`SELECT kind, version, ${epochMilliseconds("created_at")} AS "createdAt",
                   ${epochMilliseconds("last_used_at")} AS "lastUsedAt", ${expiresAt}
              FROM mcp_handles
             WHERE owner = ${owner} AND expires_at > clock_timestamp() AND kind = coalesce(${kind ?? null}, kind)
             ORDER BY last_used_at DESC, handle_hash LIMIT ${LIST_LIMIT}`,
      ),
  };
}
