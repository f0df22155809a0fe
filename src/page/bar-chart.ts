// One measure over time as bars, drawn as SVG. Its shapes say everything, so its colours may be any. Pure.
import { html } from "hono/html";
import type { Html } from "./elements.ts";
import { figure, shortFigure, ticksUpTo } from "./figures.ts";
import { labelsOf, slotOf, spanOf } from "./time-axis.ts";

export interface Bar {
  /** When its time begins. */
  from: Date;
  /** Null: it is not known. Then there is no bar. */
  value: number | null;
  /** Whether more may come to it: its time is not over, or is not counted yet. */
  isOpen: boolean;
  /** What a cross above the bar stands for; left out: there is none. */
  alarm?: string;
}

export interface BarChart {
  /** Unique on the page. */
  id: string;
  title: string;
  /** What is counted, such as `sessions`. */
  unit: string;
  /** What stands beside the axis of numbers, such as `sessions in an hour`. */
  axis: string;
  /** The time of one bar. */
  barSeconds: number;
  /** At least one, in the order of time, without gaps. */
  bars: readonly [Bar, ...Bar[]];
  /** Whether what is counted has no fractions. */
  isWhole: boolean;
}

// In units of the drawing, which is as wide as a phone: its letters have their size there, and are larger elsewhere.
const WIDTH = 320;
const HEIGHT = 160;
const LEFT = 46;
const RIGHT = 8;
const TOP = 30;
const BOTTOM = 36;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;
const FLOOR = TOP + PLOT_HEIGHT;
// What is not zero can be seen beside what is a million times larger.
const LEAST_HEIGHT = 1.5;
// Half of the widest label.
const LABEL_REACH = 22;

const round = (value: number) => Math.round(value * 10) / 10;

/** The drawing, with its title and its description. */
export function barChart(chart: BarChart): Html {
  const { id, title, unit, axis, barSeconds, bars, isWhole } = chart;
  const ticks = ticksUpTo(Math.max(...bars.map(({ value }) => value ?? 0)), isWhole);
  const slot = PLOT_WIDTH / bars.length;
  const gap = Math.min(slot / 4, 2);
  const x = (i: number) => round(LEFT + i * slot);
  const heightOf = (value: number) => round((PLOT_HEIGHT * value) / (ticks.at(-1) ?? 1));
  const starts = bars.map(({ from }) => from);

  const marks = ticks.map((tick) => {
    const y = round(FLOOR - heightOf(tick));
    return html`${line(tick === 0 ? "axis" : "rule", LEFT, y, WIDTH - RIGHT, y)}${text("end", LEFT - 5, y + 4, shortFigure(tick))}`;
  });

  const drawn = bars.map(({ from, value, isOpen, alarm }, i) => {
    const height = value ? Math.max(heightOf(value), LEAST_HEIGHT) : 0;
    const number = value === null ? "not known" : `${figure(value)} ${unit}`;
    const told = `${slotOf(from, barSeconds)}: ${number}${isOpen ? ", so far" : ""}${alarm === undefined ? "" : `. ${alarm}`}`;
    return html`<g><title>${told}</title>
${rect(value === null ? "unknown" : "reach", x(i), TOP, slot, PLOT_HEIGHT)}
${rect("column", x(i) + gap / 2, FLOOR - height, slot - gap, height, isOpen ? `url(#${id}-open)` : "currentColor")}
${alarm === undefined ? "" : html`<path class="alarm" d="M${round(x(i) + slot / 2 - 4)} ${TOP - 12}l8 8m0 -8l-8 8" />`}</g>`;
  });

  const times = labelsOf(starts, barSeconds).map((label, i) =>
    label === undefined
      ? ""
      : html`${line("axis", x(i), FLOOR, x(i), FLOOR + 4)}${text("middle", Math.min(x(i), WIDTH - LABEL_REACH), FLOOR + 17, label)}`,
  );

  return html`<svg class="chart" role="img" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${title}</title>
<desc id="${id}-desc">${described(chart)}</desc>
<pattern id="${id}-open" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">${rect("column", 0, 0, 2, 4, "currentColor")}</pattern>
${text("start", 2, 12, axis)}${marks}${drawn}${times}${text("end", WIDTH - RIGHT, HEIGHT - 4, "time in UTC")}
</svg>`;
}

const line = (kind: string, x1: number, y1: number, x2: number, y2: number): Html =>
  html`<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" />`;

const text = (anchor: string, x: number, y: number, content: string): Html =>
  html`<text text-anchor="${anchor}" x="${x}" y="${round(y)}">${content}</text>`;

const rect = (kind: string, x: number, y: number, width: number, height: number, fill = ""): Html =>
  html`<rect class="${kind}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${height}" fill="${fill}" />`;

/** What a chart shows, in words. */
export function described({
  bars,
  barSeconds,
  unit,
}: Pick<BarChart, "bars" | "barSeconds" | "unit">): string {
  const highest = bars.reduce((most, bar) => ((bar.value ?? 0) > (most.value ?? 0) ? bar : most));
  const most = highest.value ?? 0;
  const unknown = bars.filter(({ value }) => value === null).length;
  const crosses = bars.filter(({ alarm }) => alarm !== undefined).length;
  return [
    `${bars.length} bars of ${spanOf(barSeconds)} each, the first ${slotOf(bars[0].from, barSeconds)} UTC`,
    most > 0 ? `The most: ${figure(most)} ${unit}, ${slotOf(highest.from, barSeconds)}` : `No ${unit}`,
    ...(unknown > 0 ? [`Not known: ${unknown} of them`] : []),
    ...(crosses > 0 ? [`Crosses: ${crosses}`] : []),
    ...(bars.some(({ isOpen }) => isOpen) ? ["Hatched bars are not complete yet"] : []),
  ].join(". ");
}
