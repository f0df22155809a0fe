// Sends requests for a client and holds each answer against the promises that hold for all of them: in time, with a
// status that is documented for the request, a 503 with Retry-After, and 404s that are the same to the byte.
import type { Ledger } from "./ledger.ts";
import type { Entry } from "./tally.ts";
import { exchange, type WireAnswer, type WireRequest } from "./wire.ts";

export const BUDGET_MS = 10_000;
export const HEALTH_BUDGET_MS = 8000;
// What wrangler and a busy machine take beyond the Worker's own budget.
const GRACE_MS = 2000;
// Longer than a deadline, so that a late answer is seen as one.
const PATIENCE_MS = 10_000;

export interface Judge {
  entries: Entry[];
  /** `deadlineMs` is the Worker's own; `statuses` are those that count as success, all others but 503 are wrong. */
  ask(question: Question): Promise<WireAnswer>;
  /** Notes a tool's answer that says that it failed. */
  downgrade(answer: WireAnswer): void;
}

export interface Question extends Omit<WireRequest, "patienceMs"> {
  kind: string;
  deadlineMs: number;
  /** What may be answered, besides 503. */
  statuses: readonly number[];
  /** What a wrong status breaks. */
  rule: (status: number) => string;
}

export function createJudge(ledger: Ledger): Judge {
  const entries: Entry[] = [];
  const byAnswer = new WeakMap<WireAnswer, Entry>();
  let notFound: string | undefined;
  return {
    entries,
    async ask({ kind, deadlineMs, statuses, rule, ...request }) {
      const answer = await exchange({ ...request, patienceMs: deadlineMs + GRACE_MS + PATIENCE_MS });
      const { status, headers, text, startedAt, endedAt } = answer;
      const entry: Entry = {
        kind,
        label: status === 0 ? "none" : String(status),
        isSuccess: statuses.includes(status),
        startedAt,
        endedAt,
      };
      entries.push(entry);
      byAnswer.set(answer, entry);
      const tookMs = Math.round(endedAt - startedAt);
      if (tookMs > deadlineMs + GRACE_MS) ledger.violate("late", `${kind} took ${tookMs} ms`);
      if (status !== 503 && !statuses.includes(status)) {
        // What a success says is not for a report: it may name a session.
        const detail = status < 400 ? "" : ` ${text.slice(0, 200)}`;
        ledger.violate(rule(status), `${kind} was answered ${status}${detail}`);
      }
      // Waiting does not help against a quota that is used up.
      const mayPass = !/must act|quota_exceeded/.test(text);
      if (status === 503 && headers.has("Retry-After") !== mayPass)
        ledger.violate(`503 ${mayPass ? "without" : "with"} Retry-After`, kind);
      if (status === 404) {
        notFound ??= text;
        if (text !== notFound) ledger.violate("404s that differ", kind);
      }
      return answer;
    },
    downgrade(answer) {
      const entry = byAnswer.get(answer);
      if (entry !== undefined) Object.assign(entry, { label: "200 tool error", isSuccess: false });
    },
  };
}
