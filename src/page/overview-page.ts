// The first page: how it stands, why, and what to do about it. Pure.
import { html } from "hono/html";
import { type LastRun, type TierHistory } from "../health/grade.ts";
import type { RunOutcome, Tier } from "../cleanup/tiers.ts";
import { tierNames } from "../cleanup/tiers.ts";
import { type Advice, degradationAdvice, faultAdvice } from "./advice.ts";
import { configurationSection, type Setup } from "./configuration.ts";
import { badge, count, duration, facts, hidden, type Html, manual, time } from "./elements.ts";
import { type Frame, page } from "./layout.ts";
import type { Overview } from "./overview-store.ts";
import type { Degradation } from "../health/grade.ts";

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
  fault: { kind: keyof typeof faultAdvice; sqlstate: string | undefined } | undefined;
  reasons: readonly Degradation[];
  schedules: Record<Tier, Schedule>;
  /** How old numbers may be before a look asks again; 0: each look asks. */
  maxAgeSeconds: number;
  /** What `awakeSeconds` comes to, in CU-hours. */
  cuHours: (seconds: number) => number;
  setup: Setup;
}

export function overviewPage(frame: Frame, data: OverviewData): Html {
  const { overview, now, schedules, setup } = data;
  return page(
    frame,
    html`${verdict(frame, data)} ${overview === undefined ? "" : sessions(overview, now)}
      <div class="grid">
        ${tierNames.map((tier) => tierSection(tier, schedules[tier], overview, now))}
        ${overview === undefined ? "" : database(overview, data)}
      </div>
      ${configurationSection(setup)}`,
  );
}

function verdict({ csrf }: Frame, { overview, fault, reasons, now, maxAgeSeconds }: OverviewData): Html {
  const [kind, title, lead] = wordOf(overview, fault !== undefined, reasons.length);
  return html`<section class="sheet verdict ${kind}" aria-labelledby="verdict">
    <div class="row">
      <h2 id="verdict">${title}</h2>
      <form class="end" method="post" action="/admin/ask">
        ${hidden(csrf)}<button type="submit">Ask now</button>
      </form>
    </div>
    <p>${lead}</p>
    ${
      fault === undefined
        ? ""
        : advice([
            [
              fault.sqlstate === undefined ? fault.kind : `${fault.kind}, ${fault.sqlstate}`,
              faultAdvice[fault.kind],
            ],
          ])
    }
    ${reasons.length === 0 ? "" : advice(reasons.map((reason) => [reason, degradationAdvice[reason]]))}
    <p class="age">
      ${
        overview === undefined
          ? ""
          : html`${fault === undefined ? "Counted" : "The numbers below are the last that are known: counted"}
            ${time(overview.takenAt)}, ${ago(overview.takenAt, now)}. `
      }${
        maxAgeSeconds === 0
          ? "Each look at this page asks the database once."
          : `Numbers are shared for ${duration(maxAgeSeconds * 1000)}, so that a look costs nothing.`
      }
    </p>
  </section>`;
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

const advice = (list: readonly (readonly [string, Advice])[]): Html =>
  html`<ul class="todo">
    ${list.map(
      ([code, { what, todo, section }]) =>
        html`<li>
          <h3>${what}</h3>
          <p>${todo}</p>
          <p>${badge(code)} ${manual("docs/operate.md", section)}</p>
        </li>`,
    )}
  </ul>`;

function sessions({ census, figures: { oldestActive } }: Overview, now: Date): Html {
  const { total, expired, expiredAtLeast, oldestExpiredAt } = census;
  const isEstimate = expired !== expiredAtLeast;
  const lastActive = oldestActive?.lastActive ?? undefined;
  return html`<section class="sheet" aria-labelledby="sessions">
    <h2 id="sessions">Sessions</h2>
    <dl class="figures">
      ${figure("active", count(total - expired), lastActive && `the oldest was last used ${ago(lastActive, now)}`)}
      ${figure(
        "expired, not yet deleted",
        `${isEstimate ? "about " : ""}${count(expired)}`,
        oldestExpiredAt === null ? undefined : `the oldest expired ${ago(oldestExpiredAt, now)}`,
      )}
      ${figure("in all", count(total), isEstimate ? `at least ${count(expiredAtLeast)} have expired` : undefined)}
    </dl>
  </section>`;
}

const figure = (label: string, value: string, note: string | undefined): Html =>
  html`<div>
    <dt>${label}${note === undefined ? "" : html`<small>${note}</small>`}</dt>
    <dd>${value}</dd>
  </div>`;

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
  const state = isAsleep ? badge("asleep") : badge(isOn ? "on" : "off", isOn ? "good" : "plain");
  const inSoft = (text: string) => html`<span class="none">${text}</span>`;
  const nextEvent = isOn
    ? html`${time(next)} ${next === null ? "" : inSoft(`in ${duration(next.getTime() - now.getTime())}`)}`
    : inSoft("none: the tier is off");
  return html`<section class="sheet" aria-labelledby="${`tier-${tier}`}">
    <div class="head">
      <h2 id="${`tier-${tier}`}">Cleanup: ${tier}</h2>
      ${state}
    </div>
    ${facts([
      ["Cron", html`<code>${cron}</code>`],
      ["Next event", nextEvent],
      ...(isAsleep ? [["Asleep until", time(until)] as const] : []),
      ...(overview === undefined ? [] : history(overview.census.history[tier], now)),
    ])}
  </section>`;
}

function history({ lastRun, failuresInARow, lastSuccessAt }: TierHistory, now: Date) {
  return [
    ["Last run", lastRun === null ? html`<span class="none">none yet</span>` : runText(lastRun)],
    ...(lastSuccessAt === null || lastRun?.outcome === "completed"
      ? []
      : [
          [
            "Last success",
            html`${time(lastSuccessAt)} <span class="none">${ago(lastSuccessAt, now)}</span>`,
          ] as const,
        ]),
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
  return html`${badge(outcome, outcomeKinds[outcome])} ${time(started_at)}
    <span class="none">${did.join(", ")}</span>`;
}

function database({ tookMs, figures: { awakeSeconds } }: Overview, { cuHours }: OverviewData): Html {
  return html`<section class="sheet" aria-labelledby="database">
    <h2 id="database">Database</h2>
    ${facts([
      ["Round trip", duration(tookMs)],
      ["Awake, last 24 hours", html`${awake(awakeSeconds)} <span class="none">at least</span>`],
      [
        "Compute used",
        html`${cuHours(awakeSeconds).toFixed(2)} CU-hours <span class="none">at 0.25 CU, at least</span>`,
      ],
    ])}
    <p class="hint">
      From the records of runs and sessions. ${manual("docs/operate.md", "What does it cost?")}
    </p>
  </section>`;
}

const awake = (seconds: number) => `${count(Math.round(seconds / 60))} min`;

/** How long ago, by the Worker's clock. */
function ago(moment: Date, now: Date): string {
  const ms = now.getTime() - moment.getTime();
  return ms < JUST_NOW_MS ? "just now" : `${duration(ms)} ago`;
}

const JUST_NOW_MS = 2000;
