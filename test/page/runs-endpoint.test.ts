// What the pages of cleanup runs ask, and where they lead.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { CleanupRun, RunFilter } from "../../src/admin/runs-store.ts";
import type { CleanupReport } from "../../src/cleanup/store.ts";
import { DatabaseFault } from "../../src/db/fault.ts";
import { runsPages } from "../../src/page/runs-endpoint.ts";
import { handlers, headingIn, readForm } from "./handler.ts";

const NOW = new Date("2026-11-26T12:00:00Z");

afterEach(() => {
  vi.unstubAllGlobals();
});

const run: CleanupRun = {
  run_id: 7,
  tier: "regular",
  trigger: "manual",
  scheduled_at: null,
  cutoff: null,
  started_at: null,
  finished_at: null,
  outcome: "running",
  deleted: 0,
  batches: 0,
  error_code: null,
  blocked: 0,
  blocked_by: null,
};
const report: CleanupReport = {
  runId: 41,
  outcome: "completed",
  deleted: 0,
  batches: 1,
  errorCode: null,
  earliestExpiry: null,
  blocked: 0,
  blockedBy: null,
};

interface Given {
  found?: CleanupRun[];
  clean?: () => Promise<CleanupReport>;
  budgetMs?: number;
}

/** The pages, what they have asked for, and which runs they have started. */
function pages({ found = [run], clean = () => Promise.resolve(report), budgetMs = 20_000 }: Given = {}) {
  const asked: RunFilter[] = [];
  const started: unknown[] = [];
  const { list, one, ask, start } = runsPages({
    runs: {
      list(filter) {
        asked.push(filter);
        return Promise.resolve({ runs: found, next: null });
      },
    },
    cleanups: {
      clean(tier, at) {
        started.push([tier, at]);
        return clean();
      },
    },
    budgetMs,
    readForm,
    now: () => NOW,
  });
  const browser = handlers((app) =>
    app
      .get("/admin/runs", list)
      .get("/admin/runs/:run{[0-9]+}", one)
      .get("/admin/runs/:tier", ask)
      .post("/admin/runs/:tier", start),
  );
  return { ...browser, asked, started };
}

/** From now on a wait is over when the test says so. Its length is noted. */
function stubWait(isOver: boolean): number[] {
  const waits: number[] = [];
  vi.stubGlobal("scheduler", {
    wait(ms: number) {
      waits.push(ms);
      return isOver ? Promise.resolve() : new Promise(() => {});
    },
  });
  return waits;
}

describe("the list", () => {
  test("asks for 50 runs, as its filter says", async () => {
    const { get, asked } = pages();
    const { status, body } = await get("/admin/runs?tier=immediate&outcome=failed&before=100");
    expect([status, headingIn(body)]).toEqual([200, "Cleanup runs"]);
    expect(body).toContain('<a href="/admin/runs/7">7</a>');
    await get("/admin/runs?tier=&outcome=+");
    expect(asked).toEqual([{ tier: "immediate", outcome: "failed", before: 100, limit: 50 }, { limit: 50 }]);
  });

  test.each([
    ["tier=weekly", "The parameter tier must be regular or immediate."],
    ["outcome=good", "The parameter outcome must be one of running, completed, partial, skipped, failed."],
    ["before=0", "The parameter before must be the number of a run."],
    ["before=9007199254740992", "The parameter before must be the number of a run."],
  ])("does not ask for ?%s", async (query, text) => {
    const { get, asked } = pages();
    const { status, body } = await get(`/admin/runs?${query}`);
    expect(status).toBe(400);
    expect(body).toContain(`<div class="notice bad" role="alert"><p>${text}</p></div>`);
    expect(asked).toEqual([]);
  });
});

