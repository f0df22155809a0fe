// The local Neon: Neon's SQL over HTTP in front of any PostgreSQL, for the dev loop, the tests and the
// benchmarks. It is faithful to the protocol; Neon's rate limits and cold starts it does not have. What PostgreSQL does
// at a moment that cannot be chosen comes only when a fault asks for it: see the switchboard.
import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "./answer.ts";
import { errorAnswer, send, sendHalf } from "./answer.ts";
import type { Address } from "./connection.ts";
import { NeonError } from "./errors.ts";
import { execute, type Execution } from "./execute.ts";
import { Passwords } from "./passwords.ts";
import { Pool } from "./pool.ts";
import type { Payload, TransactionModes } from "./request.ts";
import { readBody, readCredentials, readModes, readPayload } from "./request.ts";
import type { Fault } from "./switchboard.ts";
import { cannedAnswer, Switchboard } from "./switchboard.ts";

export interface LocalNeonOptions {
  postgres: Address;
  /**
   * Makes it refuse a password at once when the role gets another one, and tell an expired role from a wrong password, as
   * Neon does. Left out, an old password is taken for up to a second more, and an expired role looks like a wrong password.
   */
  superuser?: { user: string; password: string };
  /** How often it tries again to reach a PostgreSQL that does not answer: once when left out, four times at most, as Neon. */
  connectRetries?: number;
  /** How long a pooled connection may be idle. Five minutes when left out, as Neon has it. */
  idleTimeoutMs?: number;
  /** Any free one when left out. */
  port?: number;
  /** 10 MiB when left out. */
  maxRequestBytes?: number;
  /** 10 MiB when left out. */
  maxResponseBytes?: number;
}

export interface LocalNeon {
  /** For `neonConfig.fetchEndpoint`, e.g. http://127.0.0.1:51234/sql. */
  endpoint: string;
  port: number;
  switchboard: Switchboard;
  /** Number of POST /sql requests that reached the server since the start, or since the last reset. */
  requests(): number;
  resetRequests(): void;
  /** Ends everything: what runs is cancelled, connections on both sides are closed. */
  close(): Promise<void>;
}

// The proxy's default for requests and for responses (SqlOverHttpArgs); production allows 64 MB.
const MAX_BYTES = 10 * 1024 * 1024;

// The proxy's default (SqlOverHttpArgs).
const IDLE_TIMEOUT_MS = 5 * 60 * 1000;

// Longer than any pause in a test run: no client sends on a connection that is just being closed.
const KEEP_ALIVE_MS = 10 * 60 * 1000;

const PREFLIGHT: Answer = {
  status: 200,
  headers: {
    Allow: "OPTIONS, POST",
    "Access-Control-Allow-Headers":
      "Authorization, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, Neon-Pool-Opt-In, " +
      "Neon-Batch-Read-Only, Neon-Batch-Isolation-Level",
    "Access-Control-Max-Age": "86400",
  },
  body: "",
};

const NOT_SUPPORTED: Answer = { status: 400, body: JSON.stringify("query is not supported") };

/**
 * Starts the local Neon on 127.0.0.1.
 * @throws Error with `code: 'EADDRINUSE'` when the port is taken.
 */
