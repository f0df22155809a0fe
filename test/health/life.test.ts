// The trial of a session's life, step by step: what a trigger or a constraint does to the row is found at the step that it hits.
import { beforeEach, describe, expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { addTrigger } from "../support/owner.ts";
import { addChild, addRows } from "../support/rows.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  // Another program may have columns that take everything.
  await database.query(
    "ALTER TABLE mcp_sessions ALTER expires_at DROP NOT NULL, ALTER principal DROP NOT NULL",
  );
});

/** @returns the step, its code and its column; undefined when all went well. */
async function life(argument = "true") {
  const [found] = await database.query(`SELECT * FROM mcp_try_session(${argument})`);
  const parts = ["step", "code", "column_name"].map((name) => found?.[name]).filter((part) => part !== null);
  if (parts.length > 0) return parts.map(String).join(" ");
  expect(found).toMatchObject({ code: null, column_name: null, constraint_name: null, table_name: null });
  return undefined;
}

const EXPIRED = "NEW.expires_at := '2026-01-01'";
const ANOTHERS = "NEW.principal := 'another'";
const ENDED = "NEW.ended_at := now()";

test("where nothing is in its way it goes well, in whole by default", async () => {
  await database.query("CREATE SEQUENCE opened");
  await addTrigger(database, "INSERT", "PERFORM nextval('opened')");
  const opened = async () =>
    Number((await database.query("SELECT last_value FROM opened"))[0]?.["last_value"]);
  expect([await life("false"), await opened()]).toEqual([undefined, 1]);
  expect([await life("true"), await opened()]).toEqual([undefined, 3]);
  expect([await life(""), await opened()]).toEqual([undefined, 5]);
});

test("the opening alone looks for what is over the limit, and the whole life does without", async () => {
  await database.query("CREATE SEQUENCE updates");
  await database.query(
    "CREATE FUNCTION count_updates() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('updates'); RETURN NULL; END $$",
  );
  await database.query(
    "CREATE TRIGGER count_updates AFTER UPDATE ON mcp_sessions FOR EACH STATEMENT EXECUTE FUNCTION count_updates()",
  );
  const updates = async () =>
    Number((await database.query("SELECT last_value FROM updates"))[0]?.["last_value"]);
  await life("false");
  expect(await updates()).toBe(1);
  await life();
  // Of each of two: that of an eviction, a use, a state, eight levels and one more, and an end.
  expect(await updates()).toBe(1 + 2 * 13);
});

describe("at its opening it finds", () => {
  test.each([
    ["another principal", ANOTHERS, "resume hidden"],
    ["an end", ENDED, "resume hidden"],
    ["an expiry at this instant", "NEW.expires_at := now()", "resume hidden"],
    ["no opening in time", "NEW.created_at := '-infinity'", "resume hidden"],
    ["another version", "NEW.protocol_version := 'x'", "resume ignored protocol_version"],
    ["another client", "NEW.client_info := '[]'", "resume ignored client_info"],
    ["other capabilities", "NEW.capabilities := '[]'", "resume ignored capabilities"],
    ["no row", "RETURN NULL", "resume hidden"],
    ["a failed assertion", "ASSERT false", "open P0004"],
  ])("%s", async (_, body, found) => {
    await addTrigger(database, "INSERT", body);
    expect(await life()).toBe(found);
    expect(await life("false")).toBe(found);
  });

  test("a row that has gone to another table", async () => {
    await addChild(database);
    await addTrigger(database, "INSERT", "INSERT INTO a_child SELECT NEW.*; RETURN NULL");
    expect(await life("false")).toBe("resume hidden");
  });
});

const atUse = (
  body: string,
) => `IF NEW.last_active IS DISTINCT FROM OLD.last_active OR NEW.expires_at <> OLD.expires_at THEN
  IF NEW.ended_at IS NULL THEN ${body}; END IF; END IF`;
const atState = (body: string) => `IF NEW.state IS DISTINCT FROM OLD.state THEN ${body}; END IF`;
const atLastLevel = (body: string) => `IF NEW.log_level = 'emergency' THEN ${body}; END IF`;
const atLevel = (body: string) =>
  `IF NEW.log_level = 'warning' AND OLD.log_level = 'emergency' THEN ${body}; END IF`;
const atEnd = (body: string) => `IF NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL THEN ${body}; END IF`;

