// The pages of the cleanup runs: the list, one of them, and how one is started and followed. One statement each.
import * as z from "zod";
import type { RunsStore } from "../admin/runs-store.ts";
import { clean, CleanupFailed } from "../cleanup/clean.ts";
import type { CleanupStore } from "../cleanup/store.ts";
import { runOutcomes, tierNames } from "../cleanup/tiers.ts";
import { AppError } from "../http/errors.ts";
import { readParams, wholeNumber } from "../http/input.ts";
import type { ReadForm } from "./form.ts";
import { frameOf, type PageContext } from "./guard.ts";
import { asked, show, showList } from "./list-endpoint.ts";
import { RUNS_PATH } from "./run-words.ts";
import { runPage, runQuestion, runsPage } from "./runs-page.ts";

const PAGE_SIZE = 50;
// Most runs end within it, and then the answer to the form is the end of the run.
const WAIT_MS = 2000;
// Without a script a browser asks again by itself every three seconds, for a minute: longer than a run from here works.
const AGAIN_SECONDS = 3;
const MOST_LOOKS = 20;

export interface RunsPagesOptions {
  runs: RunsStore;
  cleanups: CleanupStore;
  /** How long a run of these works, at most. */
  budgetMs: number;
  readForm: ReadForm;
  now: () => Date;
}

const startedRun = (error: unknown) => {
  if (error instanceof CleanupFailed) return error.report.runId;
  throw error;
};

/** Every handler @throws AppError and DatabaseFault. */
export function runsPages({ runs, cleanups, budgetMs, readForm, now }: RunsPagesOptions) {
  const runNumber = wholeNumber(1, Number.MAX_SAFE_INTEGER, "must be the number of a run");
  const looked = wholeNumber(0, MOST_LOOKS, `must be at most ${MOST_LOOKS}`);
  const tier = z.enum(tierNames, { error: `must be ${tierNames.join(" or ")}` });
  const listQuery = z.object({
    tier: tier.optional(),
    outcome: z.enum(runOutcomes, { error: `must be one of ${runOutcomes.join(", ")}` }).optional(),
    before: runNumber.optional(),
  });
  const tierParams = z.object({ tier });
  const runParams = z.object({ run: runNumber });
  const runQuery = z.object({ looks: looked.optional() });
  const nothing = z.object({});

  return {
    list: (c: PageContext) =>
      showList(c, {
        title: "Cleanup runs",
        query: listQuery,
        find: (query) => runs.list({ ...query, limit: PAGE_SIZE }),
        body: (query, found) => runsPage({ query, found }),
      }),

    one: async (c: PageContext) => {
      const { run: number } = readParams(c, runParams);
      const { looks } = asked(c, runQuery);
      const [run] = (await runs.list({ run: number, limit: 1 })).runs;
      if (run === undefined) throw new AppError("not_found");
      const path = `${RUNS_PATH}/${number}`;
      const mayLook = run.outcome === "running" && looks !== undefined && looks < MOST_LOOKS;
      return show(c, `Cleanup run ${number}`, runPage({ run, again: path }), {
        refresh: mayLook ? { seconds: AGAIN_SECONDS, href: `${path}?looks=${looks + 1}` } : undefined,
      });
    },

    ask: (c: PageContext) => {
      const chosen = readParams(c, tierParams).tier;
      const seconds = Math.ceil(budgetMs / 1000);
      return show(c, `Run the ${chosen} cleanup?`, runQuestion(chosen, seconds, frameOf(c, "").csrf));
    },

    /** Leads to the run: to its end when that comes soon, else to where it can be followed. */
    start: async (c: PageContext) => {
      await readForm(c, nothing);
      const chosen = readParams(c, tierParams).tier;
      const begun = now();
      const ending = clean(cleanups, chosen, begun).then(({ runId }) => runId, startedRun);
      // The run goes on after the answer, and when the browser goes away.
      c.executionCtx.waitUntil(ending.catch(() => undefined));
      const ended = await Promise.race([ending, scheduler.wait(WAIT_MS)]);
      if (typeof ended === "number") return c.redirect(`${RUNS_PATH}/${ended}`, 303);
      const [run] = (await runs.list({ tier: chosen, startedByHandAt: begun, limit: 1 })).runs;
      // Without a record it has not begun: the database may be waking. It will stand at the top of the list.
      return c.redirect(run === undefined ? RUNS_PATH : `${RUNS_PATH}/${run.run_id}?looks=0`, 303);
    },
  };
}
