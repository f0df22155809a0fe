// What a statement of a session or of the administration reads is bounded, however large the table is: by its page, by the
// rows that a page may look at, or by the sessions of its principal.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { describe, expect, inject, test } from "vitest";
import { createSessionsStore } from "../../src/admin/sessions-store.ts";
import { connect, type Database } from "../../src/db/client.ts";
import { createSessionStore } from "../../src/session/store.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const OTHERS = 200_000;
// Three of them have expired.
const OWN = 6;
const LOOKED_AT = 5000;

const node = z.object({
  "Node Type": z.string(),
  "Relation Name": z.string().optional(),
  "Actual Rows": z.number(),
  "Actual Loops": z.number(),
  "Rows Removed by Filter": z.number().default(0),
  "Rows Removed by Index Recheck": z.number().default(0),
  get Plans() {
    return z.array(node).default([]);
  },
});
type Node = z.infer<typeof node>;
const answers = z.array(z.object({ "QUERY PLAN": z.tuple([z.object({ Plan: node })]) }));

function readBy(plan: Node): number {
  const isScan = plan["Relation Name"] === "mcp_sessions" && plan["Node Type"] !== "ModifyTable";
  const rows = plan["Actual Rows"] + plan["Rows Removed by Filter"] + plan["Rows Removed by Index Recheck"];
  return plan.Plans.reduce((sum, child) => sum + readBy(child), isScan ? rows * plan["Actual Loops"] : 0);
}

/** A database that explains each statement before it runs it, and adds up the rows that were read of mcp_sessions. */
function explaining({ url }: TestDatabase) {
  const database = connect({ url, endpointOverride: inject("neonEndpoint") });
  let read = 0;
  const explained: Database = {
    run: (operation, work) =>
      database.run({ ...operation, budgetMs: 60_000, attemptMs: 60_000 }, (db, attempt) => {
        const execute = async (statement: SQL) => {
          const { rows } = await db.execute(sql`EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`);
          for (const answer of answers.parse(rows)) read += readBy(answer["QUERY PLAN"][0].Plan);
          return db.execute(statement);
        };
        return work(Object.assign(Object.create(db) as typeof db, { execute }), attempt);
      }),
  };
  /** How many rows the work reads. What it changes is changed when it is explained. */
  const rowsRead = async (work: () => Promise<unknown>) => {
    read = 0;
    await work();
    return read;
  };
  return { explained, rowsRead };
}

const insert = (database: TestDatabase, principal: string, count: number, expired: number) =>
  database.query(
    `INSERT INTO mcp_sessions (session_id, principal, last_active, expires_at)
     SELECT encode(sha256(convert_to($1 || i, 'UTF8')), 'hex'), $1 || CASE WHEN $2 > 1000 THEN (i % 50)::text ELSE '' END, now(),
            now() + CASE WHEN i <= $3 THEN -1 ELSE 1 END * interval '1 hour'
       FROM generate_series(1, $2::int) i`,
    [principal, count, expired],
  );

