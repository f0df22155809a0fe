// The history: what happened with sessions and with cleanup runs, as charts and as tables. Pure.
import { html, raw } from "hono/html";
import { type Bar, barChart } from "./bar-chart.ts";
import { type Cell, count, duration, type Html, link, soft, table, time } from "./elements.ts";
import { figure } from "./figures.ts";
import { barsOf, barSecondsOf, isKnown, type Measure } from "./history-bars.ts";
import { type History, type HistoryPoint, historyWindows, type HistoryWindow } from "./history-store.ts";
import { spanOf } from "./time-axis.ts";

const sessionMeasures = ["opened", "ended", "expired", "deleted"] as const satisfies readonly Measure[];
// What a second has. Runs that take less are measured in milliseconds.
const SECOND_MS = 1000;

export interface HistoryData {
  window: HistoryWindow;
  history: History;
  /** Whether the viewer may see the runs. */
  maySeeRuns: boolean;
}

const PATH = "/admin/history";
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export function historyPage({ window, history, maySeeRuns }: HistoryData): Html {
  const { since, takenAt } = history;
  const here = raw('aria-current="true"');
  return html`<div class="tabs row"><nav aria-label="Time shown"><ul>${historyWindows.map(
    (name) => html`<li><a href="${PATH}?window=${name}" ${name === window && here}>${capital(name)}</a></li>`,
  )}</ul></nav>
<span class="end">${soft(html`As of ${time(takenAt)}`)} ${link(`${PATH}?window=${window}`, "Look again")}</span></div>
${
  since === null
    ? html`<p>Nothing has been counted yet. The first numbers come with the first session that is opened, and with the first cleanup run.</p>`
    : html`${charts(history, barSecondsOf[window], maySeeRuns)}<p class="hint">Counted since ${time(since)}.</p>`
}`;
}

function charts(history: History, barSeconds: number, maySeeRuns: boolean): Html {
  const { points, expiredUntil } = history;
  const span = spanOf(barSeconds);
  const isLong = points.some(({ longestRunMs }) => (longestRunMs ?? 0) >= SECOND_MS);
  const longest = barsOf(history, "longestRunMs", barSeconds, true).map((bar) => ({
    ...bar,
    value: bar.value !== null && isLong ? bar.value / SECOND_MS : bar.value,
  }));

  /** What it shows, with the sum or the maximum in large, and the drawing. */
  const chart = (id: string, title: string, bars: readonly Bar[], unit = "sessions"): Html => {
    const [first, ...rest] = bars;
    const isWhole = unit === "sessions";
    const values = bars.map(({ value }) => value ?? 0);
    const total = isWhole ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
    const axis = `${unit}${isWhole ? "" : ", the longest"} in ${span}`;
    return html`<figure class="sheet"><figcaption>${title} <strong>${figure(total)}</strong>${!isWhole && ` ${unit}`}</figcaption>
${first && barChart({ id, title, unit, axis, barSeconds, bars: [first, ...rest], isWhole })}</figure>`;
  };

  const numbers = (
    caption: string,
    labels: readonly string[],
    cells: (point: HistoryPoint) => Cell[],
  ): Html =>
    html`<details><summary>The numbers as a table</summary>${table(
      ["From", ...labels.map((label) => ({ label: capital(label), isNumber: true }) as const)],
      points.map((point) => [
        time(point.from),
        ...cells(point).map((cell) => (isKnown(history, point, barSeconds) ? cell : "not known")),
      ]),
      `${caption}, by ${span}`,
    )}</details>`;

  return html`<section><h2>Sessions</h2>
<div class="charts">${sessionMeasures.map((measure) => chart(measure, `Sessions ${measure}`, barsOf(history, measure, barSeconds)))}</div>
<p class="hint">A hatched bar is not complete yet. The cleanup counts what has expired${expiredUntil === null ? ": it has not run yet" : html`, last at ${time(expiredUntil)}`}.</p>
${numbers("Sessions", sessionMeasures, (point) => sessionMeasures.map((measure) => count(point[measure])))}</section>
<section><h2>Cleanup runs</h2>
<div class="charts">${chart("runs-deleted", "Sessions deleted by runs", barsOf(history, "runsDeleted", barSeconds, true))}${chart(
    "runs-longest",
    "The longest run",
    longest,
    isLong ? "seconds" : "milliseconds",
  )}</div>
<p class="hint">A run stands where it began. A cross stands above the time in which one has failed.${maySeeRuns && html` ${link("/admin/runs?outcome=failed", "The failed runs")}`}</p>
${numbers(
  "Cleanup runs",
  ["runs", "failed", "deleted", "longest"],
  ({ runs, runsFailed, runsDeleted, longestRunMs }) => [
    count(runs),
    count(runsFailed),
    count(runsDeleted),
    longestRunMs === null ? "none" : duration(longestRunMs),
  ],
)}</section>`;
}
