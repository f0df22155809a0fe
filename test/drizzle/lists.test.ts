// Lists that stand in TypeScript and again in SQL are the same.
import { readFileSync } from "node:fs";
import type { ClientConfig } from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { readSqlFiles } from "../../drizzle/files.ts";
import { migrate } from "../../drizzle/migrate.ts";
import {
  durationBoundsMs,
  eachTier,
  endedOutcomes,
  runOutcomes,
  tierNames,
  triggers,
} from "../../src/cleanup/tiers.ts";
import { routineRights, tableRights } from "../../src/db/rights.ts";
import { symptoms, trialSteps } from "../../src/health/trial.ts";
import { familiesOf } from "../../src/metrics/families.ts";
import { endReasons } from "../../src/session/session.ts";
import { createDatabase, query, valueOf } from "./databases.ts";

let config: ClientConfig;
beforeAll(async () => {
  config = await createDatabase();
  await migrate(config);
});

const textOf = (name: string) =>
  readFileSync(`drizzle/routines/${name}.sql`, "utf8").replaceAll(/^ *--.*$/gm, "");
const literalsIn = (text: string) => [
  ...new Set([...text.matchAll(/'([^']*)'/g)].map(([, literal = ""]) => literal)),
];

describe("the constraints of cleanup runs", () => {
  test.each([
    ["mcp_cleanup_runs_tier", tierNames],
    ["mcp_cleanup_runs_trigger", triggers],
    ["mcp_cleanup_runs_outcome", runOutcomes],
  ])("%s has exactly the list of src/cleanup/tiers.ts", async (name, list) => {
    const definition = await valueOf(
      config,
      `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '${name}'`,
    );
    expect(literalsIn(String(definition)).toSorted()).toEqual([...list].toSorted());
  });
});

test("the routines of cleanup know every outcome, and no word that is in no list", () => {
  const routines = ["mcp_cleanup_sessions", "mcp_begin_cleanup_run", "mcp_delete_in_batches"];
  const words = literalsIn(routines.map(textOf).join("\n")).filter((literal) => /^[a-z]+$/.test(literal));
  const lists: string[] = [...tierNames, ...triggers, ...runOutcomes];
  expect(words).toEqual(expect.arrayContaining([...runOutcomes]));
  const errorCodes = ["busy", "duplicate", "interrupted"];
  const others = ["counted", "ranges", "pages", "single", "retry", "off", "infinity"];
  expect(words.filter((word) => !lists.includes(word)).toSorted()).toEqual(
    [...errorCodes, ...others].toSorted(),
  );
});

test("mcp_count_cleanup_run has the buckets of the histogram", () => {
  const [, bounds = ""] = /ARRAY\[([^\]]*)\]/.exec(textOf("mcp_count_cleanup_run")) ?? [];
  expect(bounds.split(",").map(Number)).toEqual([...durationBoundsMs]);
});

test("mcp_try_session has the steps and symptoms of src/health/trial.ts, in their order", () => {
  const text = textOf("mcp_try_session");
  const [, steps = ""] = /steps CONSTANT text\[\] := '\{([\w,]+)\}'/.exec(text) ?? [];
  expect(steps.split(",")).toEqual([...trialSteps]);
  expect([...text.matchAll(/WHEN '(\w+)' THEN$/gm)].map(([, step]) => step)).toEqual(
    trialSteps.filter((step) => step !== "record_run"),
  );
  const codes = [...text.matchAll(/code := (CASE [^;]*);/g)].flatMap(([, value = ""]) => literalsIn(value));
  expect([...new Set(codes)].toSorted()).toEqual([...symptoms].toSorted());
});

test("ops/postgres/worker-role.sql grants what src/db/rights.ts lists, and nothing else", async () => {
  const role = await createDatabase();
  await migrate(role);
  await query(
    role,
    "CREATE ROLE mcp_worker",
    "REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM PUBLIC",
    readFileSync("ops/postgres/worker-role.sql", "utf8"),
  );
  const tables = await query(
    role,
    `SELECT table_name, jsonb_agg(privilege_type) AS rights FROM information_schema.role_table_grants
      WHERE grantee = 'mcp_worker' GROUP BY table_name`,
  );
  const sorted = (rights: readonly string[]) => rights.toSorted();
  expect(
    Object.fromEntries(tables.map((row) => [row["table_name"], sorted(row["rights"] as string[])])),
  ).toEqual(
    Object.fromEntries(Object.entries(tableRights).map(([table, rights]) => [table, sorted(rights)])),
  );
  const routines = await query(
    role,
    `SELECT proname AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        AND has_function_privilege('mcp_worker', oid, 'EXECUTE')`,
  );
  expect(routines.map(({ name }) => String(name)).toSorted()).toEqual([...routineRights].toSorted());
});

