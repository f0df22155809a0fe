// Tables as other programs may have them, at random. What db:migrate adopts works, for the Worker and for the other program;
// what it refuses is as it was. No live row is ever deleted.
import * as fc from "fast-check";
import { type ClientConfig, escapeIdentifier } from "pg";
import { expect, test } from "vitest";
import { reasonOf } from "../../drizzle/connection.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import { createDatabase, query, schemaOf, valueOf } from "./databases.ts";
import { liveAndEnd } from "./life.ts";
import { rowsOf } from "./refusals.ts";

// On another server, it is enough to see that it does the same.
const TABLES = process.env["POSTGRES_BIN"] ? 60 : 200;
const EXPIRED = 1000;
// Some of them, and never the session that a trial makes: whether it meets a trigger must not be left to its random id.
const LONG_EXPIRED = "OLD.expires_at < now() - interval '2 days 10 hours'";

interface Choice {
  /** Statements after the table is made; $ is the role of the other program. */
  statements: string[];
}
const choice = (...statements: string[]): Choice => ({ statements });

const noFunction = (body: string) =>
  `CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$`;
const trigger = (when: string, body: string) =>
  choice(
    noFunction(body),
    `CREATE TRIGGER theirs ${when} ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION theirs()`,
  );
const references = (options: string) =>
  choice(
    `CREATE TABLE calls (session_id text REFERENCES mcp_sessions (session_id) ${options})`,
    "INSERT INTO calls SELECT session_id FROM mcp_sessions WHERE session_id IN ('old3', 'old500', 'live1')",
  );

const nothing = choice();
// Eight of nine have nothing odd in this respect, so that about half of the tables can be adopted.
const most = <T>(usual: T, ...others: T[]) =>
  fc.oneof(
    { weight: others.length * 8, arbitrary: fc.constant(usual) },
    ...others.map((other) => fc.constant(other)),
  );

const tables = fc.record({
  id: most("text", "varchar", "varchar(64)", "varchar(36)", "uuid", 'text COLLATE "C"'),
  key: most("PRIMARY KEY", "UNIQUE NOT NULL", "UNIQUE", "", "UNIQUE DEFERRABLE"),
  time: most("timestamptz", "timestamp", "timestamptz(0)", "date"),
  json: most("jsonb", "json", "text"),
  columns: fc.subarray([
    "note text",
    "project text NOT NULL DEFAULT 'p'",
    "number integer GENERATED ALWAYS AS IDENTITY",
    "length integer GENERATED ALWAYS AS (length(session_id::text)) STORED",
    "serial_number serial",
    "deleted boolean DEFAULT false",
  ]),
  demand: most(
    "",
    "tenant text NOT NULL",
    "principal uuid",
    "state text",
    "tag text UNIQUE DEFAULT 'only one'",
  ),
  constraint: most(
    nothing,
    choice("ALTER TABLE mcp_sessions ADD CHECK (length(session_id::text) < 1000)"),
    choice("ALTER TABLE mcp_sessions ADD CHECK (length(session_id::text) < 40)"),
    choice("ALTER TABLE mcp_sessions ADD CHECK (expires_at > created_at) NOT VALID"),
    references(""),
    references("ON DELETE CASCADE"),
    references("DEFERRABLE INITIALLY DEFERRED"),
    references("ON DELETE SET NULL"),
  ),
  trigger: most(
    nothing,
    trigger("BEFORE INSERT OR UPDATE", "NEW.last_active := now(); RETURN NEW;"),
    trigger("BEFORE INSERT", "RAISE EXCEPTION 'no';"),
    trigger("BEFORE INSERT", "RETURN NULL;"),
    trigger(
      "AFTER UPDATE",
      "IF NEW.expires_at < now() - interval '1 day' THEN RAISE EXCEPTION 'no'; END IF; RETURN NULL;",
    ),
    trigger("BEFORE DELETE", `IF ${LONG_EXPIRED} THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD;`),
    trigger("BEFORE DELETE", `IF ${LONG_EXPIRED} THEN RETURN NULL; END IF; RETURN OLD;`),
    trigger("BEFORE DELETE", "RETURN NULL;"),
    trigger("AFTER DELETE", "ASSERT OLD.session_id::text <> 'old9'; RETURN NULL;"),
    choice("CREATE RULE theirs AS ON DELETE TO mcp_sessions DO INSTEAD NOTHING"),
    choice(
      "CREATE TABLE log (id text)",
      "CREATE RULE theirs AS ON UPDATE TO mcp_sessions DO ALSO INSERT INTO log VALUES (OLD.session_id)",
    ),
  ),
  rights: most(
    nothing,
    choice("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"),
    choice(
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY",
      "CREATE POLICY all_rows ON mcp_sessions USING (true)",
    ),
    choice(
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY all_rows ON mcp_sessions USING (true)",
    ),
    choice("ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"),
  ),
  family: most(
    nothing,
    choice(
      "CREATE TABLE archive () INHERITS (mcp_sessions)",
      "INSERT INTO archive (session_id, expires_at) SELECT 'kept' || i, now() + interval '1 day' FROM generate_series(1, 500) i",
    ),
    choice(
      "CREATE TABLE ancestor (id integer)",
      "ALTER TABLE mcp_sessions ADD COLUMN id integer, INHERIT ancestor",
    ),
  ),
  publication: most(
    nothing,
    choice("CREATE PUBLICATION theirs FOR ALL TABLES"),
    choice("CREATE PUBLICATION theirs FOR TABLE mcp_sessions"),
  ),
});
type Theirs = typeof tables extends fc.Arbitrary<infer T> ? T : never;

