// npm run dev -- --database: reaches any PostgreSQL, says what it does to it, and shows its password nowhere.
import { execFile } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { neon, neonConfig } from "@neondatabase/serverless";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { readTarget } from "../../dev/connection-string.ts";
import { openGiven, reach } from "../../dev/given-database.ts";
import { anyFreePort } from "../../dev/ports.ts";
import type { Life } from "../../dev/shutdown.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";
import { selfSigned } from "./support/certificate.ts";

// Percent-encoded in a URL, and not the same then.
const PASSWORD = "s3cr3t/p@ss:%";
const ENCODED = encodeURIComponent(PASSWORD);

let postgres: TestPostgres;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dev-given-"));
  postgres = await startTestPostgres({ fsync: "off" });
  await admin(`CREATE ROLE me LOGIN PASSWORD '${PASSWORD}'`, "CREATE DATABASE sessions OWNER me");
});
afterAll(async () => {
  await postgres.remove();
  rmSync(folder, { recursive: true });
});

/** Runs statements as the superuser; returns the first value of the last. */
async function admin(...statements: string[]): Promise<unknown> {
  const { host, port, user, password } = postgres;
  return connected({ host, port, user, password, database: "postgres" }, async (client) => {
    let value: unknown;
    for (const statement of statements) {
      const { rows } = await client.query(statement);
      value = Object.values(rows[0] ?? {})[0];
    }
    return value;
  });
}

const urlOf = (rest = "sessions", host = "127.0.0.1") =>
  `postgresql://me:${ENCODED}@${host}:${postgres.port}/${rest}`;
const reached = async (url: string) => (await reach(readTarget(url, {}))).tls;

/** What a connection fails with, in one line. */
async function refusalOf(url: string): Promise<string> {
  const failure = await reach(readTarget(url, {})).catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: "Failure", message: expect.not.stringMatching(/\n|s3cr3t/) });
  return failure instanceof Error ? failure.message : "";
}

describe("a connection that fails says why, for", () => {
  test("a port on which nothing listens", async () => {
    const port = await anyFreePort();
    expect(await refusalOf(`postgresql://me:${ENCODED}@127.0.0.1:${port}/sessions`)).toBe(
      `PostgreSQL at 127.0.0.1:${port} cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });

  test("a host that has no address", async () => {
    expect(await refusalOf(`postgresql://me:${ENCODED}@nowhere.invalid/sessions`)).toMatch(
      /^PostgreSQL at nowhere\.invalid:5432 cannot be reached: getaddrinfo /,
    );
  });

  test("a server that is no PostgreSQL", async () => {
    const { createServer } = await import("node:http");
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    expect(await refusalOf(`postgresql://me:${ENCODED}@127.0.0.1:${port}/sessions`)).toContain(
      `No connection to PostgreSQL at 127.0.0.1:${port} with sslmode=prefer:`,
    );
    server.close();
  });

  test("a wrong password", async () => {
    expect(await refusalOf(urlOf().replace(ENCODED, "s3cr3t"))).toBe(
      `PostgreSQL at 127.0.0.1:${postgres.port} refuses: password authentication failed for user "me" (28P01)`,
    );
  });

  test("a password that is missing", async () => {
    expect(await refusalOf(urlOf().replace(`:${ENCODED}`, ""))).toBe(
      `PostgreSQL at 127.0.0.1:${postgres.port} wants a password. Write it into the URL of --database, or set PGPASSWORD.`,
    );
  });

  test("a database that is not there", async () => {
    expect(await refusalOf(urlOf("other"))).toBe(
      `PostgreSQL at 127.0.0.1:${postgres.port} refuses: database "other" does not exist (3D000)`,
    );
  });

  test("TLS with a server that has none", async () => {
    expect(await refusalOf(urlOf("sessions?sslmode=require"))).toBe(
      `No connection to PostgreSQL at 127.0.0.1:${postgres.port} with sslmode=require: The server does not support SSL connections`,
    );
  });
});

