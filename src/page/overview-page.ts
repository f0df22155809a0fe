// The first page: how it stands, why, and what to do about it. Pure.
import { html } from "hono/html";
import type { DatabaseFault } from "../db/fault.ts";
import type { Degradation, LastRun, TierHistory } from "../health/grade.ts";
import { type RunOutcome, type Tier, tierNames } from "../cleanup/tiers.ts";
import { adviceItem, degradationAdvice, faultAdvice } from "./advice.ts";
import { configurationSection, type Setup } from "./configuration.ts";
import { badge, count, duration, facts, hidden, type Html, manual, section, soft, time } from "./elements.ts";
import { type Frame, page } from "./layout.ts";
import type { Overview } from "./overview-store.ts";

/** When a tier's cron events come, whatever the database says. */
export interface Schedule {
  isOn: boolean;
  cron: string;
  next: Date | null;
}

export interface OverviewData {
  now: Date;
  /** The last numbers; undefined when there are none. */
  overview: Overview | undefined;
  /** Why the database could not be asked just now. */
  fault: Pick<DatabaseFault, "kind" | "sqlstate"> | undefined;
  reasons: readonly Degradation[];
  schedules: Record<Tier, Schedule>;
  /** How old numbers may be before a look asks again; 0: each look asks. */
  maxAgeSeconds: number;
  /** What `awakeSeconds` comes to, in CU-hours. */
  cuHours: (seconds: number) => number;
  setup: Setup;
}

export function overviewPage(frame: Frame, data: OverviewData): Html {
  const { overview, now, schedules } = data;
  return page(
    frame,
    html`${verdict(frame, data)}
${overview && sessions(overview, now)}
${overview && kept(overview, now)}
<div class="grid">${tierNames.map((tier) => tierSection(tier, schedules[tier], overview, now))}${overview && database(overview, data)}</div>
${configurationSection(data.setup)}`,
  );
}

function verdict({ csrf }: Frame, { overview, fault, reasons, now, maxAgeSeconds }: OverviewData): Html {
  const [kind, title, lead] = wordOf(overview, fault !== undefined, reasons.length);
  const counted = fault === undefined ? "Counted" : "The numbers below are the last that are known: counted";
  const sharing =
    maxAgeSeconds === 0
      ? "Each look at this page asks the database once."
      : `Numbers are shared for ${duration(maxAgeSeconds * 1000)}, so that a look costs nothing.`;
  return html`<section class="sheet verdict ${kind}"><div class="row"><h2>${title}</h2>
<form class="end" method="post" action="/admin/ask">${hidden(csrf)}<button>Ask now</button></form></div>
<p>${lead}</p>
${fault && adviceItem(faultAdvice[fault.kind], fault.kind, fault.sqlstate)}
${reasons.map((reason) => adviceItem(degradationAdvice[reason], reason))}
<p class="hint">${overview && html`${counted} ${time(overview.takenAt)}, ${ago(overview.takenAt, now)}. `}${sharing}</p></section>`;
}

function wordOf(
  overview: Overview | undefined,
  isFaulty: boolean,
  reasons: number,
): [string, string, string] {
  if (isFaulty) return ["bad", "Unhealthy", "The database cannot be used. Clients are refused with 503."];
  if (overview === undefined) return ["", "Not known", "Nobody has asked the database yet."];
  return reasons === 0
    ? ["good", "Healthy", "Sessions can be opened, and the cleanup keeps up."]
    : ["warning", "Degraded", "Sessions can be opened, but something needs your attention."];
}

function sessions({ census, figures: { oldestActive } }: Overview, now: Date): Html {
  const { total, expired, expiredAtLeast, oldestExpiredAt } = census;
  const isEstimate = expired !== expiredAtLeast;
  const lastActive = oldestActive?.lastActive;
  return section(
    "Sessions",
    html`<dl class="figures">
${figure("active", count(total - expired), lastActive && `the oldest was last used ${ago(lastActive, now)}`)}
${figure("expired, not yet deleted", `${isEstimate ? "about " : ""}${count(expired)}`, oldestExpiredAt && `the oldest expired ${ago(oldestExpiredAt, now)}`)}
${figure("in all", count(total), isEstimate && `at least ${count(expiredAtLeast)} have expired`)}
</dl>`,
  );
}