/** Makes the table; false when PostgreSQL does not take this combination. */
async function make(config: ClientConfig, owner: ClientConfig, theirs: Theirs): Promise<boolean> {
  const { id, key, time, json, columns, demand } = theirs;
  const own = [...columns, ...(demand === "" ? [] : [demand])];
  const role = escapeIdentifier(String(owner.user));
  try {
    await query(
      owner,
      `CREATE TABLE mcp_sessions (session_id ${id} ${key}, created_at ${time} DEFAULT now(), last_active ${time} DEFAULT now(),
         expires_at ${time}, capabilities ${json} DEFAULT '{}', client_info ${json} DEFAULT '{}'${own.map((column) => `, ${column}`).join("")})`,
    );
    await query(owner, ...seed(theirs));
    const statements = [theirs.constraint, theirs.trigger, theirs.rights, theirs.family].flatMap(
      (part) => part.statements,
    );
    await query(owner, ...statements);
    await query(config, ...theirs.publication.statements, `GRANT USAGE, CREATE ON SCHEMA public TO ${role}`);
    return true;
  } catch {
    return false;
  }
}

const given = ({ demand }: Theirs) =>
  demand.startsWith("tenant")
    ? ["tenant", "'t'"]
    : demand.startsWith("tag")
      ? ["tag", "gen_random_uuid()"]
      : undefined;

/** An INSERT of the other program, which knows its own columns. */
function insert(theirs: Theirs, name: string, expiry: string, count: number): string {
  const [column, value] = given(theirs) ?? [];
  const id = theirs.id === "uuid" ? "gen_random_uuid()" : `'${name}' || i`;
  return `INSERT INTO mcp_sessions (session_id, expires_at${column === undefined ? "" : `, ${column}`})
    SELECT ${id}, ${expiry}${value === undefined ? "" : `, ${value}`} FROM generate_series(1, ${count}) i`;
}

const seed = (theirs: Theirs) => [
  insert(theirs, "old", "now() - interval '2 days' - i * interval '1 minute'", EXPIRED),
  insert(theirs, "live", "now() + interval '2 days' + i * interval '1 minute'", 20),
  insert(theirs, "never", "NULL::timestamptz", 3),
];

/** Whether each kind of statement of the other program succeeds; nothing stays of it. */
async function works(owner: ClientConfig, theirs: Theirs): Promise<boolean[]> {
  const statements = [
    insert(theirs, "try", "now() + interval '1 day'", 1),
    "UPDATE mcp_sessions SET last_active = now() WHERE expires_at > now() + interval '2 days 15 minutes'",
    "DELETE FROM mcp_sessions WHERE expires_at > now() + interval '2 days 18 minutes'",
  ];
  return connected(owner, async (client) => {
    const worked: boolean[] = [];
    for (const statement of statements) {
      await client.query("BEGIN");
      worked.push(
        await client.query(statement).then(
          () => true,
          () => false,
        ),
      );
      await client.query("ROLLBACK");
    }
    return worked;
  });
}

