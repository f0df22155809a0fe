// What it costs to find, judge and touch a session, against what connect-pg-simple 10 does: a SELECT, then an UPDATE
// for each request. Directly on PostgreSQL, because the way there costs both the same.
import { Client } from "pg";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import type { Figure } from "./figures.ts";
import { onServer, type Server, SESSION_DATA } from "./server.ts";
import { cpuMsOf } from "./workerd.ts";

const CLIENTS = 8;
const SESSIONS = 20_000;
const PAIRS = 5;
const TTL_SECONDS = 86_400;
const TOUCH_SECONDS = 60;

interface Measured {
  perSecond: number;
  /** Of the backends, for each request. */
  cpuMs: number;
  walBytes: number;
  hotShare: number;
}

export const touch = (life: Life, quick: boolean) => onServer((server) => compare(life, server, quick));

async function compare(life: Life, server: Server, quick: boolean): Promise<Figure[]> {
  const roundMs = quick ? 500 : 5000;
  const config = server.config("postgres");
  await migrate(config);
  const clients = Array.from({ length: CLIENTS }, () => new Client(config));
  await Promise.all(clients.map((client) => client.connect()));
  const [first] = clients;
  if (first === undefined) throw new Error("no client");
  console.log(`Filling in ${SESSIONS} sessions of about 300 bytes, used within the last ${TOUCH_SECONDS} s.`);
  await fill(first);

  const ours = async (client: Client, i: number) => {
    await client.query("SELECT * FROM mcp_resume_session($1, 'bench', $2, NULL, $3)", [
      `session-${i}`,
      TTL_SECONDS,
      TOUCH_SECONDS,
    ]);
  };
  const peer = async (client: Client, i: number) => {
    const now = Date.now() / 1000;
    await client.query("SELECT sess FROM session WHERE sid = $1 AND expire >= to_timestamp($2)", [
      `session-${i}`,
      now,
    ]);
    await client.query("UPDATE session SET expire = to_timestamp($1) WHERE sid = $2 RETURNING sid", [
      now + TTL_SECONDS,
      `session-${i}`,
    ]);
  };
  // What no request can cost less than.
  const bare = async (client: Client, i: number) => {
    await client.query("SELECT * FROM mcp_sessions WHERE session_id = $1", [`session-${i}`]);
  };
  const measure = (request: typeof ours, relation: string) =>
    round(life, clients, request, relation, roundMs);

  await measure(ours, "mcp_sessions");
  await measure(peer, "session");
  const pairs: { ours: Measured; peer: Measured; bare: Measured }[] = [];
  for (let i = 0; i < PAIRS; i++) {
    pairs.push({
      ours: await measure(ours, "mcp_sessions"),
      peer: await measure(peer, "session"),
      bare: await measure(bare, "mcp_sessions"),
    });
    console.log(`pair ${i + 1} of ${PAIRS}`);
  }
  const writes: number[] = [];
  for (let i = 0; i < PAIRS; i++) writes.push(await writesOfSimultaneous(clients, `session-${i}`, ours));
  await Promise.all(clients.map((client) => client.end()));
  const of = (valueOf: (pair: (typeof pairs)[number]) => number) => pairs.map(valueOf);
  return [
    {
      what: "requests for the same CPU of the backends, against SELECT, then UPDATE",
      values: of(({ ours: a, peer: b }) => b.cpuMs / a.cpuMs),
      goal: { atLeast: 3 },
    },
    {
      what: "requests/s against it",
      values: of(({ ours: a, peer: b }) => a.perSecond / b.perSecond),
    },
    {
      what: "CPU of the backends for a request, against reading the session by its key",
      values: of(({ ours: a, bare: c }) => a.cpuMs / c.cpuMs),
    },
    { what: "CPU of the backends for a request, ms", values: of(({ ours: a }) => a.cpuMs), digits: 3 },
    {
      what: "WAL bytes a request against it",
      values: of(({ ours: a, peer: b }) => a.walBytes / b.walBytes),
      digits: 3,
      goal: { atMost: 0.1 },
    },
    { what: "requests/s", values: of(({ ours: a }) => a.perSecond), digits: 0 },
    { what: "HOT share of the touches", values: of(({ ours: a }) => a.hotShare), goal: { atLeast: 0.95 } },
    { what: "HOT share of its touches", values: of(({ peer: b }) => b.hotShare) },
    {
      what: "writes when 8 requests of a session arrive at once",
      values: writes,
      digits: 0,
      goal: { atMost: 1 },
    },
  ];
}

