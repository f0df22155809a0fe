// In words: why health is not good, and what to do. As docs/operate.md has it, in short. Pure.
import { html } from "hono/html";
import type { FaultKind } from "../db/fault.ts";
import type { Degradation } from "../health/grade.ts";
import { badge, type Html, manual } from "./elements.ts";

export interface Advice {
  /** A whole sentence. */
  what: string;
  /** A whole sentence. */
  todo: string;
  /** The section of docs/operate.md that says more; left out: "Reasons of a 503". */
  section?: string;
}

export const faultAdvice: Record<FaultKind, Advice> = {
  database_unreachable: {
    what: "Neon does not answer: its compute is down, is starting, or was deleted.",
    todo: "Look at the Neon console and its status page.",
  },
  timeout: {
    what: "The database took too long: a table is locked, or the compute is slow to wake.",
    todo: "Look at pg_stat_activity, or raise HEALTH_TIMEOUT_MS.",
  },
  overloaded: {
    what: "The database has too many connections, or its disk or memory is full.",
    todo: "Look at the Neon console. A larger compute helps.",
  },
  quota_exceeded: {
    what: "What the plan includes is used up.",
    todo: "Upgrade the plan, delete data, or wait for the next month.",
  },
  permission_denied: {
    what: "The role may not log in, or lacks a right.",
    todo: "Check DATABASE_URL, the rights of the role, and the allowed addresses of the Neon project.",
  },
  schema_missing: {
    what: "A table, a column or a routine is not there.",
    todo: "Run npm run db:migrate.",
  },
  read_only: {
    what: "The database takes no writes.",
    todo: "Lead DATABASE_URL to the primary compute, or reset default_transaction_read_only.",
  },
  write_rejected: {
    what: "A constraint, a trigger, a rule or a policy refuses what sessions write.",
    todo: "The SQLSTATE says which. Change it.",
  },
  internal: {
    what: "The database failed in another way.",
    todo: "Look up the SQLSTATE in the log.",
  },
};

const CRONS = "Are my crons running?";

export const degradationAdvice: Record<Degradation, Advice> = {
  cleanup_overdue: {
    what: "A session has been expired for more than two intervals of the regular cleanup.",
    todo: "See whether cron events arrive, and how the last runs ended.",
    section: CRONS,
  },
  cleanup_failing: {
    what: "The last three runs of a tier have failed.",
    todo: "See the reason of the last run.",
    section: CRONS,
  },
  cleanup_blocked: {
    what: "Some expired sessions cannot be deleted: something else keeps them.",
    todo: "Ask the table mcp_cleanup_blocked what does.",
    section: "Expired sessions cannot be deleted",
  },
  expired_ratio_high: {
    what: "There are many more expired sessions than active ones.",
    todo: "Clean up more often, or find out who opens sessions and leaves them.",
    section: "Health",
  },
  rows_hidden: {
    what: "Row-level security may hide sessions from the Worker. Hidden ones are not cleaned up.",
    todo: "Give its role BYPASSRLS, or a policy USING (true).",
    section: "Health",
  },
  tasks_overdue: {
    what: "A task has waited to be run for more than two intervals of the regular cleanup.",
    todo: "See whether cron events arrive, and whether the Queue or the Workflow of the tasks is bound.",
    section: CRONS,
  },
};

/** With the names under which monitors know it. */
export const adviceItem = (
  { what, todo, section = "Reasons of a 503" }: Advice,
  ...codes: (string | null | undefined)[]
): Html =>
  html`<div class="todo"><h3>${what}</h3><p>${todo}</p>
<p>${codes.map((code) => code && html`${badge(code)} `)}${manual("docs/operate.md", section)}</p></div>`;
