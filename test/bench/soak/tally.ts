// What was asked and answered, and when: the figures of the report.
import type { Outage } from "./outages.ts";

export interface Entry {
  kind: string;
  /** The status, or `200 tool error`, or `none`. */
  label: string;
  /** 2xx, or the 4xx that is due. */
  isSuccess: boolean;
  startedAt: number;
  endedAt: number;
}

export interface Share {
  name: string;
  requests: number;
  /** 0 to 1. */
  successRatio: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** A request is inside an outage when any moment of it is. */
export function shares(entries: readonly Entry[], outages: readonly Outage[]): Share[] {
  const isInside = ({ startedAt, endedAt }: Entry) =>
    outages.some((outage) => startedAt <= outage.endedAt && endedAt >= outage.startedAt);
  return [
    share("inside outages", entries.filter(isInside)),
    share(
      "outside outages",
      entries.filter((entry) => !isInside(entry)),
    ),
    share("all", entries),
  ];
}

function share(name: string, entries: readonly Entry[]): Share {
  const times = entries.map(({ startedAt, endedAt }) => endedAt - startedAt).toSorted((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(times.length * q))] ?? 0;
  return {
    name,
    requests: entries.length,
    successRatio: entries.filter(({ isSuccess }) => isSuccess).length / Math.max(1, entries.length),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
  };
}

/** How many requests of each kind got each answer. */
export function counts(entries: readonly Entry[]): Map<string, Map<string, number>> {
  const byKind = new Map<string, Map<string, number>>();
  for (const { kind, label } of entries) {
    const row = byKind.get(kind) ?? new Map<string, number>();
    byKind.set(kind, row.set(label, (row.get(label) ?? 0) + 1));
  }
  return byKind;
}

/** Columns under each other; the first to the left, numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => String(row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      widths
        .map((width, column) => {
          const cell = String(row[column] ?? "");
          return column === 0 ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function countTable(entries: readonly Entry[]): string {
  const byKind = counts(entries);
  const labels = [...new Set(entries.map(({ label }) => label))].toSorted();
  return table([
    ["request", ...labels, "all"],
    ...[...byKind].map(([kind, row]) => [
      kind,
      ...labels.map((label) => row.get(label) ?? ""),
      [...row.values()].reduce((sum, count) => sum + count, 0),
    ]),
  ]);
}

export function shareTable(entries: readonly Entry[], outages: readonly Outage[]): string {
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  return table([
    ["", "requests", "success", "p50", "p99", "max"],
    ...shares(entries, outages).map(({ name, requests, successRatio, p50Ms, p99Ms, maxMs }) => [
      name,
      requests,
      `${(successRatio * 100).toFixed(2)}%`,
      ms(p50Ms),
      ms(p99Ms),
      ms(maxMs),
    ]),
  ]);
}
