// What a role must be allowed before sessions can live in the tables, and what is said when it is not.
import { PgDialect } from "drizzle-orm/pg-core";
import { describe, expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { DatabaseFault } from "../../src/db/fault.ts";
import { type FailedStep, TrialFailed, trials } from "../../src/health/trial.ts";
import { refusalOf, usabilities, usability } from "../../src/health/usability.ts";
import { asWorkerRole, createDatabase, type TestDatabase } from "../support/worker.ts";

const USABLE = { trial: undefined, may_use_tables: true, routines: null, may_hide_rows: false };

test("only what every Worker needs is asked for: five tables and nineteen routines", () => {
  const { sql, params } = new PgDialect().sqlToQuery(usability(true));
  const rights = [...sql.matchAll(/\('(mcp_\w+)', '([A-Z]+)'\)/g)].map(
    ([, table, right]) => `${table} ${right}`,
  );
  const all = ["SELECT", "INSERT", "UPDATE", "DELETE"];
  expect(rights).toEqual([
    ...all.map((right) => `mcp_sessions ${right}`),
    ...all.map((right) => `mcp_cleanup_runs ${right}`),
    ...all.map((right) => `mcp_cleanup_blocked ${right}`),
    ...all.slice(0, 3).map((right) => `mcp_session_totals ${right}`),
    "mcp_session_changes SELECT",
  ]);
  const [, names = ""] = /p\.proname IN \(([^)]*)\)/.exec(sql) ?? [];
  expect(names.split(", ")).toEqual(
    [
      "mcp_add_to_total",
      "mcp_begin_cleanup_run",
      "mcp_choose_bulk",
      "mcp_cleanup_sessions",
      "mcp_count_sessions",
      "mcp_delete_in_batches",
      "mcp_delete_oldest",
      "mcp_delete_pages",
      "mcp_delete_range",
      "mcp_delete_sessions",
      "mcp_end_cleanup_run",
      "mcp_find_expired",
      "mcp_may_be_kept",
      "mcp_merge_session_changes",
      "mcp_open_session",
      "mcp_recount_sessions",
      "mcp_resume_session",
      "mcp_tidy_cleanup",
      "mcp_try_session",
    ].map((name) => `'${name}'`),
  );
  expect(params).toEqual([19, true]);
});

describe("asked of a database", () => {
  const usabilityOf = async ({ url }: TestDatabase) => {
    const { rows } = await connect({ url, endpointOverride: inject("neonEndpoint") }).run(
      { name: "a test", budgetMs: 60_000, attemptMs: 60_000, isIdempotent: true },
      (db) => db.execute(usability(false)),
    );
    return usabilities.parse(rows)[0];
  };

  test("its owner may do everything", async () => {
    expect(await usabilityOf(await createDatabase())).toEqual(USABLE);
  });

  test("a right on one column is enough, but to delete takes the right on the table", async () => {
    const database = await createDatabase();
    const worker = await asWorkerRole(database);
    await database.query("REVOKE SELECT ON mcp_session_changes FROM mcp_worker");
    await database.query("GRANT SELECT (change) ON mcp_session_changes TO mcp_worker");
    expect(await usabilityOf(worker)).toEqual(USABLE);
    await database.query("REVOKE DELETE ON mcp_cleanup_blocked FROM mcp_worker");
    expect(await usabilityOf(worker)).toEqual({ ...USABLE, may_use_tables: false });
  });

  test("a routine is missing when it is gone, also where another schema has one of its name", async () => {
    const database = await createDatabase();
    await database.query("CREATE SCHEMA elsewhere");
    await database.query(
      "CREATE FUNCTION elsewhere.mcp_tidy_cleanup() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    );
    expect(await usabilityOf(database)).toEqual(USABLE);
    await database.query("DROP ROUTINE mcp_tidy_cleanup");
    expect(await usabilityOf(database)).toEqual({ ...USABLE, routines: "missing" });
  });

  test("a routine is denied when the role may not execute it", async () => {
    const database = await createDatabase();
    await database.query("REVOKE EXECUTE ON ROUTINE mcp_tidy_cleanup FROM PUBLIC, mcp");
    expect(await usabilityOf(database)).toEqual({ ...USABLE, routines: "denied" });
  });
});

describe("the refusal", () => {
  const CENSUS = (kind: string, sqlstate: string) => ({
    message: `session census failed: ${kind} (SQLSTATE ${sqlstate})`,
    fault: { kind, sqlstate, httpStatus: 400, retryable: false, outcomeUnknown: false, answered: true },
  });

  test("there is none where everything is allowed, also where rows may be hidden", () => {
    expect(refusalOf([USABLE])).toBeUndefined();
    expect(refusalOf([{ ...USABLE, may_hide_rows: true }])).toBeUndefined();
  });

  test.each([
    [{ routines: "missing" }, CENSUS("schema_missing", "42883")],
    [{ routines: "missing", may_use_tables: false }, CENSUS("schema_missing", "42883")],
    [{ routines: "denied" }, CENSUS("permission_denied", "42501")],
    [{ may_use_tables: false }, CENSUS("permission_denied", "42501")],
  ] as const)("of %o is as PostgreSQL would refuse it", (found, refusal) => {
    const made = refusalOf([{ ...USABLE, ...found }]);
    expect(made).toBeInstanceOf(DatabaseFault);
    expect(made).toMatchObject(refusal);
  });

  const step = {
    step: "open",
    sqlstate: "08006",
    symptom: null,
    table: "mcp_sessions",
    column: null,
    constraint: null,
  } as const satisfies FailedStep;

  test("a step that has failed says most, and is answered whatever its code says", () => {
    const made = refusalOf([{ ...USABLE, trial: step, routines: "missing" }]);
    expect(made).toBeInstanceOf(TrialFailed);
    expect(made).toMatchObject({
      name: "TrialFailed",
      message: "trial of a session failed: database_unreachable (SQLSTATE 08006)",
      failed: step,
      fault: { kind: "database_unreachable", retryable: true, outcomeUnknown: false, answered: true },
    });
  });

  test("a step without a code is a write that was undone", () => {
    const undone = { ...step, sqlstate: null, symptom: "kept" } as const;
    const made = refusalOf([{ ...USABLE, trial: undone }]);
    expect(made?.message).toBe("trial of a session failed: write_rejected");
    expect(made?.fault).toEqual({
      kind: "write_rejected",
      retryable: false,
      outcomeUnknown: false,
      answered: true,
    });
  });

  test("a code of three words is a symptom, any other one is a SQLSTATE", () => {
    const row = { step: "open", table_name: null, column_name: null, constraint_name: null };
    const read = (code: string) => trials.parse({ ...row, code });
    for (const symptom of ["hidden", "ignored", "kept"])
      expect(read(symptom)).toMatchObject({ sqlstate: null, symptom });
    expect(read("P0001")).toMatchObject({ sqlstate: "P0001", symptom: null });
  });
});

test("what the database says of routines is one of two words, or nothing", () => {
  const row = {
    trial: { step: null, code: null, table_name: null, column_name: null, constraint_name: null },
    may_use_tables: true,
    may_hide_rows: false,
  };
  for (const routines of ["missing", "denied", null])
    expect(usabilities.parse([{ ...row, routines }])[0].routines).toBe(routines);
  expect(usabilities.safeParse([{ ...row, routines: "gone" }]).success).toBe(false);
});
