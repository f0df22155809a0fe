// A role and a database as Neon makes them, behind the local Neon.
import { randomBytes } from "node:crypto";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";

export interface DeployDatabase {
  neon: LocalNeon;
  /** The server, which can be stopped and started. */
  postgres: TestPostgres;
  /** A new database of the Worker's role, with no table in it. */
  create(): Promise<Database>;
  stop(): Promise<void>;
}

export interface Database {
  /** As the Neon console shows it. */
  url: string;
  /** For `db:migrate`, which connects to the server itself. */
  directUrl: string;
  /** Applies the files of this folder, today's when left out. */
  migrate(folder?: string): Promise<string[]>;
  /** Asks PostgreSQL directly, as its superuser. */
  ask<Row extends object>(statement: string): Promise<Row[]>;
}

const HOST = "ep-deploy-12345678.eu-central-1.aws.neon.tech";

export async function startDatabase(): Promise<DeployDatabase> {
  const postgres = await startTestPostgres({ fsync: "off" });
  try {
    const { host, port, user, password } = postgres;
    const ask = <Row extends object>(database: string, statement: string) =>
      connected({ host, port, user, password, database }, async (client) => {
        const { rows } = await client.query<Row>(statement);
        return rows;
      });
    const role = { user: "mcp", password: randomBytes(24).toString("base64url") };
    await ask("postgres", `CREATE ROLE mcp LOGIN PASSWORD '${role.password}'`);
    const neon = await startLocalNeon({ postgres, connectRetries: 0 });
    let databases = 0;
    return {
      neon,
      postgres,
      async create() {
        const database = `mcp_${++databases}`;
        await ask("postgres", `CREATE DATABASE ${database} OWNER mcp`);
        return {
          url: `postgresql://mcp:${role.password}@${HOST}/${database}?sslmode=require`,
          directUrl: `postgresql://mcp:${role.password}@${host}:${port}/${database}`,
          migrate: (folder) => migrate({ host, port, ...role, database }, folder),
          ask: (statement) => ask(database, statement),
        };
      },
      async stop() {
        await neon.close();
        await postgres.remove();
      },
    };
  } catch (error) {
    await postgres.remove();
    throw error;
  }
}