test("a session is ended for one of the reasons that metrics list", () => {
  const texts = readSqlFiles("drizzle").routines.map(({ text }) => text);
  const reasons = texts.flatMap((text) =>
    [...text.matchAll(/end_reason = '(\w+)'|sessions_ended\/(\w+)/g)].map(
      ([, set, counted]) => set ?? counted,
    ),
  );
  // An opening sets, reads and counts its reason. The trial ends sessions as an opening and as a client do.
  expect(reasons).toEqual(["evicted", "evicted", "evicted", "evicted", "client"]);
  expect(endReasons).toEqual(expect.arrayContaining(reasons));
});

test("every total that the database writes is read by a metric", async () => {
  // A run of each tier, outcome and duration, one millisecond more than each bound included.
  const durations = durationBoundsMs.flatMap((bound) => [bound, bound + 1]);
  await query(
    config,
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted, error_code)
     SELECT tier, 'cron', now(), now(), now(), now() + ms * interval '1 millisecond', outcome, 1,
            CASE WHEN outcome IN ('skipped', 'failed') THEN 'busy' END
       FROM unnest(ARRAY['${tierNames.join("','")}']) tier, unnest(ARRAY['${endedOutcomes.join("','")}']) outcome,
            unnest(ARRAY[${durations.join()}]) ms`,
    "SELECT mcp_open_session(i::text, 'alice', '2025-11-25', '{}', '{}', 60, NULL, 1) FROM generate_series(1, 3) i",
    // A question of the last of them, its answer, and a row that has outlived its request and expired.
    "SELECT mcp_append_events('stream', '3', 1, '{a message}', false, 60, 1, 'a call', '{question}', '{key}')",
    "SELECT mcp_answer_question('question', '3', '{}', 'claim')",
    "INSERT INTO mcp_marks (mark, owner, claim, expires_at) VALUES ('mark', 'alice', 'claim', now())",
    // Handles of which one is evicted, one ended by its client, one by an operator, and one has expired.
    "SELECT mcp_make_handle(hash, 'alice', 'cart', '{}', 60, false, 1) FROM unnest(ARRAY['h1', 'h2']) hash",
    "SELECT mcp_end_handle('h2', 'alice', 'claim')",
    "SELECT mcp_make_handle('h3', 'alice', 'cart', '{}', 60, false, 1)",
    "SELECT mcp_end_handle('h3', NULL, 'claim')",
    "SELECT mcp_make_handle('h4', 'bob', 'cart', '{}', 60, false, 1)",
    "UPDATE mcp_handles SET expires_at = now() WHERE handle_hash = 'h4'",
    // Tasks that end in each way, and have expired then.
    "SELECT mcp_create_task(status, 'alice', 'report', '{}', 'retry', 1, 1000, 60, 30, 9) FROM unnest(ARRAY['completed', 'cancelled', 'failed']) status",
    "SELECT mcp_end_task(task_hash, task_hash, NULL) FROM mcp_tasks",
    "UPDATE mcp_tasks SET expires_at = now()",
    "CALL mcp_cleanup_sessions('regular', 'cron', now(), 0, 10, 1000, 1)",
    // What expires between two counts is counted by the second.
    "SELECT mcp_count_expired()",
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('expired', clock_timestamp())",
    "SELECT mcp_count_expired()",
  );
  const written = (await query(config, "SELECT DISTINCT name FROM mcp_session_totals")).map(({ name }) =>
    String(name),
  );
  const read = namesRead();
  expect(written.filter((name) => !read.includes(name))).toEqual([]);
  // Nothing else is read, but the ends that stores write.
  expect(read.filter((name) => !written.includes(name)).toSorted()).toEqual(
    endReasons
      .filter((reason) => reason !== "evicted")
      .map((reason) => `sessions_ended/${reason}`)
      .toSorted(),
  );
});

/** The names of all totals that a scrape reads. */
function namesRead(): string[] {
  const names: string[] = [];
  const totals = new Proxy<Record<string, number>>(
    {},
    {
      get(_, name) {
        names.push(String(name));
        return 0;
      },
    },
  );
  const history = { failuresInARow: 0, lastSuccessAt: null, lastRun: null };
  familiesOf({
    version: { id: "", tag: "", deployedAt: null },
    intervalSeconds: {},
    querySeconds: 0,
    store: {
      reasons: [],
      census: {
        total: 0,
        expired: 0,
        expiredAtLeast: 0,
        isOverdue: false,
        oldestExpiredAt: null,
        history: eachTier(() => history),
        wakesAt: undefined,
        totals,
        mayHideRows: false,
        kept: {
          handles: { active: 0, expired: 0, oldest_expired_at: null },
          tasks: {
            working: 0,
            input_required: 0,
            ended: 0,
            expired: 0,
            due: 0,
            oldest_due_at: null,
            oldest_expired_at: null,
          },
        },
      },
    },
  });
  return [...new Set(names)];
}
