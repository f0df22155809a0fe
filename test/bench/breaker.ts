// How often a dead database is asked by one isolate, with its circuit breaker and without.
import { startLocalNeon } from "../../dev/neon/server.ts";
import { anyFreePort } from "../../dev/ports.ts";
import type { Life } from "../../dev/shutdown.ts";
import { exchange } from "./soak/wire.ts";
import { table } from "./soak/tally.ts";
import { newKey, startWorker } from "./system.ts";

const REQUESTS = 200;
const CLIENTS = 8;
// The second run has its requests spread over this time.
const SPREAD_MS = 20_000;
const PROBES = 20;
const PATIENCE_MS = 15_000;
const BUDGET_MS = "10000";

export async function breaker(life: Life): Promise<void> {
  const neon = await startLocalNeon({ postgres: { host: "127.0.0.1", port: await anyFreePort() } });
  life.defer("The local Neon", () => neon.close());
  neon.switchboard.set({ fault: { kind: "reset" } });
  const keys = { alice: newKey(), monitor: newKey() };
  const start = () =>
    startWorker(life, {
      secrets: {
        DATABASE_URL: "postgresql://mcp:none@ep-bench.localhost/mcp",
        API_KEYS: `alice:mcp:${keys.alice},monitor:health:${keys.monitor}`,
      },
      vars: {
        NEON_ENDPOINT_OVERRIDE: neon.endpoint,
        LOG_LEVEL: "error",
        MCP_SESSION_TIMEOUT_MS: BUDGET_MS,
        HEALTH_TIMEOUT_MS: BUDGET_MS,
      },
    });

  /** Asks for `REQUESTS` sessions, `pauseMs` apart for each client, and counts what reached the local Neon. */
  const ask = async (name: string, url: string, pauseMs: number) => {
    neon.resetRequests();
    const startedAt = performance.now();
    const statuses = new Set<number>();
    let asked = 0;
    const client = async () => {
      while (asked < REQUESTS && !life.asked.aborted) {
        const turn = asked++;
        await until(startedAt + turn * pauseMs);
        const { status } = await exchange({
          url: `${url}/mcp`,
          key: keys.alice,
          session: newKey(),
          message: { method: "tools/list" },
          patienceMs: PATIENCE_MS,
        });
        statuses.add(status);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    life.asked.throwIfAborted();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    return [name, REQUESTS, [...statuses].join(), neon.requests(), `${seconds} s`];
  };

  console.log(`${REQUESTS} MCP requests of ${CLIENTS} clients, a database that resets every connection.`);
  const first = await start();
  const atOnce = await ask("with the breaker, back to back", first.url, 0);
  const second = await start();
  const spread = await ask(`with the breaker, over ${SPREAD_MS / 1000} s`, second.url, SPREAD_MS / REQUESTS);

  // Health checks follow the same retry policy and, being the probe, are not kept back by the open circuit.
  neon.resetRequests();
  const question = {
    url: `${second.url}/session-health`,
    key: keys.monitor,
    method: "GET",
    patienceMs: PATIENCE_MS,
  } as const;
  await Promise.all(Array.from({ length: PROBES }, () => exchange(question)));
  life.asked.throwIfAborted();
  const perRequest = neon.requests() / PROBES;
  console.log(
    table([
      ["", "requests", "answers", "attempts", "time"],
      atOnce,
      spread,
      ["without it (computed)", REQUESTS, "", Math.round(perRequest * REQUESTS), ""],
    ]),
  );
  console.log(
    `Without it: ${PROBES} health checks, which follow the same retry policy but are not kept back, made ` +
      `${perRequest.toFixed(1)} attempts each; that times ${REQUESTS}.`,
  );
}

async function until(time: number): Promise<void> {
  const ms = time - performance.now();
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}
