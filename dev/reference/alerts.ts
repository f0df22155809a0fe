// The alerts and the recorded series of ops/prometheus/rules, as a part of metrics.md.
import { isMap, isScalar, isSeq, parseDocument, type YAMLMap } from "yaml";
import * as z from "zod";
import { block, blocks, described, linkTo, list, type Page, prose, table } from "./markdown.ts";

const duration = z.string().optional();
const alertRule = z.object({
  alert: z.string(),
  expr: z.string(),
  for: duration,
  labels: z.object({ severity: z.enum(["critical", "warning"]) }),
  annotations: z.object({
    summary: z.string().optional(),
    description: z.string().optional(),
    runbook: z.string().optional(),
  }),
});
const recordRule = z.object({ record: z.string(), expr: z.string() });

interface Rule {
  rule: z.infer<typeof alertRule> | z.infer<typeof recordRule>;
  /** The comment before it. */
  comment: string | undefined;
}

/** @param files the text of the files. @throws when a rule is neither an alert nor a recorded series. */
export function alertsSection(files: readonly string[]): Page {
  const problems: string[] = [];
  const rules = files.flatMap(readRules);
  const alerts = rules.flatMap(({ rule }) => ("alert" in rule ? [rule] : []));
  const sections = alerts.map(({ alert, expr, for: pending, labels, annotations }) =>
    blocks(
      `### ${alert}`,
      described(`The alert ${alert}`, annotations.description, problems),
      list([
        `Severity: ${labels.severity}.`,
        `Fires after: ${pending ?? "at once"}.`,
        `Summary: ${described(`The summary of the alert ${alert}`, annotations.summary, problems)}.`,
      ]),
      `What to do: ${described(`The runbook of the alert ${alert}`, annotations.runbook, problems).replaceAll(/\s+/g, " ")}`,
      block("promql", expr),
    ),
  );
  const records = rules.flatMap(({ rule, comment }) =>
    "record" in rule
      ? [
          blocks(
            `### ${rule.record}`,
            described(`The recorded series ${rule.record}`, comment, problems),
            block("promql", rule.expr),
          ),
        ]
      : [],
  );
  const text = blocks(
    "## Alerts",
    "They are in `ops/prometheus/rules/alerts.yml`, for Prometheus.",
    table(
      ["alert", "severity", "what it means"],
      alerts.map(({ alert, labels, annotations }) => [
        linkTo("metrics", alert),
        labels.severity,
        prose(annotations.description ?? ""),
      ]),
    ),
    ...sections,
    "## Recorded series",
    "They are in `ops/prometheus/rules/recording.yml`. Alerts and the dashboard use them.",
    ...records,
  );
  return { text, problems };
}

function readRules(file: string): Rule[] {
  const document = parseDocument(file);
  const groups = document.get("groups");
  if (!isSeq<YAMLMap>(groups)) throw new Error("A file of rules must have groups");
  return groups.items.flatMap((group) => {
    const rules = group.get("rules");
    if (!isSeq(rules)) throw new Error("A group must have rules");
    return rules.items.map((item, i) => {
      if (!isMap(item)) throw new Error(`${isScalar(item) ? String(item.value) : "A list"} is no rule`);
      // yaml gives the comment before the first rule to the list.
      const comment = (i === 0 ? rules.commentBefore : item.commentBefore) ?? undefined;
      return { rule: z.union([alertRule, recordRule]).parse(item.toJSON()), comment: comment?.trim() };
    });
  });
}
