// What the SDK would not take of the parameters of an `initialize`, beside what the session gate asks of them.
import { specTypeSchemas } from "@modelcontextprotocol/server";
import { memberAt } from "./sdk-errors.ts";

/** A sentence that names the member that is wrong, and holds nothing of the request; undefined when none is. */
export function initializeProblem(params: unknown): string | undefined {
  const { issues } = specTypeSchemas.InitializeRequestParams["~standard"].validate(params);
  const [issue] = issues ?? [];
  if (issue === undefined) return undefined;
  const path = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
  return `The member ${memberAt(["params", ...path])} of initialize is not as the Model Context Protocol has it`;
}