const liveRows = (config: ClientConfig) =>
  valueOf(
    config,
    `SELECT count(*)::int FROM ONLY mcp_sessions WHERE expires_at > now() + interval '1 day' OR expires_at IS NULL`,
  );
const childRows = (config: ClientConfig) =>
  valueOf(config, "SELECT count(*)::int FROM mcp_sessions").then(
    async (all) => Number(all) - Number(await valueOf(config, "SELECT count(*)::int FROM ONLY mcp_sessions")),
  );

async function expectAdopted(config: ClientConfig, owner: ClientConfig, theirs: Theirs, before: boolean[]) {
  expect(await works(owner, theirs)).toEqual(before);
  const [live, children] = [await liveRows(config), await childRows(config)];
  const [run = {}] = await query(
    owner,
    "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 100, 60000, 30)",
  );
  expect(run).toMatchObject({ outcome: "completed" });
  const left = Number(
    await valueOf(config, "SELECT count(*) FROM ONLY mcp_sessions WHERE expires_at < now()"),
  );
  // What is left is what is blocked, and what is blocked is said.
  expect(left).toBe(Number(run["blocked"]));
  expect(Number(run["deleted"])).toBe(EXPIRED - left);
  expect(await liveRows(config)).toBe(live);
  expect(await childRows(config)).toBe(children);
  await liveAndEnd(owner);
  expect(await works(owner, theirs)).toEqual(before);
  // Nothing is left to do.
  expect((await migrate(owner)).filter((line) => !line.startsWith("Note: "))).toEqual([]);
}

const lookAt = async (config: ClientConfig, owner: ClientConfig, theirs: Theirs) => ({
  schema: await schemaOf(config),
  rows: await rowsOf(config),
  works: await works(owner, theirs),
});

async function expectRefused(
  config: ClientConfig,
  owner: ClientConfig,
  theirs: Theirs,
  was: Awaited<ReturnType<typeof lookAt>>,
  refusal: string,
) {
  // It says why.
  expect(refusal.length).toBeGreaterThan(20);
  expect(await lookAt(config, owner, theirs)).toEqual(was);
}

const outcomes = { adopted: 0, refused: 0 };
let databases = 0;

const property = fc.asyncProperty(tables, async (theirs) => {
  const config = await createDatabase();
  const user = `owner_${++databases}`;
  await query(config, `CREATE ROLE ${user} LOGIN PASSWORD 'p'`, `ALTER SCHEMA public OWNER TO ${user}`);
  const owner = { ...config, user, password: "p" };
  fc.pre(await make(config, owner, theirs));
  const was = await lookAt(config, owner, theirs);
  const refusal = await migrate(owner).then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
  outcomes[refusal === undefined ? "adopted" : "refused"] += 1;
  await (refusal === undefined
    ? expectAdopted(config, owner, theirs, was.works)
    : expectRefused(config, owner, theirs, was, refusal));
  await query({ ...config, database: "postgres" }, `DROP DATABASE ${String(config.database)} WITH (FORCE)`);
});

// While one waits for the server, the other works.
const AT_ONCE = 4;

test(`of ${TABLES} random tables each is adopted and works, or is refused and as it was`, async () => {
  const first = Math.floor(Math.random() * 2 ** 31);
  const searches = Array.from({ length: AT_ONCE }, (_, i) =>
    fc
      .assert(property, { numRuns: TABLES / AT_ONCE, seed: first + i, endOnFailure: true })
      .catch((error: unknown) => {
        // At once: what is found is rare, and the run may be ended before its summary.
        process.stderr.write(`${String(error)}\n`);
        throw error;
      }),
  );
  await Promise.allSettled(searches);
  await Promise.all(searches);
  // Of both there were many, or this shows little.
  expect(outcomes.adopted).toBeGreaterThan(TABLES / 5);
  expect(outcomes.refused).toBeGreaterThan(TABLES / 5);
}, 0);
