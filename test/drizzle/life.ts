// A session's life and a cleanup, by the Worker's own stores over the local Neon, on a table that another program uses, too.
import type { ClientConfig } from "pg";
import { afterAll, expect } from "vitest";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import { createSessionsStore } from "../../src/admin/sessions-store.ts";
import { neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import { createCleanupStore } from "../../src/cleanup/store.ts";
import { connect } from "../../src/db/client.ts";
import { createHealthStore } from "../../src/health/store.ts";
import { keyOfSession } from "../../src/session/session.ts";
import { createStateStore } from "../../src/session/state-store.ts";
import { createSessionStore } from "../../src/session/store.ts";
import { query, valueOf } from "./databases.ts";

// Tests at the same time share it.
let neon: Promise<LocalNeon> | undefined;
afterAll(async () => (await neon)?.close());

const settings = {
  ttlSeconds: 3600,
  initTtlSeconds: 300,
  maxLifetimeSeconds: 86_400,
  touchIntervalSeconds: 60,
  timeoutMs: 60_000,
  maxPerPrincipal: 3,
};

async function storesOf({ host, port, user, password, database: name }: ClientConfig) {
  neon ??= startLocalNeon({ postgres: { host: String(host), port: Number(port) } });
  const { endpoint } = await neon;
  // The local Neon knows the server already; a host of this form is what the driver wants.
  const url = new URL(`postgresql://life.localhost/${name}`);
  url.username = String(user);
  url.password = String(password);
  const database = connect({ url: url.href, endpointOverride: endpoint });
  const { timeoutMs } = settings;
  return {
    sessions: createSessionStore(database, settings),
    state: createStateStore(database, settings),
    all: createSessionsStore(database, { timeoutMs, onEnded: () => {} }),
    cleanups: createCleanupStore(database, {
      trigger: "manual",
      minAgeSeconds: { regular: 0, immediate: 3600 },
      batchSize: 1000,
      timeBudgetMs: 60_000,
      runRetentionDays: 30,
    }),
    health: createHealthStore(database, { timeoutMs, idleSleep: neverAsleep, now: () => new Date() }),
  };
}

/** Opens, uses, lists, ends and evicts sessions. Afterwards none of them is live. */
export async function liveAndEnd(config: ClientConfig): Promise<void> {
  const { sessions, state, all } = await storesOf(config);
  const open = async (id: string) => {
    const key = await keyOfSession(id);
    const evicted = await sessions.open({
      key,
      // The longest that a principal, a revision and a level may be.
      principal: "a".repeat(512),
      protocolVersion: "2025-11-25",
      clientInfo: { name: "life", version: "1" },
      capabilities: { roots: {} },
    });
    const session = await sessions.resume(key, "a".repeat(512));
    expect(session).toMatchObject({ key, protocolVersion: "2025-11-25", clientInfo: { name: "life" } });
    if (session === undefined) throw new Error("A session that was just opened is not found");
    // The first use is always a touch.
    expect(session.expiresAt?.getTime() ?? 0).toBeGreaterThan(
      (session.createdAt?.getTime() ?? 0) + 3_000_000,
    );
    return { session, evicted };
  };
  const { session } = await open("first");
  await sessions.setLogLevel(session, "emergency");
  expect(await sessions.resume(session.key, session.principal)).toMatchObject({ logLevel: "emergency" });

  expect(await state.set(session, "color", "red")).toMatchObject({ outcome: "written", version: 1 });
  expect(await state.set(session, "size", [1, 2])).toMatchObject({ outcome: "written", version: 2 });
  expect(await state.get(session, "color")).toMatchObject({ found: true, value: "red", version: 1 });
  expect(await state.delete(session, "color")).toMatchObject({ outcome: "deleted", existed: true });

  expect((await open("second")).evicted).toBe(0);
  expect((await open("third")).evicted).toBe(0);
  expect((await open("fourth")).evicted).toBe(1);
  expect(await sessions.list(session.principal)).toHaveLength(3);
  const fourth = await keyOfSession("fourth");
  expect(await sessions.end(fourth, session.principal)).toBe(true);
  const own = await all.list({ principal: session.principal, limit: 100 });
  const listed = own.sessions.filter((one) => one.ended_at === null);
  expect(listed).toHaveLength(2);
  expect(await all.end(listed[0]?.handle ?? "")).toMatchObject({ principal: session.principal });
  expect(await sessions.endOthers(session.principal, undefined)).toBe(1);
  await open("fifth");
  expect(await all.endAll(session.principal)).toMatchObject({ ended: 1 });
  expect(await sessions.list(session.principal)).toEqual([]);
  // Every row can be listed.
  expect((await all.list({ limit: 1000 })).sessions.length).toBe(
    Number(await valueOf(config, "SELECT count(*) FROM ONLY mcp_sessions")),
  );
}

/** Lets the ended sessions be old enough, and deletes what has expired; the count is right afterwards. */
export async function cleanUpAll(config: ClientConfig): Promise<void> {
  const { cleanups, health } = await storesOf(config);
  await query(
    config,
    `UPDATE mcp_sessions SET ended_at = ended_at - interval '1 hour', expires_at = expires_at - interval '1 hour'
      WHERE ended_at IS NOT NULL`,
  );
  const [{ expired, kept } = {}] = await query(
    config,
    `SELECT count(*) FILTER (WHERE expires_at <= now())::int AS expired,
            count(*) FILTER (WHERE expires_at > now() OR expires_at IS NULL)::int AS kept FROM ONLY mcp_sessions`,
  );
  expect(await cleanups.clean("regular", new Date())).toMatchObject({
    outcome: "completed",
    deleted: expired,
  });
  expect(await valueOf(config, "SELECT count(*)::int FROM ONLY mcp_sessions")).toBe(kept);
  expect(await health.takeCensus(3600)).toMatchObject({ total: kept, expired: 0 });
}

/** A role that may write mcp_sessions and nothing else of ours, as another program's does. */
export async function otherProgram(config: ClientConfig): Promise<ClientConfig> {
  const user = `program_${String(config.database)}`;
  await query(
    config,
    `DO $$ BEGIN CREATE ROLE ${user} LOGIN PASSWORD 'p'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_sessions TO ${user}`,
    `GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${user}`,
  );
  return { ...config, user, password: "p" };
}
