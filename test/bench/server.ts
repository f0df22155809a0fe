// The server of a bench: the embedded PostgreSQL, and a local Neon before it. Gone when the bench is.
import type { ClientConfig } from "pg";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import { connect, type Database } from "../../src/db/client.ts";
import { connected, startTestPostgres } from "../support/postgres.ts";

export interface Server {
  /** For a connection past the local Neon. */
  config: (database: string) => ClientConfig;
  /** As the Worker gets it in DATABASE_URL. */
  url: (database: string) => string;
  neon: LocalNeon;
  connect: (database: string) => Database;
  /** Runs a statement beside all databases, such as CREATE DATABASE. */
  admin: (statement: string) => Promise<unknown>;
}

// Images of whole pages, which Neon's storage has no need of, and checkpoints would be measured with the rest.
const SETTINGS = {
  full_page_writes: "off",
  autovacuum: "off",
  shared_buffers: "4GB",
  max_wal_size: "32GB",
  checkpoint_timeout: "30min",
};

export async function onServer<T>(
  work: (server: Server) => Promise<T>,
  settings: Record<string, string> = {},
): Promise<T> {
  const postgres = await startTestPostgres({ ...SETTINGS, ...settings });
  try {
    const neon = await startLocalNeon({ postgres, connectRetries: 0 });
    try {
      const { host, port, user, password } = postgres;
      const config = (database: string) => ({ host, port, user, password, database });
      const url = (database: string) =>
        `postgresql://${user}:${encodeURIComponent(password)}@ep-bench.localhost/${database}`;
      return await work({
        config,
        url,
        neon,
        connect: (database) => connect({ url: url(database), endpointOverride: neon.endpoint }),
        admin: (statement) => connected(config("postgres"), (client) => client.query(statement)),
      });
    } finally {
      await neon.close();
    }
  } finally {
    await postgres.remove();
  }
}

/** Session data of about 300 bytes, as a term of SQL. */
export const SESSION_DATA = `jsonb_build_object('name', 'bench', 'padding', repeat('x', 260))`;
