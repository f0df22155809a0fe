// A metric family, and what makes one. Pure.

/** One metric family, as the Prometheus text format has them (Prometheus, "Exposition formats"). */
export interface Family {
  name: string;
  help: string;
  type: "gauge" | "counter" | "histogram";
  values: Sample[];
}

/** Every label. None has a session, a principal or anything else without bounds as its value. */
export type Label = "kind" | "version" | "tag" | "tier" | "state" | "reason" | "outcome" | "le";
type Labels = Partial<Record<Label, string>>;

export interface Sample {
  labels: Labels;
  value: number;
  /** The name of a histogram's sample; other samples have the name of their family. */
  metricName?: string;
}

export const gauge = (name: string, help: string, values: Sample[]): Family => ({
  name,
  help,
  type: "gauge",
  values,
});
export const counter = (name: string, help: string, values: Sample[]): Family => ({
  name,
  help,
  type: "counter",
  values,
});
export const single = (value: number): Sample[] => [{ labels: {}, value }];
export const each = <K extends string>(
  label: Label,
  keys: readonly K[],
  valueOf: (key: K) => number,
): Sample[] => keys.map((key) => ({ labels: { [label]: key }, value: valueOf(key) }));
/** Times since 1970 in seconds. An event that never happened has no sample. */
export const times = (samples: { labels: Labels; at: Date | null }[]): Sample[] =>
  samples.flatMap(({ labels, at }) => (at === null ? [] : [{ labels, value: at.getTime() / 1000 }]));
