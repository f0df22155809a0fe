// Every fault of Neon's, each for a database of its own, so that all of them last at the same time.
import { expect } from "vitest";
import type { Fault, FaultRule } from "../../dev/neon/switchboard.ts";
import { mcp, open } from "../support/mcp.ts";
import { createDatabase, faultHits, setFaults, type TestDatabase } from "../support/worker.ts";

// Time for every attempt, also on a busy machine: one that its budget cuts short would be a timeout.
const BUDGET_MS = 30_000;
// One attempt that hangs has the whole budget.
const HANGING_BUDGET_MS = 3000;
export const env = ({ database, fault }: Case) => {
  const budget = String(fault.kind === "hang" ? HANGING_BUDGET_MS : BUDGET_MS);
  return database.env({ MCP_SESSION_TIMEOUT_MS: budget, HEALTH_TIMEOUT_MS: budget });
};

export interface Row {
  fault: Fault;
  /** The reason that health gives while the fault lasts. */
  reason: string;
  /** Whether the statement is committed although the caller hears nothing of it. */
  commits?: boolean;
  /** Whether one more attempt helps, once the fault is over. */
  isRetried?: boolean;
  /** Whether a client is told to wait. */
  mayPass?: boolean;
  /** Whether PostgreSQL itself answers. */
  isAnswered?: boolean;
}

export const rows: Row[] = [
  { fault: { kind: "hang" }, reason: "timeout", isRetried: false },
  { fault: { kind: "reset" }, reason: "database_unreachable" },
  { fault: { kind: "half-body" }, reason: "database_unreachable", commits: true },
  { fault: { kind: "quota" }, reason: "quota_exceeded", isRetried: false, mayPass: false },
  { fault: { kind: "too-many-endpoints" }, reason: "quota_exceeded", isRetried: false, mayPass: false },
  { fault: { kind: "control-plane" }, reason: "database_unreachable" },
  { fault: { kind: "compute-unreachable" }, reason: "database_unreachable" },
  { fault: { kind: "maintenance" }, reason: "database_unreachable" },
  { fault: { kind: "edge" }, reason: "database_unreachable" },
  { fault: { kind: "edge", status: 525 }, reason: "database_unreachable" },
  { fault: { kind: "refused-by-postgres", sqlstate: "53300" }, reason: "overloaded" },
  { fault: { kind: "refused-by-postgres", sqlstate: "57P03" }, reason: "database_unreachable" },
  { fault: { kind: "lost-after-commit" }, reason: "database_unreachable", commits: true },
  { fault: { kind: "lingering-locks", ms: 150 }, reason: "overloaded", isAnswered: true },
];

export interface Case extends Row {
  database: TestDatabase;
  /** The session of the case, if it has one. */
  session: string;
}

/** A case for each row, with a session if the work needs one. */
export async function casesOf(chosen: Row[], hasSession: boolean): Promise<Case[]> {
  const cases: Case[] = [];
  for (const row of chosen) {
    const database = await createDatabase();
    cases.push({ ...row, database, session: hasSession ? await open(database.env()) : "" });
  }
  return cases;
}

/** From now on each case has its fault. */
export const strike = (cases: Case[], rule: Omit<FaultRule, "fault" | "database"> = {}) =>
  setFaults(
    ...cases.map(({ fault, database }) => ({
      fault,
      database: new URL(database.url).pathname.slice(1),
      ...rule,
    })),
  );

/** Something of each case, under the name of its fault. */
export async function each<T>(cases: Case[], work: (one: Case, place: number) => Promise<T> | T) {
  const named = cases.map(async (one, i) => [JSON.stringify(one.fault), await work(one, i)] as const);
  return Object.fromEntries(await Promise.all(named));
}

const refusalOf = (message: string) =>
  `{"jsonrpc":"2.0","error":{"code":-32603,"message":"${message}"},"id":null}`;
const unavailable = { body: refusalOf("The session store cannot be reached; try again"), retryAfter: "5" };
const unusable = {
  body: refusalOf("The session store cannot be used; its operator must act"),
  retryAfter: null,
};
export const refusedIn = ({ mayPass = true }: Row) => ({
  status: 503,
  ...(mayPass ? unavailable : unusable),
});

export const ask = async (response: Promise<Response>) => {
  const { status, headers } = await response;
  return { status, body: await (await response).text(), retryAfter: headers.get("Retry-After") };
};
export const ping = ({ session }: Case, worker: Env) => mcp(worker, { method: "ping" }, { session });

// The first attempt and six more. Five failures open the circuit, which holds up all but health and cleanup.
export const ALL_ATTEMPTS = 7;
const BEFORE_THE_CIRCUIT_OPENS = 5;

/** What comes of the work in each case, which asks the database so often where one more attempt could help. */
export async function whileItLasts<T>(
  cases: Case[],
  work: (one: Case) => Promise<T>,
  { attempts = BEFORE_THE_CIRCUIT_OPENS, matching = "" } = {},
) {
  await strike(cases, { matching });
  const outcomes = await each(cases, work);
  const hits = await faultHits();
  await setFaults();
  expect(await each(cases, (_, i) => hits[i]), "how often the database was asked").toEqual(
    await each(cases, ({ isRetried = true }) => (isRetried ? attempts : 1)),
  );
  return outcomes;
}