describe("a run", () => {
  test("is asked for by its number alone", async () => {
    const { get, asked } = pages();
    const { status, body } = await get("/admin/runs/7");
    expect([status, headingIn(body)]).toEqual([200, "Cleanup run 7"]);
    expect(asked).toEqual([{ run: 7, limit: 1 }]);
    expect(body).toContain('data-again="/admin/runs/7"');
  });

  test("that is not there is not found, and a number that none can have is not asked for", async () => {
    const { get, asked } = pages({ found: [] });
    expect(await get("/admin/runs/7")).toMatchObject({
      status: 404,
      body: "not_found: There is no such route",
    });
    expect(await get("/admin/runs/0")).toMatchObject({
      status: 400,
      body: "invalid_request: The parameter run must be the number of a run",
    });
    expect(asked).toHaveLength(1);
  });

  test.each([
    ["?looks=0", "3;url=/admin/runs/7?looks=1"],
    ["?looks=18", "3;url=/admin/runs/7?looks=19"],
    ["?looks=19", "3;url=/admin/runs/7?looks=20"],
    ["?looks=20", undefined],
    ["", undefined],
  ])("that goes on is loaded again after %j by %s", async (query, refresh) => {
    const { body } = await pages().get(`/admin/runs/7${query}`);
    expect(/http-equiv="refresh" content="([^"]+)"/.exec(body)?.[1]).toBe(refresh);
  });

  test("that has ended is not loaded again", async () => {
    const ended = { ...run, outcome: "completed" } as const;
    const { body } = await pages({ found: [ended] }).get("/admin/runs/7?looks=1");
    expect(body).not.toContain("refresh");
  });

  test("is looked at 20 times at most", async () => {
    const { get, asked } = pages();
    expect(await get("/admin/runs/7?looks=21")).toMatchObject({
      status: 400,
      body: "invalid_request: The parameter looks must be at most 20",
    });
    expect(asked).toEqual([]);
  });
});

describe("the question", () => {
  test.each([
    [1000, "1 second"],
    [1001, "2 seconds"],
    [20_000, "20 seconds"],
  ])("says of a budget of %d ms that it is %s, and asks nobody", async (budgetMs, text) => {
    const { get, asked, started } = pages({ budgetMs });
    const { status, body } = await get("/admin/runs/immediate");
    expect([status, headingIn(body)]).toEqual([200, "Run the immediate cleanup?"]);
    expect(body).toContain(`It works for ${text} at most`);
    expect(body).toContain('name="csrf" value="the-token"');
    expect([asked, started]).toEqual([[], []]);
  });

  test("is not asked for another tier", async () => {
    expect(await pages().get("/admin/runs/weekly")).toMatchObject({
      status: 400,
      body: "invalid_request: The parameter tier must be regular or immediate",
    });
  });
});

describe("a run that is started", () => {
  test("leads to its end, when that comes within two seconds", async () => {
    const waits = stubWait(false);
    const { post, asked, started, goesOn } = pages();
    expect(await post("/admin/runs/immediate")).toMatchObject({ status: 303, location: "/admin/runs/41" });
    expect(started).toEqual([["immediate", NOW]]);
    expect([waits, asked]).toEqual([[2000], []]);
    // The platform keeps it alive, whatever becomes of the answer.
    expect(await Promise.all(goesOn)).toEqual([41]);
  });

  test("leads to its end, when it has failed", async () => {
    stubWait(false);
    const { post } = pages({
      clean: () => Promise.resolve({ ...report, runId: 42, outcome: "failed", errorCode: "57014" }),
    });
    expect(await post("/admin/runs/regular")).toMatchObject({ status: 303, location: "/admin/runs/42" });
  });

  test("leads to where it can be followed, when it goes on", async () => {
    stubWait(true);
    const { post, asked, goesOn } = pages({ clean: () => new Promise(() => {}) });
    expect(await post("/admin/runs/regular")).toMatchObject({
      status: 303,
      location: "/admin/runs/7?looks=0",
    });
    expect(asked).toEqual([{ tier: "regular", startedByHandAt: NOW, limit: 1 }]);
    expect(goesOn).toHaveLength(1);
  });

  test("leads to the list, when it has not begun", async () => {
    stubWait(true);
    const { post } = pages({ found: [], clean: () => new Promise(() => {}) });
    expect(await post("/admin/runs/regular")).toMatchObject({ status: 303, location: "/admin/runs" });
  });

  test("is refused with the fault of the database, which the platform does not hear of twice", async () => {
    stubWait(false);
    const fault = new DatabaseFault("a test", {
      kind: "quota_exceeded",
      retryable: false,
      outcomeUnknown: false,
      answered: true,
    });
    const { post, goesOn } = pages({ clean: () => Promise.reject(fault) });
    await expect(post("/admin/runs/regular")).rejects.toBe(fault);
    expect(await Promise.all(goesOn)).toEqual([undefined]);
  });

  test("is not started by a form that is refused, nor for another tier", async () => {
    const { post, started } = pages();
    expect(await post("/admin/runs/regular", { refused: "" })).toMatchObject({ status: 403 });
    expect(await post("/admin/runs/weekly")).toMatchObject({ status: 400 });
    expect(started).toEqual([]);
  });
});
