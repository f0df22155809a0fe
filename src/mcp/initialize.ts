// What the SDK would not take of the parameters of an `initialize`, beside what the session gate asks of them.
import { specTypeSchemas } from "@modelcontextprotocol/server";

// Members that the protocol names. Below `experimental` and `extensions` names are the client's.
const NAMED = /^(?:[a-zA-Z]{1,32}|\d{1,4})$/;
const OPEN = ["experimental", "extensions"];

/** A sentence that names the member that is wrong, and holds nothing of the request; undefined when none is. */
export function initializeProblem(params: unknown): string | undefined {
  const { issues } = specTypeSchemas.InitializeRequestParams["~standard"].validate(params);
  const [issue] = issues ?? [];
  if (issue === undefined) return undefined;
  const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
  const end = path.findIndex((part, i) => OPEN.includes(path[i - 1] ?? "") || !NAMED.test(part));
  const member = ["params", ...(end === -1 ? path : path.slice(0, end))].join(".");
  return `The member ${member} of initialize is not as the Model Context Protocol has it`;
}
