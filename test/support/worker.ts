// The Worker as its callers see it, over a database of the test's own.
import { neon, neonConfig } from "@neondatabase/serverless";
import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { expect, inject } from "vitest";
import type { FaultRule } from "../../dev/neon/switchboard.ts";
import { parsers } from "../../src/db/statements.ts";
import { expectNoSecrets, keepSecret, keepSecretEverywhere } from "./captured-logs.ts";
import worker from "./main.ts";

export const REGULAR_CRON = "0 * * * *";
export const IMMEDIATE_CRON = "*/10 * * * *";

export const keys = {
  health: keepSecretEverywhere("health-key-0123456789abcdef"),
  metrics: keepSecretEverywhere("metrics-key-0123456789abcdef"),
  admin: keepSecretEverywhere("admin-key-0123456789abcdefgh"),
  alice: keepSecretEverywhere("alice-key-0123456789abcdefgh"),
  bob: keepSecretEverywhere("bob-key-0123456789abcdefghij"),
};
keepSecretEverywhere(inject("databasePassword"));

/** Asks the control server of the test run. */
export async function control<T>(action: string, body: unknown = {}): Promise<T> {
  const response = await fetch(`${inject("control")}/${action}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

export const setFaults = (...rules: FaultRule[]) => control<null>("faults", rules);
export const databaseRequests = () => control<number>("requests");
/** How many requests each rule of the last `setFaults` has hit. */
export const faultHits = () => control<number[]>("hits");
export const stopPostgres = () => control<null>("stop");
export const startPostgres = () => control<null>("start");
/** Restarts PostgreSQL as a read replica, or as a primary again. */
export const becomeReplica = (isOn: boolean) => control<null>("replica", { isOn });

/** Runs a statement as the server's superuser, in the database of a test or in another one. */
export const asSuperuser = (statement: string, { url }: TestDatabase, database = nameOf(url)) =>
  control<null>("superuser", { database, statement });

export const nameOf = (url: string) => new URL(url).pathname.slice(1);

export interface TestDatabase {
  url: string;
  /** Runs one statement on it, beside the Worker. */
  query: (statement: string, params?: unknown[]) => Promise<Record<string, unknown>[]>;
  env: (overrides?: Record<string, string>) => Env;
}

/** A database of its own, migrated unless `empty`. */
export async function createDatabase({ empty = false } = {}): Promise<TestDatabase> {
  return databaseAt(await control<string>("database", { empty, file: expect.getState().testPath }));
}

/**
 * The same database as the role of ops/postgres/worker-role.sql, which has only the rights that this script gives.
 * @param replace a text of the script, and what to put in its place first.
 */
export async function asWorkerRole(
  { url }: TestDatabase,
  replace?: readonly [string, string],
): Promise<TestDatabase> {
  return databaseAt(await control<string>("worker_role", { database: nameOf(url), replace }));
}

function databaseAt(url: string): TestDatabase {
  return {
    url,
    async query(statement, params = []) {
      neonConfig.fetchEndpoint = inject("neonEndpoint");
      return await neon(url).query(statement, params, { types: parsers });
    },
    env: (overrides = {}) => environment({ DATABASE_URL: url, ...overrides }),
  };
}

export function environment(overrides: Record<string, string> = {}): Env {
  const variables: Partial<Env> & Record<string, string> = {
    DATABASE_URL: "postgresql://mcp:unused-password@ep-test.localhost/none",
    API_KEYS: `monitor:health:${keys.health}, prometheus:metrics:${keys.metrics} ops:admin:${keys.admin} alice:mcp:${keys.alice} bob:mcp:${keys.bob}`,
    MCP_AGGRESSIVE_CLEANUP: "false",
    MCP_REGULAR_CLEANUP_CRON: REGULAR_CRON,
    MCP_IMMEDIATE_CLEANUP_CRON: IMMEDIATE_CRON,
    LOG_LEVEL: "debug",
    NEON_ENDPOINT_OVERRIDE: inject("neonEndpoint"),
    ...overrides,
  };
  return variables as Env;
}

/** Sends a request through the door; what comes back is searched for secrets. */
export async function send(
  env: Env,
  path: string,
  init: RequestInit = {},
  origin = "https://worker.test",
): Promise<Response> {
  const context = createExecutionContext();
  const request = new Request(`${origin}${path}`, init) as Request<unknown, IncomingRequestCfProperties>;
  const response = await worker.fetch(request, env, context);
  await waitOnExecutionContext(context);
  const headers = [...response.headers].filter(([name]) => name !== "mcp-session-id");
  expectNoSecrets(`${JSON.stringify(headers)}${await response.clone().text()}`);
  return response;
}

export const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });

/** Fires a cron event; resolves when it is handled, throws what Cron Events would show. */
export async function fire(env: Env, cron: string, scheduledTime = new Date()): Promise<void> {
  const context = createExecutionContext();
  await worker.scheduled(createScheduledController({ cron, scheduledTime }), env, context);
  await waitOnExecutionContext(context);
}

/** Adds sessions that expire at the given times; `null` is never. Their ids are secrets of the test. */
export async function addSessions(
  { query }: TestDatabase,
  sessions: Record<string, Date | string | null>,
): Promise<void> {
  for (const [id, expiresAt] of Object.entries(sessions)) {
    await query("INSERT INTO mcp_sessions (session_id, expires_at) VALUES ($1, $2)", [
      keepSecret(`session-${id}`),
      expiresAt instanceof Date ? expiresAt.toISOString() : expiresAt,
    ]);
  }
}

/** The names given to `addSessions` of those that are still there, sorted. */
export async function remaining({ query }: TestDatabase): Promise<string[]> {
  const rows = await query("SELECT session_id FROM mcp_sessions ORDER BY 1");
  return rows.map(({ session_id: id }) => String(id).replace("session-", ""));
}
