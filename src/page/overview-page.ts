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
          <p>${todo} ${badge(code)} ${manual("docs/operate.md", section)}</p>
        </li>`,
    )}
  </ul>`;

function sessions({ census, figures: { oldestActive } }: Overview, now: Date): Html {
  const { total, expired, expiredAtLeast, oldestExpiredAt } = census;
  const isEstimate = expired !== expiredAtLeast;
  const used = oldestActive?.lastActive ?? null;
  return html`<section class="sheet" aria-labelledby="sessions">
    <h2 id="sessions">Sessions</h2>
    <dl class="figures">
      <div>
        <dt>
          active${
            oldestActive === null
              ? ""
              : html`<small>${used === null ? "" : html`the oldest was last used ${ago(used, now)}`}</small>`
          }
        </dt>
        <dd>${count(total - expired)}</dd>
      </div>
      <div>
        <dt>
          expired, not yet
          deleted${
            oldestExpiredAt === null
              ? ""
              : html`<small>the oldest expired ${ago(oldestExpiredAt, now)}</small>`
          }
        </dt>
        <dd>${isEstimate ? "about " : ""}${count(expired)}</dd>
      </div>
      <div>
        <dt>
          in all${isEstimate ? html`<small>at least ${count(expiredAtLeast)} have expired</small>` : ""}
        </dt>
        <dd>${count(total)}</dd>
      </div>
    </dl>
  </section>`;
}

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
  const isAsleep = until !== undefined && until > now;
  return html`<section class="sheet" aria-labelledby="${`tier-${tier}`}">
    <div class="head">
      <h2 id="${`tier-${tier}`}">Cleanup: ${tier}</h2>
      ${isOn ? (isAsleep ? badge("asleep") : badge("on", "good")) : badge("off")}
    </div>
    ${facts([
      ["Cron", html`<code>${cron}</code>`],
      [
        "Next event",
        isOn
          ? next === null
            ? time(null)
            : html`${time(next)} <span class="none">in ${duration(next.getTime() - now.getTime())}</span>`
          : html`<span class="none">none, the tier is off</span>`,
      ],
      ...(isAsleep ? [["Asleep until", time(until)] as const] : []),
      ...(overview === undefined ? [] : history(overview.census.history[tier], now)),
    ])}
  </section>`;
}

function history({ lastRun, failuresInARow, lastSuccessAt }: TierHistory, now: Date) {
  return [
    ["Last run", lastRun === null ? html`<span class="none">none yet</span>` : runText(lastRun)],
    ...(lastSuccessAt === null
      ? []
      : [
          [
            "Last success",
            html`${time(lastSuccessAt)} <span class="none">${ago(lastSuccessAt, now)}</span>`,
          ] as const,
        ]),
    ["Failures in a row", failuresInARow === 0 ? "0" : badge(String(failuresInARow), "bad")],
  ] as const;
}

function runText({ outcome, started_at, finished_at, deleted, error_code, blocked }: LastRun): Html {
  const tookMs = Date.parse(finished_at ?? "") - Date.parse(started_at ?? "");
  return html`${badge(outcome, outcomeKinds[outcome])} ${time(started_at)}<br /><span class="none"
      >deleted
      ${count(deleted)}${
        Number.isNaN(tookMs) ? "" : ` in ${duration(tookMs)}`
      }${error_code === null ? "" : html`, <code>${error_code}</code>`}${blocked > 0 ? `, ${count(blocked)} blocked` : ""}</span
    >`;
}

function database({ tookMs, figures: { awakeSeconds } }: Overview, { cuHours }: OverviewData): Html {
  return html`<section class="sheet" aria-labelledby="database">
    <h2 id="database">Database</h2>
    ${facts([
      ["Round trip of the count", duration(tookMs)],
      ["Awake in the last 24 hours", `${count(Math.round(awakeSeconds / 60))} min at least`],
      ["That is, at 0.25 CU", `${cuHours(awakeSeconds).toFixed(2)} CU-hours at least`],
    ])}
    <p class="hint">
      From the records of runs and sessions. ${manual("docs/operate.md", "What does it cost?")}
    </p>
  </section>`;
}

/** How long ago, by the Worker's clock. */
const ago = (moment: Date, now: Date): string => `${duration(now.getTime() - moment.getTime())} ago`;
