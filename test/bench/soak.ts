// Many clients, a database that fails one call in five and is killed again and again, and cleanups all the while:
// nothing that was acknowledged is lost, doubled, brought back or shown to others, and nobody waits for ever.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Failure } from "../../dev/failure.ts";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import type { Life } from "../../dev/shutdown.ts";
import { type Audit, audit, placeWitness } from "./soak/audit.ts";
import type { Calls } from "./soak/calls.ts";
import { type Cleanups, fireRegular, startCleanups } from "./soak/cleanups.ts";
import { createClient, principalName } from "./soak/client.ts";
import { faultRules, nameOfFault } from "./soak/faults.ts";
import { createJudge, HEALTH_BUDGET_MS, type Judge } from "./soak/judge.ts";
import { Ledger, ruleOf } from "./soak/ledger.ts";
import { type Outage, runOutages } from "./soak/outages.ts";
import { countTable, shareTable, table } from "./soak/tally.ts";
import { newKey, startDatabase, startWorker } from "./system.ts";

const CLIENTS = 16;
const SIZES = { full: { requests: 20_000, kills: 10 }, quick: { requests: 2000, kills: 2 } } as const;
// Many times what it takes.
const LONGEST_MS = 20 * 60_000;
const PROGRESS_MS = 5000;
const SHOWN_VIOLATIONS = 20;

export async function soak(life: Life, args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { quick: { type: "boolean", default: false } } });
  const size = values.quick ? SIZES.quick : SIZES.full;
  const begunAt = performance.now();
  console.log(
    `Soak: ${size.requests} requests of ${CLIENTS} clients, PostgreSQL killed ${size.kills} times.`,
  );

  const database = await startDatabase(life);
  await placeWitness(database);
  const neon = await startLocalNeon({ postgres: database.postgres, connectRetries: 0 });
  life.defer("The local Neon", () => neon.close());
  const keys = Array.from({ length: CLIENTS }, newKey);
  const monitorKey = newKey();
  const worker = await startWorker(life, {
    secrets: {
      DATABASE_URL: database.databaseUrl,
      API_KEYS: [
        ...keys.map((key, number) => `${principalName(number)}:mcp:${key}`),
        `monitor:health:${monitorKey}`,
      ].join(),
    },
    vars: {
      NEON_ENDPOINT_OVERRIDE: neon.endpoint,
      LOG_LEVEL: "info",
      MCP_MAX_SESSIONS_PER_PRINCIPAL: "100000",
      // Nothing expires by itself here: what is gone was ended, or lost.
      MCP_SESSION_INIT_TTL_SECONDS: "86400",
      MCP_CLEANUP_TIME_BUDGET_MS: "2000",
      MCP_STREAMS: "true",
      // The last judgement reads all that the calls have sent, however long a slow machine has taken.
      MCP_STREAM_TTL_SECONDS: "86400",
    },
  });

  const ledger = new Ledger();
  const judge = createJudge(ledger);
  const { url } = worker;
  const clients = keys.map((_, number) => createClient({ url, judge, ledger, number, keys, monitorKey }));
  const outages: Outage[] = [];
  const late = AbortSignal.timeout(LONGEST_MS);
  const stopped = AbortSignal.any([life.asked, late]);
  const isOver = () => stopped.aborted || judge.entries.length >= size.requests;

  const startedAt = performance.now();
  neon.switchboard.set(...faultRules());
  const cleanups = startCleanups(url);
  const progress = setInterval(() => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    const { length } = judge.entries;
    console.log(
      `${seconds.padStart(4)} s  ${length} requests, ${ledger.sessions.length} sessions opened, ` +
        `${outages.length} kills, ${cleanups.ok} cleanups ok, ${cleanups.failed} failed, ` +
        `${ledger.violations.length} violations`,
    );
  }, PROGRESS_MS);
  life.defer("The progress", () => clearInterval(progress));

  const done = () => judge.entries.length / size.requests;
  await Promise.all([
    ...clients.map((client) => client.work(isOver)),
    runOutages(database, { kills: size.kills, done, stopped }, outages),
  ]);
  const workedMs = performance.now() - startedAt;
  life.asked.throwIfAborted();
  if (late.aborted) throw new Failure(`The soak was not over after ${LONGEST_MS / 60_000} minutes.`);
  const faults = describeFaults(neon);
  const soaked = judge.entries.slice();

  neon.switchboard.clear();
  await cleanups.stop();
  await untilHealthy(life, judge, `${url}/session-health`, monitorKey);
  const verifiedFrom = judge.entries.length;
  const calls = await Promise.all(clients.map((client) => client.verify()));
  const verified = judge.entries.slice(verifiedFrom);
  for (const { kind, label } of verified.filter(({ isSuccess }) => !isSuccess)) {
    ledger.violate("not back", `${kind} was answered ${label} with everything up`);
  }
  if (!(await fireRegular(url))) ledger.violate("cleanup", "the cleanup with everything up failed");
  const found = await audit(database, ledger);
  clearInterval(progress);
  life.asked.throwIfAborted();

  console.log(`\n${countTable(soaked)}\n\n${shareTable(soaked, outages)}\n\n${faults}\n`);
  console.log(describe({ ledger, outages, cleanups, found, verified: verified.length, workedMs }));
  console.log(describeCalls(calls));
  console.log(describeLog(worker.logFile));
  const { violations } = ledger;
  console.log(
    `Violations: ${violations.length}. All of it took ${((performance.now() - begunAt) / 1000).toFixed(0)} s.`,
  );
  if (violations.length === 0) return;
  const byRule = [...Map.groupBy(violations, ruleOf)].map(([rule, { length }]) => `${rule}: ${length}`);
  throw new Failure([...violations.slice(0, SHOWN_VIOLATIONS), `All: ${byRule.join(", ")}`].join("\n"));
}

