// Whether a body is what JSON-RPC 2.0 and the MCP revisions with sessions take, in words for its sender. Pure.
import { isObject, messagesOf } from "./protocol.ts";

/** What a body is refused for. The message names the member and the rule, and holds nothing of the request. */
export interface Problem {
  code: "invalid_request" | "invalid_params";
  message: string;
}

/** The last revision that has batches: 2025-06-18 took them out. */
const LAST_WITH_BATCHES = "2025-03-26";

// An id is kept and sent back. Clients count, or send a UUID.
export const MAX_ID_CHARACTERS = 256;

const invalid = (message: string): Problem => ({ code: "invalid_request", message });
const invalidParams = (message: string): Problem => ({ code: "invalid_params", message });

/** What a body has that no revision takes. `text` is the body before it was parsed: it has the ids as they were written. */
export function bodyProblem(body: unknown, text: string): Problem | undefined {
  const inexact = inexactIds(text);
  if (!Array.isArray(body)) return messageProblem(body, inexact);
  if (body.length === 0) return invalid("A batch must have a message");
  const ids = new Set<unknown>();
  for (const [i, message] of body.entries()) {
    const problem = messageProblem(message, inexact) ?? batchedProblem(message, ids);
    if (problem !== undefined) return inBatch(i, problem);
  }
  // The SDK answers no request that is cancelled, and its batch would wait for that answer for ever.
  const cancelling = body.findIndex(
    ({ method, params }) => method === "notifications/cancelled" && ids.has(Object(params).requestId),
  );
  return cancelling === -1
    ? undefined
    : inBatch(cancelling, invalid("it cancels a request of the same batch"));
}

const inBatch = (index: number, problem: Problem): Problem => ({
  ...problem,
  message: `Message ${index + 1} of the batch: ${problem.message}`,
});

/** Why a body cannot be sent in a revision: it is a batch, and the revision has none. */
export function batchProblem(body: unknown, revision: string): Problem | undefined {
  if (!Array.isArray(body) || revision <= LAST_WITH_BATCHES) return undefined;
  return invalid(`Batches ended with MCP ${LAST_WITH_BATCHES}: send one message a request`);
}

/** The parameters of `initialize`. */
export interface InitializeParams {
  protocolVersion: string;
  clientInfo: Record<string, unknown>;
  capabilities: Record<string, unknown>;
}

const refused = (name: string, value: unknown, rule: string) => ({
  problem: invalidParams(`The member ${name} of initialize ${value === undefined ? "is missing" : rule}`),
});

/** The parameters of an `initialize`, or what is wrong with them; undefined for every other body. */
export function readInitialize(
  body: unknown,
): { params: InitializeParams } | { problem: Problem } | undefined {
  const message = messagesOf(body).find(({ method }) => method === "initialize");
  if (message === undefined) return undefined;
  if (!("id" in message)) return { problem: invalid("initialize is a request: the member id is missing") };
  const { params } = message;
  const beObject = "must be an object";
  if (!isObject(params)) return refused("params", params, beObject);
  const { protocolVersion, clientInfo, capabilities } = params;
  if (typeof protocolVersion !== "string")
    return refused("params.protocolVersion", protocolVersion, "must be a string, such as 2025-11-25");
  if (!isObject(capabilities)) return refused("params.capabilities", capabilities, beObject);
  if (!isObject(clientInfo)) return refused("params.clientInfo", clientInfo, beObject);
  for (const name of ["name", "version"]) {
    if (typeof clientInfo[name] !== "string")
      return refused(`params.clientInfo.${name}`, clientInfo[name], "must be a string");
  }
  return { params: { protocolVersion, clientInfo, capabilities } };
}

function batchedProblem(message: Record<string, unknown>, ids: Set<unknown>): Problem | undefined {
  if (!("method" in message)) return undefined;
  if (message["method"] === "initialize") return invalid("initialize must be sent by itself");
  if (!("id" in message)) return undefined;
  if (ids.has(message["id"])) return invalid("another request has the same id");
  ids.add(message["id"]);
  return undefined;
}

const requestMembers = ["jsonrpc", "id", "method", "params"];
const resultMembers = ["jsonrpc", "id", "result"];
const errorMembers = ["jsonrpc", "id", "error"];

