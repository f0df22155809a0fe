// A PostgreSQL of its own with the local Neon in front of it, and two ways to its door: the real driver, and
// a plain request for what the driver hides.
import type { NeonQueryFunction } from "@neondatabase/serverless";
import { neon, neonConfig } from "@neondatabase/serverless";
import { expect } from "vitest";
import type { LocalNeon } from "../../../dev/neon/server.ts";
import { startLocalNeon } from "../../../dev/neon/server.ts";
import type { EmbeddedPostgres } from "../../../dev/postgres.ts";
import { connected, startTestPostgres } from "../../support/postgres.ts";

export interface Wire {
  status: number;
  headers: Headers;
  text: string;
}

export interface Bench {
  postgres: EmbeddedPostgres;
  neon: LocalNeon;
  /** For the role `tester` and its database `tests`. */
  url: string;
  sql: NeonQueryFunction<false, true>;
  /** Posts a body with the headers the driver sends; a header set to null is left out. */
  post(body: unknown, headers?: Record<string, string | null>, endpoint?: string): Promise<Wire>;
  /** The same, with the body as JSON. */
  answer(...request: Parameters<Bench["post"]>): Promise<{ status: number; body: unknown }>;
  /** Asks PostgreSQL directly, as its superuser, in the database `tests`. */
  ask<Row extends object>(text: string, params?: unknown[]): Promise<Row[]>;
  /** Number of backends of `tester` that match this condition on pg_stat_activity. */
  backends(condition?: string): Promise<number>;
  stop(): Promise<void>;
}

// With characters that mean something in a URL.
const PASSWORD = "p@ss:w/ör%d";

export async function startBench(): Promise<Bench> {
  const postgres = await startTestPostgres({ fsync: "off" });
  const { host, port, user, password } = postgres;
  const ask = <Row extends object>(text: string, params: unknown[] = [], database = "tests") =>
    connected({ host, port, user, password, database }, async (client) => {
      const { rows } = await client.query<Row>(text, params);
      return rows;
    });
  await ask(`create role tester login password '${PASSWORD}'`, [], "postgres");
  await ask("create database tests owner tester", [], "postgres");
  await ask("alter database tests set timezone = 'UTC'");
  const superuser = { user, password };
  const localNeon = await startLocalNeon({ postgres, superuser, connectRetries: 0 });
  neonConfig.fetchEndpoint = () => localNeon.endpoint;
  const url = `postgresql://tester:${encodeURIComponent(PASSWORD)}@ep-local.localhost/tests`;
  const post: Bench["post"] = async (body, headers = {}, endpoint = localNeon.endpoint) => {
    const sent = new Headers();
    const all = {
      "Neon-Connection-String": url,
      "Neon-Raw-Text-Output": "true",
      "Neon-Array-Mode": "true",
      ...headers,
    };
    for (const [name, value] of Object.entries(all)) if (value !== null) sent.set(name, value);
    const isRaw = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(endpoint, {
      method: "POST",
      headers: sent,
      body: isRaw ? body : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    postgres,
    neon: localNeon,
    url,
    sql: neon(url, { fullResults: true }),
    post,
    async answer(...request) {
      const { status, text } = await post(...request);
      return { status, body: JSON.parse(text) };
    },
    ask,
    async backends(condition = "true") {
      const [row] = await ask<{ count: number }>(
        `select count(*)::int from pg_stat_activity where usename = 'tester' and (${condition})`,
      );
      return row?.count ?? NaN;
    },
    async stop() {
      await localNeon.close();
      await postgres.remove();
    },
  };
}

/** A refusal of Neon's own: no SQLSTATE, and nothing but the message filled in. */
export const refusal = (message: unknown, status = 400) => ({
  status,
  body: {
    message,
    code: "",
    detail: null,
    hint: null,
    position: null,
    internalPosition: null,
    internalQuery: null,
    severity: "",
    where: null,
    table: null,
    column: null,
    schema: null,
    dataType: null,
    constraint: null,
    file: null,
    line: null,
    routine: null,
  },
});

// Less than the time limit of a test, so that the failure says what was seen last.
const PATIENCE_MS = 300_000;

/** Polls longer than Vitest does by itself: on a busy machine PostgreSQL may take long to start or to cancel. */
export function eventually<T>(look: () => T) {
  return expect.poll(look, { timeout: PATIENCE_MS, interval: 10 });
}

/** What work failed with; failures that happen before they are looked at stay handled. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error("It was meant to fail, and succeeded");
}
