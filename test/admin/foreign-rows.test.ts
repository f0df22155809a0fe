// Whatever another program has put into a row, the row is shown right or with nulls, and no list fails because of it.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import { clientInfo, open } from "../support/mcp.ts";
import { times } from "../support/times.ts";
import { asWorkerRole, bearer, createDatabase, keys, send, type TestDatabase } from "../support/worker.ts";

interface Page {
  sessions: Record<string, unknown>[];
  next: string | null;
}

async function page(env: Env, query = ""): Promise<Page> {
  const response = await send(env, `/sessions?limit=1000${query}`, bearer(keys.admin));
  expect(response.status).toBe(200);
  return response.json();
}

const timeColumns = ["created_at", "last_active", "expires_at", "ended_at"] as const;

test.each(timeColumns)("any time in %s is shown right or as null", async (column) => {
  const database = await createDatabase();
  for (const [i, [time]] of times.entries()) {
    await database.query(
      `INSERT INTO mcp_sessions (session_id, protocol_version, ${column}) VALUES ($1, $1, $2)`,
      [`row-${i}`, time],
    );
  }
  const { sessions } = await page(database.env());
  const shown = new Map(sessions.map((session) => [session["protocol_version"], session[column]]));
  expect(times.map((_, i) => shown.get(`row-${i}`))).toEqual(times.map(([, iso]) => iso));
});

test("times are in UTC, whatever the time zone of the role or the database is", async () => {
  const owner = await createDatabase();
  const name = new URL(owner.url).pathname.slice(1);
  await owner.query(`ALTER DATABASE ${name} SET timezone = 'Asia/Kathmandu'`);
  await owner.query(`ALTER DATABASE ${name} SET datestyle = 'German'`);
  await owner.query(
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('a', '2025-11-25 12:00:00+00')",
  );
  // A connection of another role, and so a new one.
  const { sessions } = await page((await asWorkerRole(owner)).env());
  expect(sessions).toMatchObject([{ expires_at: "2025-11-25T12:00:00.000Z" }]);
});

test("so is a random one", async () => {
  const database = await createDatabase();
  const DAY_MS = 86_400_000;
  // From the first day of PostgreSQL to its last, counted from 1970.
  const days = fc.oneof(
    fc.integer({ min: -2_440_588, max: 106_741_034 }),
    fc.integer({ min: -800_000, max: 3_000_000 }),
  );
  const moments = fc.sample(fc.tuple(days, fc.integer({ min: 0, max: DAY_MS * 1000 - 1 })), 500);
  await database.query(
    `INSERT INTO mcp_sessions (session_id, protocol_version, expires_at)
     SELECT place, place, timestamptz 'epoch' + make_interval(days => day) + micros * interval '1 microsecond'
       FROM unnest($1::int[], $2::bigint[]) WITH ORDINALITY AS moment (day, micros, place)`,
    [moments.map(([day]) => day), moments.map(([, micros]) => micros)],
  );
  const { sessions } = await page(database.env());
  for (const session of sessions) {
    const [day, micros] = moments[Number(session["protocol_version"]) - 1] ?? [0, 0];
    const ms = day * DAY_MS + Math.floor(micros / 1000);
    const isShown = ms >= Date.parse("0001-01-01T00:00:00Z") && ms < Date.parse("+010000-01-01T00:00:00Z");
    expect(session["expires_at"]).toBe(isShown ? new Date(ms).toISOString() : null);
    expect(session["state"]).toBe(ms > Date.now() ? "active" : "expired");
  }
  expect(sessions).toHaveLength(500);
});

const MEGABYTE = 1024 * 1024;

/** A value of client_info, or what makes it in SQL, and what is shown of it. */
const clients: readonly (readonly [string, { name: string | null; version: string | null }])[] = [
  ["NULL", { name: null, version: null }],
  ["'null'", { name: null, version: null }],
  ["'[]'", { name: null, version: null }],
  [`'["name", "version"]'`, { name: null, version: null }],
  [`'[{"name": "a"}]'`, { name: null, version: null }],
  [`'"name"'`, { name: null, version: null }],
  ["'7'", { name: null, version: null }],
  ["'true'", { name: null, version: null }],
  ["'1e400'", { name: null, version: null }],
  [`'{"name": null, "version": 7}'`, { name: null, version: null }],
  [`'{"name": {"secret": "hidden"}, "version": ["hidden"]}'`, { name: null, version: null }],
  [`'{"name": "", "version": " "}'`, { name: "", version: " " }],
  [
    String.raw`'{"name": "\u2028\"\\\n\ud83d\ude00\u001b", "version": "\\u0000"}'`,
    { name: '\u2028"\\\n😀\u001b', version: String.raw`\u0000` },
  ],
  [`'{"__proto__": "x", "name": "n", "constructor": 1}'`, { name: "n", version: null }],
  [
    `jsonb_build_object('name', repeat('😀', ${MEGABYTE / 4}), 'version', repeat('x', ${MEGABYTE}))`,
    { name: "😀".repeat(256), version: "x".repeat(256) },
  ],
  [`(repeat('[', 3000) || repeat(']', 3000))::jsonb`, { name: null, version: null }],
];

