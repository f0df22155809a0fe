// Who is compared, over one PostgreSQL and one disk.
import type { Life } from "../../../dev/shutdown.ts";
import { type Database, type DeployDatabase, startDatabase } from "../../deploy/database.ts";
import { connected } from "../../support/postgres.ts";
import { newKey } from "../system.ts";
import { wayTo } from "./delay.ts";
import { agentOf, bytesIn, folderOf, inWorkerd, type Program, pythonOf, workerOf } from "./program.ts";

export const OWN = "mcp-sessions";
export const INTERVAL = "the same, interval 60 s";
export const AGENT = "McpAgent";
export const MEMORY = "SDK in memory";
export const PYTHON = "Python SDK, table";

export interface Peer {
  name: string;
  /** Starts it over what it has kept. */
  start: Program;
  /** Bytes written so far: of the write-ahead log, or on disk. */
  written(): Promise<number>;
  /** Bytes that it keeps. */
  stored(): Promise<number>;
  /** Where another isolate finds a session. */
  finds: "in the table" | "in its object" | "nowhere";
}

export interface Field {
  peers: Peer[];
  /** Why peers are missing. */
  missing: string[];
  keys: string[];
  /** From now on the database is so far away, there and back. */
  setDistance(ms: number): void;
}

// One principal may have 1,000 sessions.
const KEYS = 60;

export async function startField(life: Life): Promise<Field> {
  const databases = await startDatabase();
  life.defer("PostgreSQL", () => databases.stop());
  const database = await databases.create();
  await database.migrate();
  const forPython = await databases.create();
  const way = await wayTo(life, databases.postgres);
  const keys = Array.from({ length: KEYS }, newKey);
  const walBytes = () => walBytesOf(databases);
  const sizeOf = async (table: string, within: Database) => {
    const [row] = await within.ask<{ bytes: string }>(`SELECT pg_total_relation_size('${table}') AS bytes`);
    return Number(row?.bytes);
  };
  const inTable = {
    written: walBytes,
    stored: () => sizeOf("mcp_sessions", database),
    finds: "in the table",
  } as const;

  const variables = {
    DATABASE_URL: database.url,
    API_KEYS: keys.map((key, i) => `user${i}:mcp:${key}`).join(","),
    MCP_IMMEDIATE_CLEANUP_CRON: "*/10 * * * *",
    MCP_REGULAR_CLEANUP_CRON: "0 * * * *",
  };
  const own = await workerOf(life, "own");
  const ownWith = (more: Record<string, string>) =>
    inWorkerd(life, own, { neonPort: databases.neon.port, variables: { ...variables, ...more } });
  const KEYS_OF_OTHERS = { KEYS: keys.join(" ") };
  const disk = folderOf(life, "disk");
  const agent = {
    ...(await agentOf(folderOf(life, "agent"))),
    objects: { className: "PeerAgent", folder: disk },
  };
  const peers: Peer[] = [
    { name: OWN, start: ownWith({}), ...inTable },
    {
      name: INTERVAL,
      start: ownWith({ MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60" }),
      ...inTable,
    },
    {
      name: AGENT,
      start: inWorkerd(life, agent, { variables: KEYS_OF_OTHERS }),
      written: async () => bytesIn(disk),
      // The rest is SQLite's own, and small.
      stored: async () => bytesIn(disk, ".sqlite"),
      finds: "in its object",
    },
    {
      name: MEMORY,
      start: inWorkerd(life, await workerOf(life, "memory"), { variables: KEYS_OF_OTHERS }),
      written: async () => 0,
      stored: async () => 0,
      finds: "nowhere",
    },
  ];
  const url = new URL(forPython.directUrl);
  url.port = String(way.port);
  const python = await pythonOf(life, { ...KEYS_OF_OTHERS, DATABASE_URL: url.href });
  if (typeof python === "function")
    peers.push({ name: PYTHON, start: python, ...inTable, stored: () => sizeOf("sessions", forPython) });
  return {
    peers,
    missing: typeof python === "function" ? [] : [`${PYTHON}: ${python.reason}`],
    keys,
    setDistance(ms) {
      way.ms = ms;
      if (ms === 0) databases.neon.switchboard.clear();
      else databases.neon.switchboard.set({ fault: { kind: "latency", ms } });
    },
  };
}

async function walBytesOf({ postgres }: DeployDatabase): Promise<number> {
  const { host, port, user, password } = postgres;
  return connected({ host, port, user, password, database: "postgres" }, async (client) => {
    const { rows } = await client.query<{ bytes: string }>(
      "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes",
    );
    return Number(rows[0]?.bytes);
  });
}
