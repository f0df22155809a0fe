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
    what: "Neon does not answer: its compute is down, is starting, or was deleted or renamed.",
    todo: "Look at the Neon console and at Neon's status page.",
  },
  timeout: {
    what: "The database took too long: a table is locked, or the compute is slow to wake.",
    todo: "Look at pg_stat_activity, or raise HEALTH_TIMEOUT_MS.",
  },
  overloaded: {
    what: "The database has too many connections, or no disk or memory left.",
    todo: "Look at the Neon console; a larger compute helps.",
  },
  quota_exceeded: {
    what: "What the plan includes is used up: compute time, transfer or storage.",
    todo: "Upgrade the plan, delete data, or wait for the next month.",
  },
  permission_denied: {
    what: "The role may not log in, or lacks a right.",
    todo: "Check DATABASE_URL, the rights of the role, and the list of allowed addresses of the Neon project.",
  },
  schema_missing: {
    what: "A table, a column or a routine is not there.",
    todo: "Run `npm run db:migrate` on this database.",
  },
  read_only: {
    what: "The database takes no writes: it is a read replica, or is set to read only.",
    todo: "Lead DATABASE_URL to the primary compute, or reset default_transaction_read_only.",
  },
  write_rejected: {
    what: "A constraint, a trigger, a rule or a policy refuses what sessions write.",
    todo: "The SQLSTATE says which kind; change what refuses it.",
  },
  internal: {
    what: "The database failed in a way that has no name of its own.",
    todo: "Find the SQLSTATE in the log.",
  },
};

export const degradationAdvice: Record<Degradation, Advice> = {
  cleanup_overdue: {
    what: "A session has been expired for more than two intervals of the regular cleanup.",
    todo: "See whether the cron events arrive, and how the last runs ended.",
    section: "Are my crons running?",
  },
  cleanup_failing: {
    what: "The last three runs of a tier have failed.",
    todo: "Look at the reason of the last run.",
    section: "Are my crons running?",
  },
  cleanup_blocked: {
    what: "Some expired sessions cannot be deleted: a foreign key, a trigger or a policy keeps them.",
    todo: "Ask the table mcp_cleanup_blocked what keeps them.",
    section: "Expired sessions cannot be deleted",
  },
  expired_ratio_high: {
    what: "There are many more expired sessions than active ones.",
    todo: "Run the cleanup more often, or find out who opens sessions and leaves them.",
    section: "Health",
  },
  rows_hidden: {
    what: "Row-level security may hide sessions from the Worker's role. Hidden ones are not cleaned up.",
    todo: "Give the role BYPASSRLS, or a policy USING (true).",
    section: "Health",
  },
};

/** What is wrong, what to do, under which name monitors know it, and where the manual says more. */
export const adviceItem = (
  { what, todo, section = "Reasons of a 503" }: Advice,
  ...codes: (string | null | undefined)[]
): Html =>
  html`<div class="todo"><h3>${what}</h3><p>${todo}</p>
<p>${codes.map((code) => code && html`${badge(code)} `)}${manual("docs/operate.md", section)}</p></div>`;
