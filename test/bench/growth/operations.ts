// What the bench of growth asks of a database, by the Worker's own stores: clients, operators, monitors and the cron.
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { createSessionsStore } from "../../../src/admin/sessions-store.ts";
import { neverAsleep } from "../../../src/cleanup/idle-sleep.ts";
import { createCleanupStore } from "../../../src/cleanup/store.ts";
import { createHealthStore } from "../../../src/health/store.ts";
import { createSessionStore } from "../../../src/session/store.ts";
import { databaseOf, openedAs, query, SESSIONS_EACH } from "../many-sessions.ts";
import type { Server } from "../server.ts";

// What expires in an hour when 120,000 do in a day, and the same at every size.
const BACKLOG = 5000;
const PAGE = 50;
const OVERDUE_SECONDS = 7200;
const TIMEOUT_MS = 60_000;
// No touch is due in a run of this bench.
const NEVER_DUE_SECONDS = 86_400;

/** One thing that is asked of a database. */
export interface Operation {
  name: string;
  calls: number;
  /** What must be there first, for all calls together. It is not timed. */
  before?: () => Promise<unknown>;
  work: () => Promise<unknown>;
}

/** What is measured, in the order in which a round does it. */
export function operationsOn(server: Server, rows: number): Operation[] {
  const name = databaseOf(rows);
  const database = server.connect(name);
  const timeoutMs = TIMEOUT_MS;
  const sessions = (touchIntervalSeconds: number) =>
    createSessionStore(database, {
      timeoutMs,
      ttlSeconds: 86_400,
      initTtlSeconds: 300,
      maxLifetimeSeconds: null,
      touchIntervalSeconds,
      maxPerPrincipal: 1000,
    });
  const [fresh, due] = [sessions(NEVER_DUE_SECONDS), sessions(0)];
  const all = createSessionsStore(database, { timeoutMs, onEnded: () => {} });
  const health = createHealthStore(database, { timeoutMs, idleSleep: neverAsleep, now: () => new Date() });
  const cleanups = createCleanupStore(database, {
    trigger: "manual",
    minAgeSeconds: { regular: 0, immediate: 3600 },
    batchSize: 1000,
    timeBudgetMs: 20_000,
    runRetentionDays: 30,
  });
  const opened: { key: string; principal: string }[] = [];
  const anyone = () => `principal-${randomInt(rows / SESSIONS_EACH)}`;
  const resume = async (store: typeof fresh) => {
    const { key, principal } = openedAs(rows, randomInt(rows));
    if ((await store.resume(key, principal)) === undefined) throw new Error("a session was not found");
  };
  return [
    {
      name: "open",
      calls: 200,
      async work() {
        const session = { key: randomBytes(32).toString("hex"), principal: anyone() };
        await due.open({
          ...session,
          protocolVersion: "2025-11-25",
          clientInfo: { name: "bench", padding: "x".repeat(260) },
          capabilities: {},
        });
        opened.push(session);
      },
    },
    { name: "resume, read only", calls: 200, work: () => resume(fresh) },
    { name: "resume, with a touch", calls: 200, work: () => resume(due) },
    {
      name: "end",
      calls: 200,
      async work() {
        const session = opened.pop();
        if (session === undefined || !(await due.end(session.key, session.principal)))
          throw new Error("a session was not ended");
      },
    },
    {
      name: "a page of all sessions",
      calls: 20,
      async work() {
        await all.list({ after: randomUUID(), limit: PAGE });
      },
    },
    {
      name: "a page of one principal",
      calls: 50,
      async work() {
        const page = await all.list({ principal: anyone(), state: "active", limit: PAGE });
        if (page.sessions.length < SESSIONS_EACH) throw new Error(`${page.sessions.length} sessions`);
      },
    },
    {
      name: `health and metrics, ${BACKLOG} expired`,
      calls: 20,
      before: () => expire(server, name),
      async work() {
        const census = await health.takeCensus(OVERDUE_SECONDS);
        if (census.total < rows || census.expired < BACKLOG) throw new Error("sessions were not counted");
      },
    },
    {
      name: `a cleanup run of ${BACKLOG}`,
      calls: 1,
      async work() {
        const { deleted } = await cleanups.clean("regular", new Date());
        if (deleted < BACKLOG) throw new Error(`${deleted} of ${BACKLOG} were deleted`);
      },
    },
  ];
}

const expire = (server: Server, database: string) =>
  query(
    server,
    database,
    `INSERT INTO mcp_sessions (session_id, principal, expires_at)
     SELECT md5(random()::text) || md5(i::text), 'principal-' || i, now() - random() * interval '1 hour'
       FROM generate_series(1, ${BACKLOG}) i`,
  );
