// The statements that stores send, for Workers of a bench that send nothing else.
import type { SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import type { Database } from "../../src/db/client.ts";
import { createHealthStore } from "../../src/health/store.ts";
import { keyOfSession } from "../../src/session/session.ts";
import { createSessionStore } from "../../src/session/store.ts";

export interface Statement {
  text: string;
  params: unknown[];
}

export const censusStatement = () =>
  statementOf((database) =>
    createHealthStore(database, {
      timeoutMs: 1000,
      idleSleep: neverAsleep,
      now: () => new Date(),
    }).takeCensus(7200),
  );

/** Of alice's session with this key in the database. */
export const resumeStatementOf = (key: string) =>
  statementOf((database) =>
    createSessionStore(database, {
      ttlSeconds: 86_400,
      initTtlSeconds: 300,
      maxLifetimeSeconds: null,
      touchIntervalSeconds: 60,
      timeoutMs: 10_000,
      maxPerPrincipal: 1000,
    }).resume(key, "alice"),
  );

/** @param id of a session of alice. */
export const resumeStatement = async (id: string) => resumeStatementOf(await keyOfSession(id));

async function statementOf(ask: (database: Database) => Promise<unknown>): Promise<Statement> {
  let sent: Statement | undefined;
  const db = {
    execute: async (query: SQL) => {
      const { sql: text, params } = new PgDialect().sqlToQuery(query);
      sent = { text, params };
      throw new Error("It is not sent.");
    },
  };
  // Stores call nothing else of it.
  await ask({ run: (_operation, work) => work(db as never, 0) }).catch(() => {});
  if (sent === undefined) throw new Error("The store sent no statement.");
  return sent;
}