/** How many of them write, when every client sends a request of a session whose touch is due. */
async function writesOfSimultaneous(
  clients: Client[],
  id: string,
  request: (client: Client, i: number) => Promise<void>,
): Promise<number> {
  const [first] = clients;
  if (first === undefined) throw new Error("no client");
  await first.query(
    "UPDATE mcp_sessions SET last_active = now() - interval '1 hour', expires_at = now() + interval '1 hour' WHERE session_id = $1",
    [id],
  );
  const updates = async () => {
    await Promise.all(clients.map((client) => client.query("SELECT pg_stat_force_next_flush()")));
    const { rows } = await first.query<{ count: string }>(
      "SELECT n_tup_upd AS count FROM pg_stat_user_tables WHERE relname = 'mcp_sessions'",
    );
    return Number(rows[0]?.count);
  };
  const before = await updates();
  await Promise.all(clients.map((client) => request(client, Number(id.replace("session-", "")))));
  return (await updates()) - before;
}

/** Both tables with the same sessions. Ours ended up where touches have put them. */
async function fill(client: Client): Promise<void> {
  await client.query(
    `CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)`,
  );
  await client.query("CREATE INDEX ON session (expire)");
  await client.query(`INSERT INTO session SELECT 'session-' || i, ${SESSION_DATA}, now() + interval '1 day'
                        FROM generate_series(0, ${SESSIONS - 1}) i`);
  await client.query(`INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info, created_at, last_active, expires_at)
    SELECT 'session-' || i, 'bench', '2025-11-25', ${SESSION_DATA}, now() - interval '1 hour', active,
           date_bin('30 minutes', active + interval '1 day', 'epoch') + interval '30 minutes'
      FROM (SELECT i, now() - random() * ${TOUCH_SECONDS} * interval '1 second' AS active
              FROM generate_series(0, ${SESSIONS - 1}) i) AS used`);
  await client.query("VACUUM ANALYZE");
}

async function round(
  life: Life,
  clients: Client[],
  request: (client: Client, i: number) => Promise<void>,
  relation: string,
  roundMs: number,
): Promise<Measured> {
  const [first] = clients;
  if (first === undefined) throw new Error("no client");
  const read = async () => {
    // Each backend reports what it has counted when it is asked for nothing else.
    await Promise.all(clients.map((client) => client.query("SELECT pg_stat_force_next_flush()")));
    const { rows } = await first.query<Record<"lsn" | "upd" | "hot", string>>(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS lsn, n_tup_upd AS upd, n_tup_hot_upd AS hot
         FROM pg_stat_user_tables WHERE relname = $1`,
      [relation],
    );
    return { lsn: Number(rows[0]?.lsn), upd: Number(rows[0]?.upd), hot: Number(rows[0]?.hot) };
  };
  const backends = await Promise.all(
    clients.map(async (client) => {
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      return String(rows[0]?.pid);
    }),
  );
  const cpuMs = () => backends.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  const before = await read();
  const cpuBefore = cpuMs();
  const startedAt = performance.now();
  let requests = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() - startedAt < roundMs) {
        life.asked.throwIfAborted();
        await request(client, Math.floor(Math.random() * SESSIONS));
        requests++;
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuAfter = cpuMs();
  const after = await read();
  return {
    perSecond: requests / seconds,
    cpuMs: (cpuAfter - cpuBefore) / requests,
    walBytes: (after.lsn - before.lsn) / requests,
    hotShare: (after.hot - before.hot) / Math.max(after.upd - before.upd, 1),
  };
}
