// What the routine mcp_try_session answers: which step of a session's life has failed, and why. Pure.
import * as z from "zod";
import { DatabaseFault, type Fault } from "../db/fault.ts";

/** The steps of a session's life, in the order in which they are tried. */
export const trialSteps = [
  "open",
  "resume",
  "write_state",
  "set_log_level",
  "end",
  "record_run",
  "delete",
] as const;
export type TrialStep = (typeof trialSteps)[number];

/** What was wrong after a step without an error of PostgreSQL: the row cannot be seen, is not as written, or stays. */
export const symptoms = ["hidden", "ignored", "kept"] as const;
export type Symptom = (typeof symptoms)[number];

/** The step that failed. What PostgreSQL does not say is null. */
export const failedStep = z.strictObject({
  step: z.enum(trialSteps).describe("The first step that failed"),
  sqlstate: z.string().nullable().describe("PostgreSQL's code of the error; null when it reported none"),
  symptom: z
    .enum(symptoms)
    .nullable()
    .describe(
      "When PostgreSQL reported no error. `hidden`: the row is not found. `ignored`: it does not have what was written. `kept`: it stays although it was deleted",
    ),
  table: z.string().nullable().describe("The table, where it is known"),
  column: z.string().nullable().describe("The column, where it is known"),
  constraint: z.string().nullable().describe("The constraint, where it is known"),
});
export type FailedStep = z.infer<typeof failedStep>;

const isSymptom = (code: string): code is Symptom => symptoms.some((symptom) => symptom === code);

const row = z.object({
  step: z.enum(trialSteps).nullable(),
  code: z.string().nullable(),
  table_name: z.string().nullable(),
  column_name: z.string().nullable(),
  constraint_name: z.string().nullable(),
});

/** A row of mcp_try_session; undefined when every step worked. */
export const trials = row.transform(
  ({ step, code, table_name: table, column_name: column, constraint_name: constraint }) => {
    if (step === null || code === null) return undefined;
    const reason = isSymptom(code) ? { sqlstate: null, symptom: code } : { sqlstate: code, symptom: null };
    return { step, ...reason, table, column, constraint } satisfies FailedStep;
  },
);

/** The database answers, and a session cannot live in it. */
export class TrialFailed extends DatabaseFault {
  override name = "TrialFailed";
  readonly failed: FailedStep;

  /** @param fault what the SQLSTATE of the step means. */
  constructor(fault: Fault, failed: FailedStep) {
    super("trial of a session", fault);
    this.failed = failed;
  }
}