function messageProblem(message: unknown, inexact: ReadonlySet<number>): Problem | undefined {
  if (!isObject(message)) return invalid("A message must be an object");
  if (message["jsonrpc"] !== "2.0") return invalid('The member jsonrpc must be "2.0"');
  const isResponse = !("method" in message);
  if (isResponse && !("result" in message) && !("error" in message))
    return invalid("The member method is missing");
  // An error may answer a message that had no id.
  const needsId = isResponse && "result" in message;
  if ((needsId || "id" in message) && !isId(message["id"], inexact)) {
    return invalid(
      `The member id must be a whole number from -(2^53 - 1) to 2^53 - 1, or text of ${MAX_ID_CHARACTERS} characters at most`,
    );
  }
  return isResponse ? responseProblem(message) : requestProblem(message, inexact);
}

function requestProblem(message: Record<string, unknown>, inexact: ReadonlySet<number>): Problem | undefined {
  const { method, params } = message;
  if (typeof method !== "string") return invalid("The member method must be a string");
  if (hasOthers(message, requestMembers)) return invalid(`A request has only ${requestMembers.join(", ")}`);
  if (params === undefined) return undefined;
  if (!isObject(params)) return invalidParams("The member params must be an object");
  const problem = metaProblem(params["_meta"], "params._meta", inexact);
  return problem === undefined ? undefined : invalidParams(problem);
}

const RELATED_TASK = "io.modelcontextprotocol/related-task";

/** What `_meta` may not be, in requests and results. */
function metaProblem(meta: unknown, name: string, inexact?: ReadonlySet<number>): string | undefined {
  if (meta === undefined) return undefined;
  if (!isObject(meta)) return `The member ${name} must be an object`;
  const { progressToken, [RELATED_TASK]: task } = meta;
  if (progressToken !== undefined && !isId(progressToken, inexact))
    return `The member ${name}.progressToken must be a string or a whole number`;
  if (task !== undefined && !(isObject(task) && typeof task["taskId"] === "string"))
    return `The member ${name}.${RELATED_TASK} must be an object with a string taskId`;
  return undefined;
}

function responseProblem(message: Record<string, unknown>): Problem | undefined {
  const { result, error } = message;
  const isResult = "result" in message;
  const members = isResult ? resultMembers : errorMembers;
  if (hasOthers(message, members)) return invalid(`A response has only ${members.join(", ")}`);
  if (isResult) {
    const problem = isObject(result)
      ? metaProblem(result["_meta"], "result._meta")
      : "The member result must be an object";
    return problem === undefined ? undefined : invalid(problem);
  }
  const isError =
    isObject(error) && Number.isSafeInteger(error["code"]) && typeof error["message"] === "string";
  return isError ? undefined : invalid("The member error must have a whole number code and a string message");
}

const hasOthers = (message: object, known: readonly string[]) =>
  Object.keys(message).some((name) => !known.includes(name));

/** Whether a value can be the id of a message. @param inexact numbers that were not written as what they are. */
export function isId(id: unknown, inexact: ReadonlySet<number> = new Set()): id is string | number {
  // A character beyond 2^16 has a length of 2.
  if (typeof id === "string")
    return id.length <= 2 * MAX_ID_CHARACTERS && Array.from(id).length <= MAX_ID_CHARACTERS;
  return Number.isSafeInteger(id) && !inexact.has(Number(id));
}

// A member `id` in each spelling that JSON has for it, or `progressToken`, with a number that has a point or an exponent.
const WRITTEN_ID =
  /"(?:(?:i|\\u0069)(?:d|\\u0064)|progressToken)"\s*:\s*(-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))/g;

/**
 * The numbers that ids of a text are read as, but are not: `1.00000000000000000001` is read as 1. Ids of nested objects are
 * among them, which matters to nobody. Whole numbers beyond 2^53 are refused whether or not they are exact.
 */
function inexactIds(text: string): ReadonlySet<number> {
  const inexact = new Set<number>();
  for (const [, written = ""] of text.matchAll(WRITTEN_ID)) {
    if (!isWhole(written)) inexact.add(Number(written));
  }
  return inexact;
}

// Nobody writes a whole number with more.
const MAX_WRITTEN = 40;

/** Whether a number of JSON is exactly a whole one, such as 1.0 or 12.5e1. */
function isWhole(written: string): boolean {
  if (written.length > MAX_WRITTEN) return false;
  const [mantissa = "", exponent = "0"] = written.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = (whole + fraction).replace(/0+$/, "");
  const zeros = whole.length + fraction.length - digits.length;
  return /^-?$/.test(digits) || Number(exponent) - fraction.length + zeros >= 0;
}
