// metrics.md: every metric family with its labels, and the words that are their values.
import { eachTier, runOutcomes, tierNames } from "../../src/cleanup/tiers.ts";
import { faultKinds } from "../../src/db/fault.ts";
import { type Census, degradations } from "../../src/health/grade.ts";
import { familiesOf, type Scrape } from "../../src/metrics/families.ts";
import type { Family, Label } from "../../src/metrics/family.ts";
import { endReasons } from "../../src/session/session.ts";
import { alertsSection } from "./alerts.ts";
import { blocks, code, described, linkTo, list, type Page, pageOf, prose, table } from "./markdown.ts";
import {
  degradationMeanings,
  endReasonMeanings,
  faultMeanings,
  labelMeanings,
  outcomeMeanings,
  tierMeanings,
} from "./meanings.ts";

// Stands for a text that the deployment chooses.
const ANY = "any text";

/** Every family that a scrape can have, with every label. */
export function allFamilies(): Family[] {
  const tierHistory = { lastRun: null, failuresInARow: 0, lastSuccessAt: new Date(0) };
  const census: Census = {
    total: 0,
    expired: 0,
    expiredAtLeast: 0,
    isOverdue: false,
    oldestExpiredAt: new Date(0),
    history: eachTier(() => tierHistory),
    wakesAt: eachTier(() => new Date(0)),
    totals: {},
    mayHideRows: false,
    kept: {
      handles: { active: 0, expired: 0, oldest_expired_at: new Date(0).toISOString() },
      tasks: {
        working: 0,
        input_required: 0,
        ended: 0,
        expired: 0,
        due: 0,
        oldest_due_at: new Date(0).toISOString(),
        oldest_expired_at: new Date(0).toISOString(),
      },
    },
  };
  return familiesOf({ ...scrape, store: { census, reasons: [] } });
}

const scrape: Omit<Scrape, "store"> = {
  version: { id: ANY, tag: ANY, deployedAt: null },
  intervalSeconds: Object.fromEntries(tierNames.map((tier) => [tier, 0])),
  querySeconds: 0,
};

/** @param rules the text of the Prometheus files with the alerts and the recorded series. */
export function metricsPage(families: readonly Family[], rules: readonly string[]): Page {
  const problems: string[] = [];
  const withoutDatabase = new Set(
    familiesOf({ ...scrape, store: { fault: "timeout" } }).map(({ name }) => name),
  );
  const sections = families.map((family) =>
    blocks(
      `### ${family.name}`,
      `${described(`The metric ${family.name}`, family.help, problems)}.`,
      list([
        `Type: ${family.type}.`,
        ...labelsOf(family).map(
          ([label, values]) =>
            `Label ${code(label)}: ${values.map((value) => (value === ANY ? value : code(value))).join(", ")}. ` +
            described(`The label ${label}`, meaningOf(label, values), problems),
        ),
        withoutDatabase.has(family.name)
          ? "Present also while the database cannot be asked."
          : "Absent while the database cannot be asked.",
      ]),
    ),
  );
  const rows = families.map(({ name, type, help }) => [linkTo("metrics", name), type, prose(help)]);
  const alerts = alertsSection(rules);
  const text = pageOf(
    "Metrics and alerts",
    intro,
    "## Metrics",
    table(["metric", "type", "what it says"], rows),
    ...sections,
    words,
    alerts.text,
  );
  return { text, problems: [...new Set(problems), ...alerts.problems] };
}

const intro = `
[\`GET /metrics\`](routes.md#get-metrics) answers in Prometheus's text format 0.0.4, or in OpenMetrics 1.0 where \`Accept\` prefers
it. Every number comes from the database, so any isolate gives the same. A counter never falls: cleanup does not delete what
it counts. No label has a session, a principal or anything else without bounds as its value. A scrape is one statement, within
HEALTH_TIMEOUT_MS.`
  .trim()
  .replace("HEALTH_TIMEOUT_MS", linkTo("variables", "HEALTH_TIMEOUT_MS"));

function meaningOf(label: Label, values: readonly string[]): string {
  const meaning = labelMeanings[label];
  return typeof meaning === "string" ? meaning : meaning(values);
}

/** Each label of a family with its values, in the order of the samples. */
function labelsOf({ values }: Family): [Label, string[]][] {
  const labels = new Map<Label, Set<string>>();
  for (const sample of values) {
    for (const [label, value] of Object.entries(sample.labels)) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a sample has no other keys
      const known = labels.get(label as Label) ?? new Set();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
      labels.set(label as Label, known.add(value));
    }
  }
  return [...labels].map(([label, known]) => [label, [...known]]);
}

const meaningRows = <Word extends string>(words: readonly Word[], meanings: Record<Word, string>) =>
  words.map((word) => [code(word), prose(meanings[word])]);

const words = blocks(
  "## Faults of the database",
  "They are the values of `kind` in metrics and log lines, and of `reason` in a 503 of `/session-health`.",
  table(
    ["fault", "usual cause", "what to do"],
    faultKinds.map((kind) => [code(kind), prose(faultMeanings[kind].means), prose(faultMeanings[kind].todo)]),
  ),
  "## Reasons of degraded health",
  table(["reason", "meaning"], meaningRows(degradations, degradationMeanings)),
  "## Cleanup tiers",
  table(["tier", "meaning"], meaningRows(tierNames, tierMeanings)),
  "## Outcomes of runs",
  table(["outcome", "meaning"], meaningRows(runOutcomes, outcomeMeanings)),
  "## End reasons",
  table(["reason", "who ended the session"], meaningRows(endReasons, endReasonMeanings)),
);
