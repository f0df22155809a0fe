// One database and any number of Workers over it, each under its own `wrangler dev`, as on a developer's machine.
// Nothing of it outlives `stop`, also when something did not start; the Workers do not outlive this process either.
import { randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import { anyFreePort, freePort } from "../../dev/ports.ts";
import { prepareSignIn } from "../../dev/sign-in.ts";
import type { Vars } from "../../dev/vars.ts";
import { type DevWorker, launchWorker, type WorkerOptions } from "../../dev/worker.ts";
import { fileURLToPath } from "node:url";
import { migrate } from "../../drizzle/migrate.ts";
import { connected, startTestPostgres } from "../support/postgres.ts";
import { unlimited } from "../support/unlimited.ts";

/** A Worker under a wrangler of its own. */
export interface TestWorker {
  url: string;
  /** The MCP endpoint. */
  mcp: URL;
  /** Ends its processes and starts it again at the same address. @param how whether they are killed, whatever they do. */
  restart(how?: { isKilled: boolean }): Promise<void>;
}

export interface TestSignIn {
  url: string;
  /** Starts it again at the same address, with what it has stored and other keys. */
  restart(apiKeys: string): Promise<void>;
  stop(): Promise<void>;
}

export interface System {
  neon: LocalNeon;
  /** The key of each principal: alice and bob have the scope mcp, each of the others has its own. */
  keys: Record<"alice" | "bob" | "monitor" | "prometheus" | "operator", string>;
  /** Of all principals, as the Worker gets them. */
  apiKeys: string;
  /** Stops and starts the database server. */
  postgres: { stop: () => Promise<unknown>; start: () => Promise<unknown> };
  /** @param options `config`: with its own `main`, instead of wrangler.toml. */
  startWorker(vars?: Vars, options?: { config: string } | { script: string }): Promise<TestWorker>;
  /** The Worker as it is deployed, with its own server, bound to the Worker of examples/sign-in. */
  startWithSignIn(vars?: Vars): Promise<{ worker: TestWorker; signIn: TestSignIn }>;
  /** Asks PostgreSQL directly, as its superuser. */
  ask<Row extends object>(text: string, params?: unknown[]): Promise<Row[]>;
  /** Stops everything, whatever of it fails to. */
  stop(): Promise<void>;
}

type Close = () => Promise<unknown> | void;

/** A role and a database as Neon makes them, migrated, behind the local Neon. */
export async function startSystem(): Promise<System> {
  const open: Close[] = [];
  const stopping = new AbortController();
  const stop = () => {
    stopping.abort(new Error("The system is being stopped"));
    return closeAll(open);
  };
  try {
    const postgres = await startTestPostgres({ fsync: "off" });
    open.unshift(postgres.remove);
    const { host, port, user, password } = postgres;
    const ask = <Row extends object>(text: string, params: unknown[] = [], database = "mcp") =>
      connected({ host, port, user, password, database }, async (client) => {
        const { rows } = await client.query<Row>(text, params);
        return rows;
      });
    const role = { user: "mcp", password: randomBytes(24).toString("base64url") };
    await ask(`CREATE ROLE mcp LOGIN PASSWORD '${role.password}'`, [], "postgres");
    await ask("CREATE DATABASE mcp OWNER mcp", [], "postgres");
    await migrate({ host, port, ...role, database: "mcp" });

    const neon = await startLocalNeon({ postgres, connectRetries: 0 });
    open.unshift(() => neon.close());

    const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-wrangler-"));
    open.unshift(() => rmSync(folder, { recursive: true, force: true }));

    const keys = {
      alice: newKey(),
      bob: newKey(),
      monitor: newKey(),
      prometheus: newKey(),
      operator: newKey(),
    };
    const secrets = {
      DATABASE_URL: `postgresql://mcp:${role.password}@ep-e2e.localhost/mcp`,
      API_KEYS: [
        `alice:mcp:${keys.alice}`,
        `bob:mcp:${keys.bob}`,
        `monitor:health:${keys.monitor}`,
        `prometheus:metrics:${keys.prometheus}`,
        `operator:admin:${keys.operator}`,
      ].join(),
    };
    const defaults = { LOG_FORMAT: "text", LOG_LEVEL: "error", NEON_ENDPOINT_OVERRIDE: neon.endpoint };
    return {
      neon,
      keys,
      apiKeys: secrets.API_KEYS,
      postgres,
      ask,
      stop,
      async startWorker(vars = {}, options = { script: TEST_WORKER }) {
        const stateDir = mkdtempSync(join(folder, "worker-"));
        const { worker, start, close } = await prepareWorker(
          { secrets, vars: { ...defaults, ...vars }, stateDir, ...options },
          stopping.signal,
        );
        open.unshift(close);
        await start();
        return worker;
      },
      async startWithSignIn(vars = {}) {
        const stateDir = mkdtempSync(join(folder, "worker-"));
        const mainPort = await lowPort();
        const signInFolder = mkdtempSync(join(folder, "sign-in-"));
        const pair = prepareSignIn({
          port: mainPort,
          signInPort: await freePort(mainPort + 1),
          folder: signInFolder,
          apiKeys: secrets.API_KEYS,
        });
        // Read at each start.
        const signInSecrets: Record<string, string> = { ...pair.signIn.secrets };
        const signIn = await prepareWorker(
          {
            ...pair.signIn,
            config: unlimited(pair.signIn.config, signInFolder),
            secrets: signInSecrets,
          },
          stopping.signal,
        );
        open.unshift(signIn.close);
        await signIn.start();
        const main = { ...pair.main, secrets, stateDir, port: mainPort };
        const { worker, start, close } = await prepareWorker(
          { ...main, vars: { ...defaults, ...pair.main.vars, ...vars } },
          stopping.signal,
        );
        open.unshift(close);
        await start();
        await bound(worker.mcp, stopping.signal);
        return {
          worker,
          signIn: {
            url: signIn.worker.url,
            stop: async () => signIn.close(),
            async restart(apiKeys) {
              signInSecrets["API_KEYS"] = apiKeys;
              await signIn.worker.restart();
              await bound(worker.mcp, stopping.signal);
            },
          },
        };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const TEST_WORKER = fileURLToPath(new URL("../support/main.ts", import.meta.url));

// Below the ports that systems give to outgoing connections: one of those could take the port of a Worker that is
// just being restarted.
const PORTS = { lowest: 10_000, end: 30_000 } as const;

export const lowPort = () => freePort(randomInt(PORTS.lowest, PORTS.end));

/** A Worker at a port of its own, not started yet. */
export async function prepareWorker(
  options: Omit<WorkerOptions, "port" | "inspectorPort" | "foreign"> & { port?: number; stateDir: string },
  stopping: AbortSignal,
) {
  const config = readWranglerConfig({ config: "wrangler.toml" }, { hideWarnings: true });
  const foreign = [config.vars, options.vars, options.secrets].flatMap(Object.keys);
  const port = options.port ?? (await lowPort());
  let running: DevWorker | undefined;
  const start = async () => {
    const inspectorPort = await anyFreePort();
    stopping.throwIfAborted();
    running = launchWorker({ ...options, port, inspectorPort, foreign });
    await running.untilReady(stopping);
  };
  // Never forced, but to kill it: how long wrangler gets to end is bounded anyway.
  const close = (forced = new AbortController().signal) => running?.close(forced);
  const url = `http://127.0.0.1:${port}`;
  const worker: TestWorker = {
    url,
    mcp: new URL("/mcp", url),
    async restart({ isKilled } = { isKilled: false }) {
      await close(isKilled ? AbortSignal.abort() : undefined);
      await start();
    },
  };
  return { worker, start, close: () => close() };
}

const POLL_MS = 100;

/** Waits until a Worker reaches the sign-in that it is bound to. Until then it cannot say what a token is worth: 503. */
async function bound(mcp: URL, stopping: AbortSignal): Promise<void> {
  const ask = () =>
    fetch(mcp, { method: "POST", headers: { Authorization: "Bearer no-token" }, signal: stopping });
  while ((await ask()).status === 503) await sleep(POLL_MS);
}

export function newKey(): string {
  return randomBytes(32).toString("base64url");
}

/** Closes one after the other, each whether or not the ones before it could be closed. */
async function closeAll(open: Close[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of open.splice(0)) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, "Not everything could be stopped");
}