export async function startLocalNeon(options: LocalNeonOptions): Promise<LocalNeon> {
  const { postgres, maxRequestBytes = MAX_BYTES, maxResponseBytes = MAX_BYTES } = options;
  const { host, port: postgresPort, tls = false } = postgres;
  const address = { host, port: postgresPort, tls };
  const pool = new Pool({
    address,
    passwords: new Passwords(address, options.superuser),
    connectRetries: options.connectRetries ?? 1,
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
  });
  const switchboard = new Switchboard();
  const closing = new AbortController();
  const handling = new Set<Promise<void>>();
  let requests = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url?.split("?")[0];
    if (path === "/sql" && request.method === "OPTIONS") return send(response, PREFLIGHT);
    if (path !== "/sql" || request.method !== "POST") return send(response, NOT_SUPPORTED);
    requests += 1;
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const signal = gone.signal;
    try {
      const credentials = readCredentials(request.headers);
      const modes = readModes(request.headers);
      const payload = readPayload(await readBody(request, maxRequestBytes));
      const answer = async (faulty: Partial<Execution>): Promise<Answer> => {
        if (payload instanceof NeonError) throw payload;
        const body = await execute(pool, {
          credentials,
          payload,
          modes,
          maxResponseBytes,
          signal,
          ...faulty,
        });
        return { status: 200, headers: payload.isBatch ? batchHeaders(modes) : {}, body };
      };
      const sql = payload instanceof NeonError ? "" : sqlOf(payload);
      const fault = switchboard.strike(sql, credentials.database);
      await serve({
        response,
        answer: (faulty = {}) => answer(faulty).catch(errorAnswer),
        fault,
        gone: signal,
        cleared: switchboard.cleared,
        closing: closing.signal,
      });
    } catch (error) {
      // A client that left gets no answer.
      if (!signal.aborted) send(response, errorAnswer(error));
    }
  };

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const handled = handle(request, response).finally(() => handling.delete(handled));
    handling.add(handled);
  });
  const port = await listen(server, options.port ?? 0);
  return {
    endpoint: `http://127.0.0.1:${port}/sql`,
    port,
    switchboard,
    requests: () => requests,
    resetRequests() {
      requests = 0;
    },
    async close() {
      const closed = once(server, "close");
      closing.abort();
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, ...handling]);
      await pool.close();
    },
  };
}

interface Serving {
  response: ServerResponse;
  /** Executes, in another way than usual if it is told one. */
  answer: (faulty?: Partial<Execution>) => Promise<Answer>;
  fault: Fault | undefined;
  /** Aborted when the client leaves, */
  gone: AbortSignal;
  /** when the faults are cleared, */
  cleared: AbortSignal;
  /** and when this server is closed. */
  closing: AbortSignal;
}

/** Answers, or does what the fault says. */
async function serve({ response, answer, fault, gone, cleared, closing }: Serving): Promise<void> {
  if (fault === undefined) return send(response, await answer());
  switch (fault.kind) {
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "hang":
      if (!gone.aborted) await once(AbortSignal.any([gone, cleared]), "abort");
      response.destroy();
      return;
    case "lost-after-commit":
      await answer();
      response.destroy();
      return;
    case "half-body":
      return sendHalf(response, await answer());
    case "latency":
      await sleep(fault.ms, undefined, { signal: gone });
      return send(response, await answer());
    case "outlives-client":
      return send(response, await answer({ signal: closing }));
    case "lingering-locks":
      return send(
        response,
        await answer({ lingerUntil: AbortSignal.any([AbortSignal.timeout(fault.ms), cleared]) }),
      );
    case "edge":
    case "refused-by-postgres":
    case "quota":
    case "too-many-endpoints":
    case "control-plane":
    case "compute-unreachable":
    case "maintenance":
    case "endpoint-deleted":
    case "endpoint-disabled":
    case "blocked-network":
    case "ip-not-allowed":
      return send(response, cannedAnswer(fault));
  }
}

/** A batch's answer repeats the batch headers that were set. */
function batchHeaders({ isolationLevel, readOnly, deferrable }: TransactionModes): Record<string, string> {
  return {
    ...(readOnly && { "Neon-Batch-Read-Only": "true" }),
    ...(deferrable && { "Neon-Batch-Deferrable": "true" }),
    ...(isolationLevel !== undefined && { "Neon-Batch-Isolation-Level": isolationLevel }),
  };
}

function sqlOf({ statements }: Payload): string {
  return statements.map(({ query }) => query).join(";\n");
}

async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE")) throw cause;
    const { code } = cause;
    throw Object.assign(new Error(`The local Neon needs port ${port}, which is in use`, { cause }), { code });
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