/** What opening a database prints and opens. */
async function open(url: string, convert = false) {
  const closers: (() => Promise<void> | void)[] = [];
  const life: Life = {
    asked: new AbortController().signal,
    defer: (_, close) => void closers.push(() => close(new AbortController().signal)),
  };
  const opened = await openGiven(life, url, { convert, neonPort: await anyFreePort() });
  return {
    ...opened,
    close: async () => {
      for (const close of closers) await close();
    },
  };
}

describe("a database that is given", () => {
  let printed: string[];
  beforeEach(async () => {
    printed = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
    await admin("DROP DATABASE IF EXISTS sessions WITH (FORCE)", "CREATE DATABASE sessions OWNER me");
    return () => vi.restoreAllMocks();
  });

  const ask = (statement: string) =>
    connected({ connectionString: urlOf() }, async (client) => {
      const { rows } = await client.query(statement);
      return rows;
    });

  test("is migrated as it was said, and answers the Worker's driver and TCP clients", async () => {
    const opened = await open(urlOf());
    expect(printed[0]).toContain(
      `This uses the database sessions on 127.0.0.1:${postgres.port}, as the role me.`,
    );
    expect(printed[0]).toContain("the crons delete its expired sessions");
    expect(printed[1]).toContain("  Would apply 0000_baseline: not applied yet\n");

    neonConfig.fetchEndpoint = opened.vars["NEON_ENDPOINT_OVERRIDE"] ?? "";
    const sql = neon(opened.vars["DATABASE_URL"] ?? "");
    expect(
      await sql`SELECT current_user AS role, current_database() AS database, to_regclass('mcp_cleanup_runs') IS NOT NULL AS is_migrated`,
    ).toEqual([{ role: "me", database: "sessions", is_migrated: true }]);
    const tcp = new Client({ connectionString: opened.places.databaseUrl });
    await tcp.connect();
    await tcp.end();
    expect(opened.shown).toEqual([
      ["Local Neon", opened.places.neonEndpoint],
      ["PostgreSQL", `sessions on 127.0.0.1:${postgres.port}`],
    ]);
    expect(opened.notes.join()).toContain("crons delete the expired sessions");
    expect(JSON.stringify([printed, opened.shown, opened.notes])).not.toContain("s3cr3t");
    await opened.close();

    const again = await open(urlOf());
    expect(printed.at(-1)).toBe("It is up to date.");
    await again.close();
  });

  test("is refused with db:migrate's reasons and nothing changed, and converted when that was asked for", async () => {
    await ask(
      "CREATE TABLE mcp_sessions (session_id text PRIMARY KEY, created_at timestamptz, last_active timestamptz, expires_at timestamp, capabilities jsonb, client_info jsonb)",
    );
    await expect(open(urlOf())).rejects.toMatchObject({
      name: "Failure",
      message: expect.stringMatching(
        /^The database sessions on [^ ]+ was not migrated, and nothing was changed: the existing table mcp_sessions cannot be adopted:\n {2}- expires_at must be timestamp with time zone.*--convert changes it/,
      ),
    });
    expect(
      await ask("SELECT pg_typeof(expires_at)::text FROM (SELECT NULL) AS a LEFT JOIN mcp_sessions ON true"),
    ).toEqual([{ pg_typeof: "timestamp without time zone" }]);
    const opened = await open(urlOf(), true);
    expect(printed.join("\n")).toContain(
      "  Would convert mcp_sessions.expires_at from timestamp without time zone",
    );
    expect(
      await ask("SELECT pg_typeof(expires_at)::text FROM (SELECT NULL) AS a LEFT JOIN mcp_sessions ON true"),
    ).toEqual([{ pg_typeof: "timestamp with time zone" }]);
    await opened.close();
  });
});