test("any client_info is shown as its name and version, as far as these are text", async () => {
  const database = await createDatabase();
  for (const [i, [value]] of clients.entries()) {
    await database.query(
      `INSERT INTO mcp_sessions (session_id, protocol_version, client_info) VALUES ($1, $1, ${value})`,
      [`row-${i}`],
    );
  }
  const { sessions } = await page(database.env());
  const shown = new Map(
    sessions.map(({ protocol_version: row, client_name: name, client_version: version }) => [
      row,
      { name, version },
    ]),
  );
  expect(clients.map((_, i) => shown.get(`row-${i}`))).toEqual(clients.map(([, expected]) => expected));
});

test("long and odd texts are cut, and a foreign id is never shown", async () => {
  const database = await createDatabase();
  const odd = "'\"\\\u001b\u2028😀 <script> ";
  for (const [key, principal, text] of [
    ["short-id", "", odd],
    ["12345678", "alice", odd.repeat(100_000)],
    [`\\x${"ab".repeat(100)}`, odd.repeat(30), ""],
    // 64 characters, but no hash.
    ["Z".repeat(64), "bob", "x"],
  ] as const) {
    await database.query(
      "INSERT INTO mcp_sessions (session_id, principal, protocol_version, end_reason, log_level) VALUES ($1, $2, $3, $3, $3)",
      [keepSecret(key), principal, text],
    );
  }
  const { sessions } = await page(database.env());
  expect(sessions).toHaveLength(4);
  for (const session of sessions) expect(session["session"]).toBeNull();
  for (const { principal, protocol_version: version } of sessions) {
    expect(Array.from(String(principal)).length).toBeLessThanOrEqual(512);
    expect(Array.from(String(version)).length).toBeLessThanOrEqual(256);
  }
  const byPrincipal = new Map(sessions.map((session) => [session["principal"], session]));
  expect(byPrincipal.get("")).toMatchObject({ protocol_version: odd, end_reason: odd });
  expect(byPrincipal.get("alice")).toMatchObject({
    protocol_version: Array.from(odd.repeat(100)).slice(0, 256).join(""),
  });
});

test("a thousand rows that are as large as rows can be make an answer all the same", async () => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info)
     SELECT i::text, repeat(chr(1), 600), repeat(chr(128512), 600),
            jsonb_build_object('name', repeat(chr(1), 20000), 'version', repeat(chr(128512), 1000))
       FROM generate_series(1, 1000) i`,
  );
  expect((await page(database.env())).sessions).toHaveLength(1000);
});

test("a row without an id, and columns of other names, break no page", async () => {
  const database = await createDatabase();
  await database.query("ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey");
  await database.query("ALTER TABLE mcp_sessions ADD UNIQUE (session_id), ALTER session_id DROP NOT NULL");
  await database.query(
    `ALTER TABLE mcp_sessions ADD handle text DEFAULT 'theirs', ADD place int DEFAULT 5000, ADD is_wanted boolean DEFAULT false,
       ADD state_ text, ADD session text DEFAULT 'theirs', ADD client_name text DEFAULT 'theirs', ADD is_last boolean DEFAULT true`,
  );
  const env = database.env();
  await open(env);
  await database.query("INSERT INTO mcp_sessions (session_id) VALUES (NULL), ('with-id')");
  const { sessions, next } = await page(env);
  expect(new Set(sessions.map(({ client_name: name }) => name))).toEqual(new Set([null, clientInfo.name]));
  expect(sessions).toHaveLength(2);
  expect(next).toBeNull();
});

// Only a record that is restored past its trigger can have such times.
const addRecord = ({ query }: TestDatabase, columns: string, values: string) =>
  query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, outcome, scheduled_at, cutoff, started_at, finished_at, ${columns})
     SELECT 'regular', 'manual', 'completed', now(), now(), now(), now(), ${values}`,
  );

const runColumns = ["scheduled_at", "cutoff", "started_at", "finished_at"] as const;

test.each(runColumns)("any %s of a cleanup run is shown right or as null", async (column) => {
  const database = await createDatabase();
  await database.query("ALTER TABLE mcp_cleanup_runs DISABLE TRIGGER USER");
  const known = times.filter(([time]) => time !== null);
  for (const [time] of known) {
    await addRecord(database, "deleted", "7");
    await database.query(
      `UPDATE mcp_cleanup_runs SET ${column} = $1 WHERE run_id = (SELECT max(run_id) FROM mcp_cleanup_runs)`,
      [time],
    );
  }
  const response = await send(database.env(), "/cleanup/runs", bearer(keys.admin));
  expect(response.status).toBe(200);
  const { runs } = (await response.json()) as { runs: Record<string, unknown>[] };
  expect(runs.map((run) => run[column]).toReversed()).toEqual(known.map(([, iso]) => iso));
});
