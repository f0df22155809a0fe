// errors.md: every code that a client may be told, from src/http/errors.ts and from the routes.
import { AppError, type ErrorCode, statusOf } from "../../src/http/errors.ts";
import { jsonRpcError } from "../../src/session/protocol.ts";
import { block, blocks, code, described, linkTo, list, type Page, pageOf, table } from "./markdown.ts";
import { type Route, titleOf } from "./route-list.ts";

const MCP_PATH = "/mcp";
// No route can refuse with them: they are for a path, or a method, without one.
const WITHOUT_A_ROUTE: readonly string[] = ["not_found", "method_not_allowed"];

/** @param meanings when a request is refused with each code. */
export function errorsPage(meanings: Record<ErrorCode, string>, routes: readonly Route[]): Page {
  const problems: string[] = [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are exactly the codes
  const codes = (Object.keys(meanings) as ErrorCode[]).toSorted((a, b) => statusOf(a) - statusOf(b));
  const sections = codes.map((name) => {
    const from = routes.filter(({ refusals }) => refusals.includes(name));
    if (from.length === 0 && !WITHOUT_A_ROUTE.includes(name)) {
      problems.push(`The error code ${name} is in \`refusals\` of no route`);
    }
    return blocks(
      `### ${name}`,
      described(`The error code ${name}`, meanings[name], problems),
      list([
        `Status: ${statusOf(name)}.`,
        ...jsonRpcLine(name, from),
        `Message: “${new AppError(name).message}”${name === "invalid_request" ? ", or one that names the parameter" : ""}.`,
        `Routes: ${whereOf(name, from, routes)}.`,
      ]),
    );
  });
  const rows = codes.map((name) => [
    String(statusOf(name)),
    linkTo("errors", name),
    new AppError(name).message,
  ]);
  const text = pageOf(
    "Errors",
    intro,
    block("json", '{ "error": { "code": "forbidden", "message": "…", "request_id": "…" } }'),
    "On `/mcp` it is a JSON-RPC error, with the same status:",
    block(
      "json",
      '{ "jsonrpc": "2.0", "error": { "code": -32001, "message": "Session not found" }, "id": null }',
    ),
    "With [`OAUTH_ISSUERS`](variables.md#oauth_issuers), 401 and 403 of `/mcp`, and all refusals at addresses of OAuth, have OAuth's own form:",
    block("json", '{ "error": "invalid_token", "error_description": "The token has expired" }'),
    "`GET /session-health` and `GET /metrics` have answers of their own while the database cannot be asked: see [routes](routes.md).",
    table(["status", "code", "message"], rows),
    ...sections,
  );
  return { text, problems };
}

const intro = `
A refused request gets a status, a code, a message and the id of the request, and nothing else. The id is in the header
\`X-Request-Id\`, too, and in the [log lines](logs.md) of the request.`.trim();

function jsonRpcLine(name: ErrorCode, from: readonly Route[]): string[] {
  const isOfMcp = from.some(({ path }) => path === MCP_PATH) || WITHOUT_A_ROUTE.slice(1).includes(name);
  // The Worker answers before it knows the route.
  if (!isOfMcp || name === "configuration_invalid") return [];
  return [`JSON-RPC code on \`/mcp\`: ${code(String(jsonRpcError(new AppError(name)).error.code))}.`];
}

function whereOf(name: ErrorCode, from: readonly Route[], routes: readonly Route[]): string {
  if (name === "not_found") return "any other path";
  if (from.length === 0 || from.length === routes.length) return "all";
  const scoped = routes.filter(({ operation }) => operation.scope !== undefined);
  if (from.length === scoped.length && from.every((route) => scoped.includes(route)))
    return "all that need a key";
  return from.map((route) => linkTo("routes", titleOf(route))).join(", ");
}
