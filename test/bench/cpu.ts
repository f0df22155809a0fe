// The processor time of each kind of request in workerd alone, beyond that of `/healthz`, and of the first requests of an isolate.
import type { Life } from "../../dev/shutdown.ts";
import { startDatabase } from "../deploy/database.ts";
import { type Figure, ratios } from "./figures.ts";
import { call, healthz, measure, open } from "./peers/measure.ts";
import { inWorkerd, type Running, workerOf } from "./peers/program.ts";
import { resumeStatement } from "./statements.ts";
import { exchange } from "./soak/wire.ts";
import { newKey } from "./system.ts";
import { cpuMsOf } from "./workerd.ts";

const ROUNDS = 5;
const STARTS = 7;
const REGULAR = "0 * * * *";
const IMMEDIATE = "*/10 * * * *";
const PATIENCE_MS = 60_000;

export async function cpu(life: Life, quick: boolean): Promise<Figure[]> {
  const databases = await startDatabase();
  life.defer("PostgreSQL", () => databases.stop());
  const database = await databases.create();
  await database.migrate();
  const keys = { alice: newKey(), monitor: newKey(), prometheus: newKey() };
  const variables = {
    DATABASE_URL: database.url,
    API_KEYS: `alice:mcp:${keys.alice},monitor:health:${keys.monitor},prometheus:metrics:${keys.prometheus}`,
    MCP_IMMEDIATE_CLEANUP_CRON: IMMEDIATE,
    MCP_REGULAR_CLEANUP_CRON: REGULAR,
    MCP_MAX_SESSIONS_PER_PRINCIPAL: "100000",
  };
  const neonPort = databases.neon.port;
  const start = inWorkerd(life, await workerOf(life, "own"), { neonPort, variables });
  const server = await start();
  const session = await open(server, keys.alice);
  const client = { key: keys.alice, session };
  const get = (path: string, key: string) => async () => {
    const response = await fetch(`${server.url}${path}`, { headers: { Authorization: `Bearer ${key}` } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text.slice(0, 200)}`);
  };
  const kinds: Record<string, () => Promise<unknown>> = {
    healthz: () => healthz(server),
    initialize: () => open(server, keys.alice),
    "tools/call": () => call(server, client),
    "/session-health": get("/session-health", keys.monitor),
    "/metrics": get("/metrics", keys.prometheus),
    "a cron event": () => server.cron(REGULAR),
  };
  const values = new Map<string, number[]>();
  for (let round = 0; round <= (quick ? 1 : ROUNDS); round++) {
    for (const [kind, request] of Object.entries(kinds)) {
      const { cpuMs } = await measure(life, server, request, { clients: 1, count: quick ? 20 : 300 });
      if (round > 0) values.set(kind, [...(values.get(kind) ?? []), cpuMs]);
    }
  }
  await server.stop();
  const of = (kind: string) => values.get(kind) ?? [];
  const above = (kind: string) => of(kind).map((cpuMs, i) => cpuMs - (of("healthz")[i] ?? NaN));

  const text = JSON.stringify(await resumeStatement(session));
  const bare = inWorkerd(life, await workerOf(life, "bare"), {
    neonPort,
    variables: { DATABASE_URL: database.url, STATEMENT: text },
  });
  const cold: Record<"initialize" | "list" | "later" | "bare", number[]> = {
    initialize: [],
    list: [],
    later: [],
    bare: [],
  };
  const list = (running: Running, id = session) => send(running, keys.alice, id, { method: "tools/list" });
  for (let i = 0; i < (quick ? 1 : STARTS); i++) {
    life.asked.throwIfAborted();
    await alone(start, async (running) => {
      let opened = "";
      cold.initialize.push(await spent(running, async () => void (opened = await open(running, keys.alice))));
      cold.list.push(await spent(running, () => list(running, opened)));
    });
    await alone(start, async (running) => void cold.later.push(await spent(running, () => list(running))));
    await alone(bare, async (running) => void cold.bare.push(await spent(running, () => list(running))));
  }
  return [
    { what: "/healthz, ms", values: of("healthz") },
    { what: "initialize, ms above that", values: above("initialize"), goal: { atMost: 2 } },
    { what: "tools/call, the same", values: above("tools/call"), goal: { atMost: 1 } },
    { what: "/session-health, the same", values: above("/session-health"), goal: { atMost: 1 } },
    { what: "/metrics, the same", values: above("/metrics"), goal: { atMost: 1 } },
    { what: "a cron event, the same", values: above("a cron event"), goal: { atMost: 1 } },
    { what: "first request of an isolate, initialize, ms", values: cold.initialize, goal: { atMost: 10 } },
    { what: "second request of it, tools/list, ms", values: cold.list, goal: { atMost: 10 } },
    { what: "first request of an isolate, tools/list, ms", values: cold.later },
    {
      what: "the same against a Worker of Hono with the same statement",
      values: ratios(cold.later, cold.bare),
      goal: { atMost: 1.5 },
    },
  ];
}

async function alone(
  start: () => Promise<Running>,
  work: (running: Running) => Promise<void>,
): Promise<void> {
  const running = await start();
  await work(running);
  await running.stop();
}

/** Of the whole process, which does nothing else. */
async function spent({ pid }: Running, work: () => Promise<unknown>): Promise<number> {
  const before = cpuMsOf(pid);
  await work();
  return cpuMsOf(pid) - before;
}

async function send({ url }: Running, key: string, session: string, message: object): Promise<void> {
  const { status, text } = await exchange({
    url: `${url}/mcp`,
    key,
    session,
    message,
    patienceMs: PATIENCE_MS,
  });
  if (status !== 200) throw new Error(`answered with ${status}: ${text.slice(0, 200)}`);
}