describe("TLS", () => {
  let ca: string;
  beforeAll(async () => {
    const data = String(await admin("SHOW data_directory"));
    const { uid, gid } = statSync(data);
    const { cert, key } = selfSigned();
    for (const [name, text] of Object.entries({ "server.crt": cert, "server.key": key })) {
      writeFileSync(join(data, name), text, { mode: 0o600 });
      if (process.getuid?.() === 0) chownSync(join(data, name), uid, gid);
    }
    ca = join(folder, "ca.pem");
    writeFileSync(ca, cert);
    // The role must come encrypted; the superuser need not.
    const rules = readFileSync(join(data, "pg_hba.conf"), "utf8");
    writeFileSync(join(data, "pg_hba.conf"), `hostnossl all me all reject\n${rules}`);
    await admin("ALTER SYSTEM SET ssl = on");
    await postgres.stop();
    await postgres.start();
  });

  test("that PostgreSQL wants and the URL forbids is refused", async () => {
    expect(await refusalOf(urlOf("sessions?sslmode=disable"))).toContain("(28000)");
  });

  test.each([
    ["sslmode=require", { rejectUnauthorized: false }],
    ["sslmode=prefer", { rejectUnauthorized: false }],
    // PostgreSQL wants it, which the first try shows.
    ["sslmode=allow", { rejectUnauthorized: false }],
    ["", { rejectUnauthorized: false }],
  ])("with %j takes any certificate", async (parameters, expected) => {
    expect(await reached(urlOf(`sessions?${parameters}`))).toEqual(expected);
  });

  test("with verify-full takes a certificate that it can check, for this host", async () => {
    const parameters = `sessions?sslmode=verify-full&sslrootcert=${ca}`;
    expect(await reached(urlOf(parameters))).toMatchObject({ ca: readFileSync(ca, "utf8") });
    expect(await reached(urlOf(parameters, "localhost"))).toMatchObject({ ca: readFileSync(ca, "utf8") });
    expect(await refusalOf(urlOf("sessions?sslmode=verify-full"))).toMatch(
      /^No connection to PostgreSQL at \S+ with sslmode=verify-full: .*self.signed certificate/,
    );
    // It leads to this machine, too, and is not in the certificate.
    expect(await refusalOf(urlOf(parameters, "0.0.0.0"))).toContain("does not match certificate's altnames");
    expect(await reached(urlOf(parameters.replace("full", "ca")))).toMatchObject({
      ca: readFileSync(ca, "utf8"),
    });
  });

  test("with the roots of the system refuses a certificate that they do not know", async () => {
    expect(await refusalOf(urlOf("sessions?sslrootcert=system"))).toMatch(/self.signed certificate/);
  });

  test.each(["sslmode=verify-full&sslrootcert=system", "sslmode=require&channel_binding=require"])(
    "with %s is what db:migrate uses, too",
    async (parameters) => {
      const env = { ...process.env, DATABASE_URL: urlOf(`sessions?${parameters}`), SSL_CERT_FILE: ca };
      const { stdout } = await promisify(execFile)(
        join("node_modules", ".bin", "node"),
        ["drizzle/migrate.ts", "--plan"],
        { env },
      );
      expect(stdout).not.toBe("");
    },
  );

  test.each(["sslmode=require", "sslmode=verify-full&sslrootcert=CA", "sslmode=verify-ca&sslrootcert=CA"])(
    "with %s is also what the local Neon and TCP clients use",
    async (parameters) => {
      vi.spyOn(console, "log").mockImplementation(() => {});
      const opened = await open(urlOf(`sessions?${parameters.replace("CA", ca)}`));
      vi.restoreAllMocks();
      neonConfig.fetchEndpoint = opened.vars["NEON_ENDPOINT_OVERRIDE"] ?? "";
      const isEncrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
      expect(await neon(opened.vars["DATABASE_URL"] ?? "").query(isEncrypted)).toEqual([{ ssl: true }]);
      await connected({ connectionString: opened.places.databaseUrl }, async (client) => {
        expect((await client.query(isEncrypted)).rows).toEqual([{ ssl: true }]);
      });
      await opened.close();
    },
  );
});
