// What a tool asks its client, as the client of a revision before 2026-07-28 reads it. Pure.
import type { InputRequest, InputRequests, JSONRPCRequest } from "@modelcontextprotocol/server";

/** A request to the client, and the name that the tool gives to its answer. */
export interface Question {
  key: string;
  request: JSONRPCRequest & { id: string };
}

/** What a client must have declared in `initialize` to be asked this; undefined when nobody can be asked it. */
function neededFor({ method, params }: InputRequest): string[][] | undefined {
  switch (method) {
    case "elicitation/create":
      return [["elicitation", Object(params).mode === "url" ? "url" : "form"]];
    case "sampling/createMessage":
      return Object(params).tools === undefined ? [["sampling"]] : [["sampling", "tools"]];
    case "roots/list":
      return [["roots"]];
    default:
      return undefined;
  }
}

function isDeclared(capabilities: Record<string, unknown>, [name = "", part]: string[]): boolean {
  const declared: unknown = capabilities[name];
  if (typeof declared !== "object" || declared === null) return false;
  // An empty `elicitation` means forms (MCP 2025-11-25, elicitation).
  if (name === "elicitation" && part === "form") return "form" in declared || !("url" in declared);
  return part === undefined || part in declared;
}

/** Questions that cannot be asked, in words for their author and the client. */
export class CannotAsk extends Error {
  override name = "CannotAsk";
}

/** @throws CannotAsk when the client has not declared that it can be asked this. */
export function questionsOf(
  requests: InputRequests | undefined,
  capabilities: Record<string, unknown>,
): Question[] {
  const questions = Object.entries(requests ?? {}).map(([key, request]) => {
    const needed = neededFor(request);
    if (needed === undefined)
      throw new CannotAsk(`A client cannot be asked ${JSON.stringify(key)}: its method is unknown`);
    const missing = needed.find((path) => !isDeclared(capabilities, path));
    if (missing !== undefined)
      throw new CannotAsk(
        `The client has not declared the capability ${missing.join(".")}, so it cannot be asked`,
      );
    return { key, request: asRequest(request) };
  });
  if (questions.length === 0) throw new CannotAsk("A tool that needs input must say which");
  return questions;
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Whether a question can have this id. */
export const isQuestionId = (id: unknown): id is string => typeof id === "string" && UUID.test(id);

/** Ids of questions are random: each server's own would begin at 0. */
function asRequest({ method, params }: InputRequest): Question["request"] {
  const id = crypto.randomUUID();
  const isUrl = method === "elicitation/create" && Object(params).mode === "url";
  // Of the era before, a URL has an id of its own.
  const own =
    isUrl && Object(params).elicitationId === undefined ? { elicitationId: crypto.randomUUID() } : {};
  return { jsonrpc: "2.0", id, method, ...(params !== undefined && { params: { ...params, ...own } }) };
}