describe("later it finds", () => {
  test.each([
    ["a use that is not written", atUse("RETURN NULL"), "resume ignored expires_at"],
    ["a use that takes the expiry away", atUse("NEW.expires_at := NULL"), "resume ignored expires_at"],
    [
      "a use that ends the session",
      atUse("UPDATE mcp_sessions SET ended_at = now() WHERE session_id = NEW.session_id; RETURN NULL"),
      "resume hidden",
    ],
    ["a use after which it is another's", atUse(ANOTHERS), "write_state ignored state"],
    ["a use after which it has ended", atUse(ENDED), "write_state ignored state"],
    ["a state that is emptied", atState("NEW.state := '{}'"), "write_state ignored state"],
    ["a state that is another", atState(`NEW.state := '{"trial": 1}'`), "write_state ignored state"],
    ["no version", atState("NEW.state_version := NULL"), "write_state ignored state_version"],
    ["no versions of keys", atState("NEW.state_versions := NULL"), "write_state ignored state_versions"],
    ["no list of writes", atState("NEW.state_writes := NULL"), "write_state ignored state_writes"],
    ["an empty list of writes", atState("NEW.state_writes := '{}'"), "write_state ignored state_writes"],
    ["a level that is kept", "NEW.log_level := OLD.log_level", "set_log_level ignored log_level"],
    ["a level after which it is another's", atLastLevel(ANOTHERS), "set_log_level ignored log_level"],
    ["a level after which it has ended", atLastLevel(ENDED), "set_log_level ignored log_level"],
    ["a level after which it has expired", atLastLevel(EXPIRED), "set_log_level ignored log_level"],
    ["no end of what is another's", atLevel(ANOTHERS), "end ignored ended_at"],
    ["no end of what has ended", atLevel(ENDED), "end ignored ended_at"],
    ["no end of what has expired", atLevel(EXPIRED), "end ignored ended_at"],
    ["an end that does not expire it", atEnd("NEW.expires_at := OLD.expires_at"), "end ignored expires_at"],
    ["an end without an expiry", atEnd("NEW.expires_at := NULL"), "end ignored expires_at"],
    [
      "an end that expires it more than a second later",
      atEnd("NEW.expires_at := now() + interval '1.5 seconds'"),
      "end ignored expires_at",
    ],
    ["an end for another reason", atEnd("NEW.end_reason := 'x'"), "end ignored end_reason"],
  ])("%s", async (_, body, found) => {
    await addTrigger(database, "UPDATE", body);
    expect(await life()).toBe(found);
    expect(await life("false")).toBeUndefined();
  });

  test.each([
    ["a use", atUse, "resume"],
    ["a state", atState, "write_state"],
    ["a level", atLevel, "set_log_level"],
    ["an end", atEnd, "end"],
  ])("a row that has gone to another table with %s", async (_, at, step) => {
    await addChild(database);
    const move =
      "DELETE FROM ONLY mcp_sessions WHERE session_id = NEW.session_id; INSERT INTO a_child SELECT NEW.*";
    await database.query(
      `CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN ${at(move)}; RETURN NULL; END $t$`,
    );
    await database.query(
      "CREATE TRIGGER move AFTER UPDATE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION move()",
    );
    expect(await life()).toBe(`${step} hidden`);
  });

  test.each([
    ["a check of versions from one on", "CHECK (state_version = 1)", undefined],
    ["a check that sessions end after they begin", "CHECK (ended_at > created_at)", undefined],
    ["a check of one reason of an end", "CHECK (end_reason = 'evicted')", "end 23514"],
    ["a check of the other reason", "CHECK (end_reason = 'client')", "end 23514"],
  ])("%s", async (_, check, found) => {
    await database.query(`ALTER TABLE mcp_sessions ADD CONSTRAINT theirs ${check}`);
    expect(await life()).toBe(found);
  });

  test.each([
    ["a second later, which is soon enough,", "1 second", undefined],
    ["later than that", "1.5 seconds", "delete kept"],
  ])("an expiry that something sets after the end %s", async (_, after, found) => {
    await addTrigger(
      database,
      "INSERT",
      `UPDATE mcp_sessions SET expires_at = now() + interval '${after}'`,
      "mcp_cleanup_runs",
    );
    expect(await life()).toBe(found);
  });

  test.each([
    ["runs that are refused", "INSERT", "RAISE EXCEPTION 'no'", "record_run P0001"],
    ["runs that are not recorded", "INSERT", "RETURN NULL", "record_run hidden"],
    [
      "runs that have ended when they begin",
      "INSERT",
      "NEW.outcome := 'completed'; NEW.finished_at := now()",
      "record_run hidden",
    ],
    ["runs that are kept", "DELETE", "RETURN NULL", "record_run kept"],
  ])("%s", async (_, event, body, found) => {
    await addTrigger(database, event, body, "mcp_cleanup_runs");
    expect(await life()).toBe(found);
  });

  test("changes of counts that cannot be merged", async () => {
    await database.query(
      "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN RAISE EXCEPTION 'no'; END $t$",
    );
    await database.query(
      "CREATE TRIGGER theirs BEFORE DELETE ON mcp_session_changes FOR EACH STATEMENT EXECUTE FUNCTION theirs()",
    );
    expect(await life()).toBe("record_run P0001");
  });
});

test("it writes each state once, and a level of one session only", async () => {
  await addTrigger(
    database,
    "UPDATE",
    `IF OLD.state IS NOT NULL AND NEW.state <> OLD.state OR OLD.log_level IS NULL AND NEW.log_level = 'warning'
       THEN RAISE EXCEPTION 'twice'; END IF`,
  );
  expect(await life()).toBeUndefined();
});

test("it waits for no row but its own, and takes none for its own", async () => {
  await addChild(database);
  await addTrigger(database, "INSERT", "INSERT INTO a_child SELECT NEW.*");
  await addRows(database, ["live"], ["expired", { expires_at: "now() - interval '1 hour'" }]);
  await database.query(
    "INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome) VALUES ('regular', 'manual', now(), now(), now(), 'running')",
  );
  await database.query(`CREATE FUNCTION lock_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM FROM mcp_sessions FOR UPDATE; PERFORM FROM mcp_cleanup_runs FOR UPDATE; END $$`);
  expect(await life()).toBeUndefined();
  const held = await heldOpen(database, "SELECT lock_all()");
  const [found] = await database.query(
    "SELECT t.step, t.code FROM set_config('lock_timeout', '300', true) AS patience, LATERAL mcp_try_session(patience IS NOT NULL) AS t",
  );
  await held.release();
  expect(found).toEqual({ step: null, code: null });
});