function kept({ census: { kept: { handles, tasks } = {} } }: Overview, now: Date): Html {
  const old = (at: string | null, what: string) => at && `the oldest ${what} ${ago(new Date(at), now)}`;
  const expired = (of: { expired: number; oldest_expired_at: string | null }) =>
    ["expired, not yet deleted", of.expired, old(of.oldest_expired_at, "expired")] as const;
  return html`${handles && counted("Handles", [["active", handles.active], expired(handles)])}${
    tasks &&
    counted("Tasks", [
      ["working", tasks.working],
      ["wait to be run", tasks.due, old(tasks.oldest_due_at, "since")],
      ["wait for their client", tasks.input_required],
      ["ended", tasks.ended],
      expired(tasks),
    ])
  }`;
}

type Counted = readonly [label: string, value: number, note?: string | null];

const counted = (title: string, all: readonly Counted[]): Html =>
  section(
    title,
    html`<dl class="figures">${all.map(([label, value, note]) => figure(label, count(value), note))}</dl>`,
  );

const figure = (label: string, value: string, note: string | false | null | undefined): Html =>
  html`<div><dt>${label}${note && html`<small>${note}</small>`}</dt><dd>${value}</dd></div>`;

const outcomeKinds: Record<RunOutcome, "good" | "warning" | "bad" | "plain"> = {
  running: "plain",
  completed: "good",
  partial: "warning",
  skipped: "plain",
  failed: "bad",
};

function tierSection(
  tier: Tier,
  { isOn, cron, next }: Schedule,
  overview: Overview | undefined,
  now: Date,
): Html {
  const until = overview?.census.wakesAt?.[tier];
  const isAsleep = isOn && until !== undefined && until > now;
  const nextEvent = isOn
    ? html`${time(next)} ${next && soft(`in ${duration(next.getTime() - now.getTime())}`)}`
    : soft("none: the tier is off");
  return section(
    `Cleanup: ${tier}`,
    facts([
      ["Cron", html`<code>${cron}</code>`],
      ["Next event", nextEvent],
      ...(isAsleep ? [["Asleep until", time(until)] as const] : []),
      ...(overview === undefined ? [] : history(overview.census.history[tier], now)),
    ]),
    isAsleep ? badge("asleep") : badge(isOn ? "on" : "off", isOn ? "good" : "plain"),
  );
}

function history({ lastRun, failuresInARow, lastSuccessAt }: TierHistory, now: Date) {
  return [
    ["Last run", lastRun === null ? soft("none yet") : runText(lastRun)],
    ...(lastSuccessAt === null || lastRun?.outcome === "completed"
      ? []
      : [["Last success", html`${time(lastSuccessAt)} ${soft(ago(lastSuccessAt, now))}`] as const]),
    ["Failures in a row", failuresInARow === 0 ? "0" : badge(count(failuresInARow), "bad")],
  ] as const;
}

function runText({ outcome, started_at, finished_at, deleted, error_code, blocked }: LastRun): Html {
  const tookMs = Date.parse(finished_at ?? "") - Date.parse(started_at ?? "");
  const did = [
    `deleted ${count(deleted)}${Number.isNaN(tookMs) ? "" : ` in ${duration(tookMs)}`}`,
    ...(error_code === null ? [] : [`reason ${error_code}`]),
    ...(blocked > 0 ? [`${count(blocked)} blocked`] : []),
  ];
  return html`${badge(outcome, outcomeKinds[outcome])}<br>${time(started_at)} ${soft(did.join(", "))}`;
}

const database = ({ tookMs, figures: { awakeSeconds } }: Overview, { cuHours }: OverviewData): Html =>
  section(
    "Database",
    html`${facts([
      ["Round trip", duration(tookMs)],
      ["Awake, last 24 hours", html`${count(Math.round(awakeSeconds / 60))} min ${soft("at least")}`],
      ["Compute used", html`${cuHours(awakeSeconds).toFixed(2)} CU-hours ${soft("at 0.25 CU, at least")}`],
    ])}
<p class="hint">From the records of runs and sessions. ${manual("docs/operate.md", "What does it cost?")}</p>`,
  );

/** How long ago, by the Worker's clock. */
function ago(moment: Date, now: Date): string {
  const ms = now.getTime() - moment.getTime();
  return ms < JUST_NOW_MS ? "just now" : `${duration(ms)} ago`;
}

const JUST_NOW_MS = 2000;
