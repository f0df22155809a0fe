// The list of cleanup runs, one run, and the question before one is started. Pure.
import { html } from "hono/html";
import type { CleanupRun } from "../admin/runs-store.ts";
import { runOutcomes, type Tier, tierNames } from "../cleanup/tiers.ts";
import {
  button,
  type Cell,
  count,
  facts,
  hidden,
  type Html,
  link,
  manual,
  soft,
  time,
  untrusted,
} from "./elements.ts";
import { address, choice, filter, list } from "./list.ts";
import { blockedOf, durationOf, outcomeOf, reasonOf, RUNS_PATH, tierWords } from "./run-words.ts";

export interface RunsQuery {
  tier?: string | undefined;
  outcome?: string | undefined;
}

export interface RunsData {
  query: RunsQuery;
  /** Undefined when what was asked for cannot be. */
  found: { runs: readonly CleanupRun[]; next: number | null } | undefined;
}

export const runsPage = ({ query, found }: RunsData): Html =>
  html`<p class="row">${tierNames.map((tier) => html`<a class="button" href="${RUNS_PATH}/${tier}">Run ${tier} now…</a>`)}</p>
${filter(RUNS_PATH, [
  choice({ name: "tier", label: "Tier", value: query.tier }, tierNames),
  choice({ name: "outcome", label: "Outcome", value: query.outcome }, runOutcomes),
])}${found && pageOf(query, found)}`;

const pageOf = (query: RunsQuery, { runs, next }: NonNullable<RunsData["found"]>): Html =>
  list({
    caption: "Cleanup runs, the latest first",
    head: [
      "Run",
      "Outcome",
      "Started",
      { label: "Deleted", isNumber: true },
      { label: "Took", isNumber: true },
      "Tier",
      "By",
      "Reason",
    ],
    rows: runs.map((run) => [
      link(`${RUNS_PATH}/${run.run_id}`, run.run_id),
      outcomeOf(run),
      time(run.started_at),
      count(run.deleted),
      tookOf(run),
      run.tier,
      starterOf(run),
      reasonCell(run),
    ]),
    next: next === null ? undefined : address(RUNS_PATH, { ...query, before: next }),
    empty: "No run is like this.",
  });

const starterOf = ({ trigger }: CleanupRun) => (trigger === "cron" ? "cron" : "an operator");

const tookOf = (run: CleanupRun): Cell =>
  durationOf(run) ?? soft(run.outcome === "running" ? "not over" : "not known");

/** In a sentence. The page of the run says more. */
function reasonCell(run: CleanupRun): Html {
  const { error_code: code, blocked } = run;
  const sentence = reasonOf(run)?.text.split(". ", 1)[0];
  return html`${code === null ? "" : html`<code>${untrusted(code)}</code>`}${sentence && html`<span class="reason">${sentence}</span>`}${
    blocked > 0 && html`<span class="reason">Cannot be deleted: ${count(blocked)}</span>`
  }`;
}

export interface RunData {
  run: CleanupRun;
  /** Where the page asks once more while the run goes on. */
  again: string;
}

export function runPage({ run, again }: RunData): Html {
  const reason = reasonOf(run);
  const blocked = blockedOf(run);
  const isRunning = run.outcome === "running";
  return html`<section class="sheet narrow" id="run" aria-label="The run" aria-live="polite" ${isRunning && html`data-again="${again}"`}>${isRunning && html`<p><strong>It is at work.</strong> ${link(again, "Look again")}</p>`}
${facts([
  ["Outcome", outcomeOf(run)],
  ["Tier", run.tier],
  ["Deleted", count(run.deleted)],
  ["Transactions", count(run.batches)],
  ["Started", time(run.started_at)],
  ["Ended", isRunning ? soft("not yet") : time(run.finished_at)],
  ["Took", tookOf(run)],
  ["Started by", starterOf(run)],
  ["Expired before", time(run.cutoff)],
  ...(run.error_code === null ? [] : [["Code", html`<code>${untrusted(run.error_code)}</code>`] as const]),
])}${reason && html`<p>${reason.text} ${manual("docs/operate.md", reason.section)}</p>`}${blocked && html`<p>${blocked}</p>`}<p>${link(RUNS_PATH, "All runs")}</p></section>`;
}

/** @param budgetSeconds how long a run from here works, at most. */
export const runQuestion = (tier: Tier, budgetSeconds: number, csrf: string): Html =>
  html`<p>The ${tier} tier ${tierWords[tier]}. No active session is touched. What is deleted cannot be brought back.</p>
<p>It works for ${count(budgetSeconds)} ${budgetSeconds === 1 ? "second" : "seconds"} at most, and goes on when you go away. When there is more to delete it ends as <code>partial</code>: then run it again. ${manual("docs/operate.md", "Cleanup")}</p>
<form method="post" action="${RUNS_PATH}/${tier}" class="row">${hidden(csrf)}${button(`Run ${tier} now`, "primary")} ${link(RUNS_PATH, "Leave it")}</form>`;
