// How a cleanup run is written on the pages: its outcome, its reason in words, and where the manual says more. Pure.
import { html } from "hono/html";
import type { CleanupRun } from "../admin/runs-store.ts";
import type { RunOutcome, Tier } from "../cleanup/tiers.ts";
import { sqlstateRules, unknownSqlstate } from "../db/fault-rules.ts";
import { faultAdvice } from "./advice.ts";
import { badge, count, duration, type Html, manual, untrusted } from "./elements.ts";

export const RUNS_PATH = "/admin/runs";

export const tierWords: Record<Tier, string> = {
  regular: "deletes every session that has expired",
  immediate: "deletes the sessions that have been expired for MCP_IMMEDIATE_CLEANUP_AGE_SECONDS or longer",
};

const kinds: Record<RunOutcome, "good" | "warning" | "bad" | "plain"> = {
  running: "plain",
  completed: "good",
  partial: "warning",
  skipped: "plain",
  failed: "bad",
};

export const outcomeOf = ({ outcome }: Pick<CleanupRun, "outcome">): Html => badge(outcome, kinds[outcome]);

export interface Reason {
  /** Whole sentences. */
  text: string;
  /** The section of docs/operate.md that says more. */
  section: string;
}

const reasons: Record<string, Reason> = {
  busy: {
    text: "Another run was at work. It does what this one would have done.",
    section: "Runs are skipped as busy",
  },
  duplicate: { text: "The same cron event came twice.", section: "Cleanup" },
  interrupted: {
    text: "The run died: it gave no sign of life any more, and the next run closed its record. What it had deleted stays deleted.",
    section: "Are my crons running?",
  },
  "57014": {
    text: "It was cancelled: statement_timeout of the role is shorter than the time budget, or its caller went away.",
    section: "A run failed with 57014",
  },
};

const partial: Reason = {
  text: "Its time was used up, and there is more to delete. The next run goes on.",
  section: "Runs end as partial",
};

/** Why a run has not done all of its work; undefined when it has, or goes on. */
export function reasonOf({
  outcome,
  error_code: code,
}: Pick<CleanupRun, "outcome" | "error_code">): Reason | undefined {
  if (outcome === "partial") return partial;
  if (code === null) return undefined;
  return reasons[code] ?? ofSqlstate(code);
}

function ofSqlstate(sqlstate: string): Reason {
  const rules = sqlstateRules[sqlstate] ?? sqlstateRules[sqlstate.slice(0, 2)] ?? [];
  const { kind } = rules.find(({ text }) => text === undefined) ?? unknownSqlstate;
  const { what, todo, section = "Reasons of a 503" } = faultAdvice[kind];
  return { text: `${what} ${todo}`, section };
}

/** What keeps sessions that could not be deleted; undefined when there are none. */
export function blockedOf({
  blocked,
  blocked_by: by,
}: Pick<CleanupRun, "blocked" | "blocked_by">): Html | undefined {
  if (blocked === 0) return undefined;
  return html`${count(blocked)} expired ${blocked === 1 ? "session" : "sessions"} cannot be deleted${by === null ? "" : html`: ${untrusted(by)}`}. ${manual("docs/operate.md", "Expired sessions cannot be deleted")}`;
}

/** How long it took; undefined while it is running, and when a time is not known. */
export function durationOf({
  started_at: started,
  finished_at: finished,
}: Pick<CleanupRun, "started_at" | "finished_at">): string | undefined {
  if (started === null || finished === null) return undefined;
  return duration(Date.parse(finished) - Date.parse(started));
}