describe.each(["without statistics", "with statistics"])("%s", (statistics) => {
  let made: Promise<TestDatabase> | undefined;
  async function make(): Promise<TestDatabase> {
    const database = await createDatabase();
    await database.query("ALTER TABLE mcp_sessions SET (autovacuum_enabled = off)");
    await insert(database, "other-", OTHERS, 0);
    await insert(database, "alice", OWN, 3);
    if (statistics === "with statistics") await database.query("ANALYZE mcp_sessions");
    return database;
  }
  const stores = async () => {
    const database = await (made ??= make());
    const { explained, rowsRead } = explaining(database);
    const settings = {
      ttlSeconds: 3600,
      initTtlSeconds: 300,
      maxLifetimeSeconds: null,
      touchIntervalSeconds: 60,
      timeoutMs: 60_000,
      maxPerPrincipal: 1000,
    };
    return {
      database,
      rowsRead,
      admin: createSessionsStore(explained, { timeoutMs: 60_000, onEnded: () => {} }),
      sessions: createSessionStore(explained, settings),
    };
  };

  test.each([
    [{ principal: "alice", limit: 100 }, OWN],
    [{ principal: "alice", limit: 1000 }, OWN],
    [{ principal: "alice", state: "expired", limit: 100 }, OWN],
    [{ principal: "nobody", limit: 100 }, 0],
    [{ principal: "other-7", limit: 100 }, 101],
    [{ principal: "other-7", state: "active", limit: 10 }, 11],
    [{ limit: 100 }, 101],
    [{ limit: 1000 }, 1001],
    [{ limit: 100, after: "80000000-0000-0000-0000-000000000000" }, 101],
    [{ state: "active", limit: 100 }, 101 + OWN],
    [{ state: "expired", limit: 100 }, LOOKED_AT],
    [{ client: "nobody has this", limit: 100 }, LOOKED_AT],
    [{ principal: "alice", client: "nobody has this", limit: 100 }, OWN],
    [{ principal: "other-7", state: "expired", limit: 100 }, OTHERS / 50],
  ] as const)("a page of %o reads %i rows at most", async (filter, most) => {
    const { admin, rowsRead } = await stores();
    expect(await rowsRead(() => admin.list(filter))).toBeLessThanOrEqual(most);
  });

  test("the few that have expired are found on pages that are short or empty, each once", async () => {
    const { admin, rowsRead } = await stores();
    const found: string[] = [];
    let after: string | undefined;
    let pages = 0;
    for (;;) {
      const most = await rowsRead(async () => {
        const { sessions, next } = await admin.list({ state: "expired", limit: 100, after });
        found.push(...sessions.map(({ handle }) => handle));
        after = next ?? undefined;
      });
      // Near the end PostgreSQL may find it cheaper to read all that is left, and to sort it.
      expect(most).toBeLessThanOrEqual(4 * LOOKED_AT);
      pages += 1;
      if (after === undefined) break;
    }
    expect(pages).toBe(Math.floor((OTHERS + OWN) / LOOKED_AT) + 1);
    expect(new Set(found).size).toBe(3);
    expect(found).toHaveLength(3);
  });

  test("a principal's own list reads its own sessions", async () => {
    const { sessions, rowsRead } = await stores();
    expect(await rowsRead(() => sessions.list("alice"))).toBeLessThanOrEqual(OWN);
  });

  test("an opening reads the sessions of its principal", async () => {
    const { database } = await stores();
    // PostgreSQL evaluates the columns one after the other.
    const read = "pg_stat_get_xact_tuples_returned(t) + pg_stat_get_xact_tuples_fetched(t)";
    const [opening] = await database.query(
      `SELECT ${read} AS before, mcp_open_session('new', 'alice', '', '{}', '{}', 60, NULL, 2) AS evicted, ${read} AS after
         FROM (SELECT 'mcp_sessions'::regclass AS t) AS t`,
    );
    expect(opening?.["evicted"]).toBe(2);
    // Each is found; those that are evicted are also locked and written.
    expect(Number(opening?.["after"]) - Number(opening?.["before"])).toBeLessThanOrEqual(4 * OWN);
  });

  test("a look at one session reads one row, a count those of its principal", async () => {
    const { admin, rowsRead } = await stores();
    const [own] = (await admin.list({ principal: "alice", limit: 1 })).sessions;
    expect(await rowsRead(() => admin.find(own?.handle ?? ""))).toBe(1);
    expect(await rowsRead(() => admin.find("00000000-0000-0000-0000-000000000000"))).toBe(0);
    expect(await rowsRead(() => admin.countEndable("alice"))).toBeLessThanOrEqual(OWN);
  });

  test("an end reads one row, a bulk end those of its principal", async () => {
    const { database, admin, sessions, rowsRead } = await stores();
    const { sessions: own } = await admin.list({ principal: "alice", state: "active", limit: 10 });
    // Each is found, locked and written.
    expect(await rowsRead(() => admin.end(own[0]?.handle ?? ""))).toBeLessThanOrEqual(2);
    expect(await rowsRead(() => sessions.endOthers("alice", "none"))).toBeLessThanOrEqual(4 * (OWN + 1));
    await insert(database, "carol", OWN, 0);
    expect(await rowsRead(() => admin.endAll("carol"))).toBeLessThanOrEqual(3 * OWN);
    expect(
      await database.query("SELECT FROM mcp_sessions WHERE principal = 'carol' AND ended_at IS NULL"),
    ).toEqual([]);
  });
});
