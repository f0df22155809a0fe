// What requests cost in workerd: how many a second, against bare routes with the same statement, and how many round trips.
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import { type Figure, ratios } from "./figures.ts";
import { onServer, type Server } from "./server.ts";
import { exchange, type WireRequest } from "./soak/wire.ts";
import { censusStatement, resumeStatementOf } from "./statements.ts";
import { newKey, startWorker } from "./system.ts";

const CLIENTS = 8;
const PAIRS = 5;
const PATIENCE_MS = 15_000;
const DATABASE = "requests";

export const requests = (life: Life, quick: boolean) =>
  onServer((server) => measure(life, server, quick ? 500 : 4000));

async function measure(life: Life, server: Server, roundMs: number): Promise<Figure[]> {
  await server.admin(`CREATE DATABASE ${DATABASE}`);
  await migrate(server.config(DATABASE));
  const keys = { alice: newKey(), monitor: newKey(), prometheus: newKey(), operator: newKey() };
  const key = "bare-session";
  const queries = { health: await censusStatement(), session: await resumeStatementOf(key) };
  const start = (vars: Record<string, string>) =>
    startWorker(life, {
      script: "test/support/bare-worker.ts",
      secrets: {
        DATABASE_URL: server.url(DATABASE),
        API_KEYS: `alice:mcp:${keys.alice},monitor:health:${keys.monitor},prometheus:metrics:${keys.prometheus},operator:admin:${keys.operator}`,
      },
      vars: {
        NEON_ENDPOINT_OVERRIDE: server.neon.endpoint,
        LOG_LEVEL: "warning",
        BARE_QUERIES: JSON.stringify(queries),
        ...vars,
      },
    });
  const { url } = await start({});
  await connected(server.config(DATABASE), (client) =>
    client.query(
      `INSERT INTO mcp_sessions (session_id, principal, protocol_version, expires_at)
       SELECT $1, 'alice', '2025-11-25', now() + interval '1 day'`,
      [key],
    ),
  );

  const open = async (origin: string) => {
    const { headers } = await exchange(initialize(origin));
    return headers.get("Mcp-Session-Id") ?? "";
  };
  const initialize = (origin: string): WireRequest => ({
    url: `${origin}/mcp`,
    key: keys.alice,
    message: {
      method: "initialize",
      params: {
        protocolVersion: "2025-11-25",
        clientInfo: { name: "bench", version: "1" },
        capabilities: {},
      },
    },
    patienceMs: PATIENCE_MS,
  });
  const listTools = (origin: string, session: string): WireRequest => ({
    url: `${origin}/mcp`,
    key: keys.alice,
    session,
    message: { method: "tools/list" },
    patienceMs: PATIENCE_MS,
  });
  const get = (path: string, with_: string): WireRequest => ({
    url: `${url}${path}`,
    key: with_,
    method: "GET",
    patienceMs: PATIENCE_MS,
  });

  const session = await open(url);
  const bareList = { ...listTools(url, session), url: `${url}/bare/session` };
  const rate = (request: WireRequest) => perSecond(life, request, roundMs);
  const [health, bareHealth, list, bareSession] = await inTurns([
    () => rate(get("/session-health", keys.monitor)),
    () => rate(get("/bare/health", keys.monitor)),
    () => rate(listTools(url, session)),
    () => rate(bareList),
  ]);

  const trips = async (what: string, request: WireRequest, expected: number): Promise<Figure> => {
    server.neon.resetRequests();
    // An exchange reads JSON, which metrics are not.
    const { status } = await (request.url.endsWith("/metrics")
      ? fetch(request.url, { headers: { Authorization: `Bearer ${request.key}` } })
      : exchange(request));
    if (status !== 200) throw new Error(`${what}: ${status}`);
    return {
      what: `round trips: ${what}`,
      values: [server.neon.requests()],
      digits: 0,
      goal: { atMost: expected },
    };
  };
  const caching = await start({ MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60" });
  const cached = listTools(caching.url, await open(caching.url));
  await exchange(cached);
  return [
    {
      what: "/session-health, requests/s against a bare route",
      values: ratios(health, bareHealth),
      goal: { atLeast: 0.8 },
    },
    {
      what: "tools/list, requests/s against a bare route",
      values: ratios(list, bareSession),
      goal: { atLeast: 0.6 },
    },
    { what: "/session-health, requests/s", values: health, digits: 0 },
    { what: "tools/list, requests/s", values: list, digits: 0 },
    await trips("a cleanup run", { ...get("/cleanup/regular", keys.operator), method: "POST" }, 1),
    await trips("/session-health", get("/session-health", keys.monitor), 1),
    await trips("initialize", initialize(url), 1),
    await trips("a later request", listTools(url, session), 1),
    await trips("one within the validation interval", cached, 0),
    await trips("/metrics", get("/metrics", keys.prometheus), 1),
  ];
}

async function inTurns(rates: (() => Promise<number>)[]): Promise<[number[], number[], number[], number[]]> {
  const values: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let pair = 0; pair <= PAIRS; pair++) {
    console.log(pair === 0 ? "warm-up" : `pair ${pair} of ${PAIRS}`);
    for (const [i, rate] of rates.entries()) {
      const measured = await rate();
      if (pair > 0) values[i]?.push(measured);
    }
  }
  return values;
}

async function perSecond(life: Life, request: WireRequest, roundMs: number): Promise<number> {
  const startedAt = performance.now();
  let answered = 0;
  const client = async () => {
    while (performance.now() - startedAt < roundMs) {
      life.asked.throwIfAborted();
      const { status, text } = await exchange(request);
      if (status !== 200) throw new Error(`${request.url} answered with ${status}: ${text}`);
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return answered / ((performance.now() - startedAt) / 1000);
}
