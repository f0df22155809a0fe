// Which handles and tasks an operator means, as the parameters of the routes and the fields of the page say it.
import * as z from "zod";
import { KIND_CHARACTERS, TOOL_CHARACTERS } from "./listed-kept.ts";
import { taskStatuses } from "../tasks/task.ts";
import { meantPrincipal } from "./session-filter.ts";

/** The key of a row: the SHA-256 of an id, in hex. */
export const key = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "must be a key, as the list gives them" })
  .describe("As the list gives it. The id cannot be computed from it");

export const keyParams = z.object({ key });

const nameOf = (what: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{8}$/, { error: `must be the 8 characters of a ${what} in the log` })
    .describe(`Only the ${what} with this name in the logs. More than one only by a rare chance`)
    .optional();

// As `clientPart` of session-filter.ts.
const wordOf = (what: string, characters: number) =>
  z
    .string()
    .regex(new RegExp(`^[^\\u0000-\\u001f\\u007f-\\u009f]{1,${characters}}$`), {
      error: `must be 1 to ${characters} characters, without control characters`,
    })
    .describe(`Only those of this ${what}`)
    .optional();

const kept = {
  principal: meantPrincipal.principal.describe("Whose they are: the name of a key"),
  issuer: meantPrincipal.issuer.describe(
    "With `subject`: the bearer of whose tokens they are of. As `iss` has it",
  ),
  subject: meantPrincipal.subject,
  state: z
    .enum(["active", "expired"], { error: "must be active or expired" })
    .describe("Only those in this state")
    .optional(),
};
const after = key.optional().describe("The `next` of the page before");

export const handlesFilter = {
  ...kept,
  kind: wordOf("kind", KIND_CHARACTERS),
  handle: nameOf("handle"),
  after,
};

export const tasksFilter = {
  ...kept,
  status: z
    .enum(taskStatuses, { error: `must be one of ${taskStatuses.join(", ")}` })
    .describe("Only those of this status")
    .optional(),
  tool: wordOf("tool", TOOL_CHARACTERS),
  task: nameOf("task"),
  after,
};