async function untilHealthy(life: Life, judge: Judge, url: string, key: string): Promise<void> {
  const question = { kind: "session-health", url, key, method: "GET", rule: () => "status" } as const;
  for (let attempt = 0; attempt < 20; attempt++) {
    const { status } = await judge.ask({ ...question, deadlineMs: HEALTH_BUDGET_MS, statuses: [200] });
    if (status === 200) return;
    await sleep(500, undefined, { signal: life.asked });
  }
  throw new Failure("The Worker is not healthy although everything is up.");
}

interface Results {
  ledger: Ledger;
  outages: readonly Outage[];
  cleanups: Cleanups;
  found: Audit;
  verified: number;
  workedMs: number;
}

function describe({ ledger, outages, cleanups, found, verified, workedMs }: Results): string {
  const openings = [...ledger.openings.values()];
  const count = (wanted: string) => openings.filter((opening) => opening === wanted).length;
  const fates = (wanted: string) => ledger.sessions.filter(({ fate }) => fate === wanted).length;
  const outageMs = outages.reduce((sum, { startedAt, endedAt }) => sum + endedAt - startedAt, 0);
  return [
    `Time: ${(workedMs / 1000).toFixed(0)} s, of it ${(outageMs / 1000).toFixed(0)} s in ${outages.length} outages. ` +
      `Cleanups: ${cleanups.ok} ok, ${cleanups.failed} failed.`,
    `initialize: ${count("acknowledged")} acknowledged, ${count("unacknowledged")} not, ${count("refused")} refused (429).`,
    `Sessions: ${fates("live")} live, ${fates("ended")} ended, ${fates("ending")} of which it is not known.`,
    `Rows: ${found.rowsEver} came, ${found.deleted} were deleted, ${found.rows} are there, ${found.liveRows} live; ` +
      `${found.unknownRows} of an initialize that was not acknowledged.`,
    `With everything up again ${verified} requests about every session were asked.`,
  ].join("\n");
}

function describeCalls(calls: readonly Calls[]): string {
  const sum = (what: keyof Calls) => calls.reduce((total, one) => total + one[what], 0);
  return (
    `Calls that outlived their requests: ${sum("answered")} had their result, ` +
    `${sum("lost")} an error because it could not be stored, ${sum("unknown")} ended with their session.`
  );
}

/** Taken before the rules are: their hits go with them. */
function describeFaults(neon: LocalNeon): string {
  const hits = neon.switchboard.hits();
  const all = neon.requests();
  const sum = hits.reduce((total, count) => total + count, 0);
  return table([
    ["fault of a database call", "hits", "share"],
    ...faultRules().map((rule, index) => [
      nameOfFault(rule),
      hits[index] ?? 0,
      `${(((hits[index] ?? 0) / all) * 100).toFixed(2)}%`,
    ]),
    [`all, of ${all} calls`, sum, `${((sum / all) * 100).toFixed(2)}%`],
  ]);
}

function describeLog(file: string): string {
  const lines = readFileSync(file, "utf8").split("\n");
  const count = (...texts: string[]) =>
    lines.filter((line) => texts.every((text) => line.includes(text))).length;
  const retried = (outcome: string) => count("Database operation retried", `"outcome":"${outcome}"`);
  return (
    `Log: ${count("Events not kept")} times events were not kept; ${retried("succeeded")} operations succeeded after a retry, ${retried("failed")} failed after one; ` +
    `the circuit opened ${count("Database circuit opened")} times and closed ${count("Database circuit closed")} times.`
  );
}
