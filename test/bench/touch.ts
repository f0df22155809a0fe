// What it costs to find, judge and touch a session, against what connect-pg-simple 10 does: a SELECT, then an UPDATE
// for each request. Directly on PostgreSQL, because the way there costs both the same.
import { availableParallelism, cpus } from "node:os";
import { Client } from "pg";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { startTestPostgres } from "../support/postgres.ts";
import { table } from "./soak/tally.ts";

const CLIENTS = 8;
const SESSIONS = 20_000;
const PAIRS = 5;
const TTL_SECONDS = 86_400;
const TOUCH_SECONDS = 60;

interface Measured {
  perSecond: number;
  walBytes: number;
  hotShare: number;
}

export async function touch(life: Life, args: string[]): Promise<void> {
  const roundMs = args.includes("--quick") ? 1000 : 5000;
  // As on Neon, whose storage has no need of page images.
  const postgres = await startTestPostgres({ full_page_writes: "off" });
  life.defer("PostgreSQL", () => postgres.remove());
  const config = {
    host: postgres.host,
    port: postgres.port,
    user: postgres.user,
    password: postgres.password,
    database: "postgres",
  };
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
  const measure = (request: typeof ours, relation: string) =>
    round(life, clients, request, relation, roundMs);

  await measure(ours, "mcp_sessions");
  await measure(peer, "session");
  const pairs: { ours: Measured; peer: Measured }[] = [];
  for (let i = 0; i < PAIRS; i++) {
    pairs.push({ ours: await measure(ours, "mcp_sessions"), peer: await measure(peer, "session") });
    console.log(`pair ${i + 1} of ${PAIRS}`);
  }
  const row = (name: string, valueOf: (pair: (typeof pairs)[number]) => number, digits: number) => {
    const values = pairs.map(valueOf).toSorted((a, b) => a - b);
    return [
      name,
      ...[values[0], values[Math.floor(PAIRS / 2)], values.at(-1)].map((value) =>
        (value ?? 0).toFixed(digits),
      ),
    ];
  };
  const { rows } = await first.query<{ version: string }>(
    "SELECT current_setting('server_version') AS version",
  );
  console.log(
    `PostgreSQL ${rows[0]?.version}, Node ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model}`,
  );
  await Promise.all(clients.map((client) => client.end()));
  console.log(
    table([
      ["", "min", "median", "max"],
      row("requests/s against SELECT, then UPDATE", ({ ours: a, peer: b }) => a.perSecond / b.perSecond, 2),
      row("WAL bytes a request against it", ({ ours: a, peer: b }) => a.walBytes / b.walBytes, 3),
      row("requests/s", ({ ours: a }) => a.perSecond, 0),
      row("WAL bytes a request", ({ ours: a }) => a.walBytes, 0),
      row("HOT share of the touches", ({ ours: a }) => a.hotShare, 3),
      row("HOT share of its touches", ({ peer: b }) => b.hotShare, 3),
    ]),
  );
}

/** Both tables with the same sessions. Ours ended up where touches have put them. */
async function fill(client: Client): Promise<void> {
  const data = `jsonb_build_object('name', 'bench', 'padding', repeat('x', 260))`;
  await client.query(
    `CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)`,
  );
  await client.query("CREATE INDEX ON session (expire)");
  await client.query(`INSERT INTO session SELECT 'session-' || i, ${data}, now() + interval '1 day'
                        FROM generate_series(0, ${SESSIONS - 1}) i`);
  await client.query(`INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info, created_at, last_active, expires_at)
    SELECT 'session-' || i, 'bench', '2025-11-25', ${data}, now() - interval '1 hour', active,
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
  const before = await read();
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
  const after = await read();
  return {
    perSecond: requests / seconds,
    walBytes: (after.lsn - before.lsn) / requests,
    hotShare: (after.hot - before.hot) / Math.max(after.upd - before.upd, 1),
  };
}
