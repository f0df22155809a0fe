// What is said of the steps of a plan, before them and after.
import { conversionLines } from "./conversion.ts";
import type { Plan } from "./plan.ts";

const VERBS = {
  planned: {
    apply: "Would apply",
    drop: "Would drop",
    recount: "Would recount",
    delete: "Would delete",
    continue: "Would continue",
    build: "Would build",
  },
  done: {
    apply: "Applied",
    drop: "Dropped",
    recount: "Recounted",
    continue: "Continued",
    delete: "Deleted",
    build: "Built",
  },
} as const;

/** The lines of these steps alone. */
export const linesOfSteps = (steps: Partial<Plan>, tense: keyof typeof VERBS) =>
  linesOf({ ...NO_STEPS, ...steps }, tense);

const NO_STEPS: Plan = {
  conversions: [],
  migrations: [],
  drops: [],
  routines: [],
  recounts: false,
  uncounted: false,
  sharedRows: 0,
  renumbers: false,
  indexDrops: [],
  indexes: [],
  missing: { tables: [], parts: [] },
  notes: [],
};

/** One line for each step of a plan, such as `Applied mcp_open_session: its file has changed`. */
export function linesOf(plan: Plan, tense: keyof typeof VERBS): string[] {
  const verb = VERBS[tense];
  return [
    ...conversionLines(plan.conversions, tense),
    ...plan.migrations.map(({ subject, reason }) => `${verb.apply} ${subject.name}: ${reason}`),
    ...plan.drops.map(({ subject, reason }) => `${verb.drop} ${subject.name}: ${reason}`),
    ...plan.routines.map(({ subject, reason }) => `${verb.apply} ${subject.name}: ${reason}`),
    ...(plan.recounts ? [`${verb.recount} the sessions`] : []),
    ...(plan.sharedRows > 0
      ? [`${verb.delete} ${plan.sharedRows} rows of former versions from drizzle.__drizzle_migrations`]
      : []),
    ...(plan.renumbers ? [`${verb.continue} the numbers of cleanup runs after the last record`] : []),
    ...plan.indexDrops.map(({ subject, reason }) => `${verb.drop} ${subject.name}: ${reason}`),
    ...plan.indexes.map(({ subject, reason }) => `${verb.build} ${subject.name}: ${reason}`),
  ];
}
