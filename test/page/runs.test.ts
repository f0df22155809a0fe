// The pages on which an operator reads the records of cleanup runs, and starts one.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { at, HOUR, runsOf } from "../support/cleanup.ts";
import { heldOpen, holdDeletions } from "../support/locks.ts";
import worker from "../support/main.ts";
import {
  addSessions,
  createDatabase,
  databaseRequests,
  keys,
  remaining,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";
import { formRequest, type Operator, read, signIn } from "./operator.ts";

afterEach(() => setFaults());

const RUN = /^\/admin\/runs\/\d+$/;

async function start(more: Record<string, string> = {}) {
  const database = await createDatabase();
  const env = database.env({ ADMIN_PAGE: "true", ...more });
  return { database, env, operator: await signIn(env) };
}

/** Records of runs that have ended, one second after the other; the last one is the latest. */
const record = ({ query }: TestDatabase, count: number, columns: Record<string, string> = {}) => {
  const all = { tier: "'regular'", outcome: "'completed'", finished_at: "now()", ...columns };
  return query(
    `INSERT INTO mcp_cleanup_runs (trigger, scheduled_at, cutoff, started_at, ${Object.keys(all).join()})
     SELECT 'cron', now(), now(), now() - interval '90 seconds', ${Object.values(all).join()} FROM generate_series(1, $1::int) AS i`,
    [count],
  );
};

/** Sends the form that starts a regular run, and does not wait for its end. */
async function begin(env: Env, operator: Operator) {
  const { fields } = (await operator.get("/admin/runs/regular")).forms.at(-1)!;
  const context = createExecutionContext();
  const answer = worker.fetch(formRequest("/admin/runs/regular", fields, operator.cookie), env, context);
  return { answer, over: () => waitOnExecutionContext(context) };
}

/** A run that is held in the middle of its work, as an operator starts it; and how it is let go. */
async function startHeldRun() {
  const { database, env, operator } = await start();
  await addSessions(database, { a: at(new Date(), -HOUR), b: at(new Date(), -HOUR) });
  const held = await holdDeletions(database);
  const { answer, over } = await begin(env, operator);
  await held.waitedFor();
  const end = async () => {
    await held.release();
    await over();
  };
  return { database, env, operator, answer, end };
}

describe("the list", () => {
  test("has the latest first, page after page, in one statement each", async () => {
    const { database, operator } = await start();
    await record(database, 120);
    const seen: number[] = [];
    for (let path: string | undefined = "/admin/runs"; path !== undefined;) {
      const before = await databaseRequests();
      const page = await operator.get(path);
      expect((await databaseRequests()) - before).toBe(1);
      seen.push(...page.links.filter((link) => RUN.test(link)).map((link) => Number(link.split("/").at(-1))));
      path = page.links.find((link) => link.includes("before="));
    }
    expect(seen).toHaveLength(120);
    expect(seen).toEqual(seen.toSorted((a, b) => b - a));
  });

  test("is filtered by tier and outcome, and keeps that from page to page", async () => {
    const { database, operator } = await start();
    await record(database, 60, { outcome: "'failed'", error_code: "'57014'" });
    await record(database, 3, { tier: "'immediate'" });
    const listed = async (query: string) =>
      (await operator.get(`/admin/runs${query}`)).links.filter((link) => RUN.test(link)).length;
    expect(await listed("?tier=immediate&outcome=")).toBe(3);
    expect(await listed("?outcome=partial")).toBe(0);
    const first = await operator.get("/admin/runs?tier=regular&outcome=failed");
    const next = first.links.find((link) => link.includes("before=")) ?? "";
    expect((await operator.get(next)).links.filter((link) => RUN.test(link))).toHaveLength(10);
    expect(first.text).toContain("It was cancelled");
  });

  test.each([
    ["tier=all", "tier must be regular or immediate"],
    ["outcome=good", "outcome must be one of"],
    ["before=x", "before must be the number of a run"],
  ])("says what is wrong with ?%s, and does not ask the database", async (query, text) => {
    const { operator } = await start();
    const before = await databaseRequests();
    const page = await operator.get(`/admin/runs?${query}`);
    expect(page.status).toBe(400);
    expect(page.text).toContain(text);
    expect((await databaseRequests()) - before).toBe(0);
  });
});

describe("a run", () => {
  test.each([
    [{}, ["completed", "1 min 30 s", "cron"], []],
    [{ outcome: "'partial'" }, ["Its time was used up", "Runs end as partial"], []],
    [
      { outcome: "'skipped'", error_code: "'busy'" },
      ["Another run was at work", "Runs are skipped as busy"],
      [],
    ],
    [{ outcome: "'skipped'", error_code: "'duplicate'" }, ["The same cron event came twice"], []],
    [{ outcome: "'failed'", error_code: "'interrupted'" }, ["The run died", "Are my crons running?"], []],
    [{ outcome: "'failed'", error_code: "'57014'" }, ["It was cancelled", "A run failed with 57014"], []],
    [{ outcome: "'failed'", error_code: "'42501'" }, ["lacks a right", "Reasons of a 503"], []],
    [{ outcome: "'failed'", error_code: "'42P01'" }, ["A table, a column or a routine is not there"], []],
    [
      { outcome: "'failed'", error_code: "'ZZ999'" },
      ["A constraint, a trigger, a rule or a policy refuses"],
      [],
    ],
    [
      { blocked: "3", blocked_by: "'23503, <b>'" },
      ["3 expired sessions cannot be deleted: 23503, <b>", "Expired sessions cannot be deleted"],
      ["<b>"],
    ],
  ])("with %j says so in words, and where the manual says more", async (columns, texts, markup) => {
    const { database, operator } = await start();
    await record(database, 1, columns);
    const [path = ""] = (await operator.get("/admin/runs")).links.filter((link) => RUN.test(link));
    const before = await databaseRequests();
    const page = await operator.get(path);
    expect((await databaseRequests()) - before).toBe(1);
    for (const text of texts) expect(page.text).toContain(text);
    for (const text of markup) expect(page.html).not.toContain(text);
    // What has ended is not asked for again.
    expect(page.html).not.toContain("data-again");
    expect(page.html).not.toContain('http-equiv="refresh"');
  });

  test.each([
    ["/admin/runs/999", 404, "There is no such page"],
    ["/admin/runs/99999999999999999999", 400, "run must be the number of a run"],
    ["/admin/runs/weekly", 400, "tier must be regular or immediate"],
    ["/admin/runs/1?looks=21", 400, "looks must be at most 20"],
  ])("that is not there, %s, is a page that says so", async (path, status, text) => {
    const { operator } = await start();
    const page = await operator.get(path);
    expect(page.status).toBe(status);
    expect(page.text).toContain(text);
  });
});

describe("a run that an operator starts", () => {
  test("is asked about first, without the database; then the answer leads to its end", async () => {
    const { database, operator } = await start();
    await addSessions(database, { old: at(new Date(), -HOUR), live: at(new Date(), HOUR) });
    const before = await databaseRequests();
    const question = await operator.get("/admin/runs/regular");
    expect((await databaseRequests()) - before).toBe(0);
    expect(question.text).toContain("deletes every session that has expired");
    expect(question.text).toContain("20 seconds at most");
    expect(await remaining(database)).toHaveLength(2);

    const answer = await operator.submit("/admin/runs/regular", "/admin/runs/regular");
    expect(answer.status).toBe(303);
    expect(answer.location).toMatch(RUN);
    expect(await remaining(database)).toEqual(["live"]);
    const { text } = await operator.get(answer.location ?? "");
    for (const part of ["completed", "Deleted 1", "an operator"]) expect(text).toContain(part);
    expect(await runsOf(database)).toMatchObject([
      { tier: "regular", trigger: "manual", outcome: "completed" },
    ]);
  });

  test("works no longer than a Worker may after its answer", async () => {
    const { operator } = await start({ MCP_CLEANUP_TIME_BUDGET_MS: "600000" });
    expect((await operator.get("/admin/runs/immediate")).text).toContain("20 seconds at most");
    const { operator: other } = await start({ MCP_CLEANUP_TIME_BUDGET_MS: "1000" });
    expect((await other.get("/admin/runs/immediate")).text).toContain("1 second at most");
  });

  test("can be followed while it works, without a script and with one, and is seen to end", async () => {
    const { operator, answer, end } = await startHeldRun();
    const { status, location } = await read(await answer);
    expect(status).toBe(303);
    expect(location).toBe("/admin/runs/1?looks=0");

    const before = await databaseRequests();
    const atWork = await operator.get(location ?? "");
    expect((await databaseRequests()) - before).toBe(1);
    expect(atWork.text).toContain("It is at work");
    expect(atWork.text).toContain("running");
    const path = /data-again="([^"]+)"/.exec(atWork.html)?.[1] ?? "";
    expect(path).toMatch(RUN);
    const refresh = /<noscript\s*>\s*<meta http-equiv="refresh" content="3;\s*url=([^"]+)"/.exec(atWork.html);
    expect(refresh?.[1]).toBe(`${path}?looks=1`);
    expect(atWork.links).toContain(path);

    await end();
    const ended = await operator.get(`${path}?looks=1`);
    expect(ended.text).toContain("completed");
    expect(ended.text).toContain("Deleted 2");
    expect(ended.html).not.toContain("data-again");
    expect(ended.html).not.toContain('http-equiv="refresh"');
  });

  test("is not looked at for ever by a browser that is left alone", async () => {
    const { operator, answer, end } = await startHeldRun();
    const { location } = await read(await answer);
    const path = /data-again="([^"]+)"/.exec((await operator.get(location ?? "")).html)?.[1] ?? "";
    expect((await operator.get(`${path}?looks=19`)).html).toContain("looks=20");
    expect((await operator.get(`${path}?looks=20`)).html).not.toContain('http-equiv="refresh"');
    await end();
  });

  test("goes on when its browser has gone away", async () => {
    const { database, answer, end } = await startHeldRun();
    // The browser has got the answer, and asks for nothing more.
    await answer;
    await end();
    expect(await remaining(database)).toEqual([]);
    expect(await runsOf(database)).toMatchObject([{ outcome: "completed" }]);
  });

  test("while another one is at work is skipped, and says so", async () => {
    const { operator, answer, end } = await startHeldRun();
    const second = await operator.submit("/admin/runs/immediate", "/admin/runs/immediate");
    const { text } = await operator.get(second.location ?? "");
    expect(text).toContain("skipped");
    expect(text).toContain("Another run was at work");
    await answer;
    await end();
  });

  test("that fails says so, with its reason", async () => {
    const { database, operator } = await start();
    await addSessions(database, { old: at(new Date(), -HOUR) });
    await database.query(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '42501'; END$$",
    );
    await database.query(
      "CREATE TRIGGER refused BEFORE DELETE ON mcp_sessions FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    );
    const answer = await operator.submit("/admin/runs/regular", "/admin/runs/regular");
    const { text } = await operator.get(answer.location ?? "");
    expect(text).toContain("failed");
    expect(text).toContain("42501");
    expect(text).toContain("lacks a right");
  });

  test("that has not begun yet leads to the list, at whose top it will stand", async () => {
    const { database, env, operator } = await start();
    await addSessions(database, { old: at(new Date(), -HOUR) });
    // Runs begin one after the other, and this one does not get its turn.
    const held = await heldOpen(
      database,
      "SELECT pg_advisory_xact_lock('mcp_sessions'::regclass::oid::integer, 1)",
    );
    const { answer, over } = await begin(env, operator);
    expect(await read(await answer)).toMatchObject({ status: 303, location: "/admin/runs" });
    await held.release();
    await over();
    expect(await remaining(database)).toEqual([]);
  });

  test("is started by its form alone, and by an operator alone", async () => {
    const { database, env, operator } = await start();
    const { fields } = (await operator.get("/admin/runs/regular")).forms.at(-1)!;
    const path = "/admin/runs/regular";
    expect((await operator.post(path, fields, { Origin: "https://evil.example" })).status).toBe(403);
    expect((await operator.post(path, { csrf: "" })).status).toBe(403);
    expect((await operator.post(path, fields, { Cookie: "" })).status).toBe(401);
    const monitor = await signIn(env, keys.health);
    for (const to of ["/admin/runs", "/admin/runs/1", path]) expect((await monitor.get(to)).status).toBe(403);
    expect((await monitor.post(path, (await monitor.get("/admin")).forms.at(-1)?.fields ?? {})).status).toBe(
      403,
    );
    expect(await runsOf(database)).toEqual([]);
  });
});

test("while the database cannot be asked each page says why", async () => {
  const { database, operator } = await start();
  await record(database, 1);
  await setFaults({ fault: { kind: "quota" } });
  for (const path of ["/admin/runs", "/admin/runs/1"]) {
    const page = await operator.get(path);
    expect(page.status).toBe(503);
    expect(page.text).toContain("quota_exceeded");
  }
  // The question asks nothing of it; the answer says why nothing was done.
  const answer = await operator.submit("/admin/runs/regular", "/admin/runs/regular");
  expect(answer.status).toBe(503);
  expect(answer.text).toContain("quota_exceeded");
});
