// What the OpenAPI document says that each route takes and answers. That the routes do so: test/e2e/openapi.test.ts.
import { beforeEach, expect, test } from "vitest";
import { KEPT } from "../support/kept.ts";
import { environment, send } from "../support/worker.ts";

interface Schema {
  type?: string;
  enum?: string[];
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  default?: string | number;
}

interface Described {
  summary: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required: boolean; schema: Schema }[];
  requestBody?: { required: boolean };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
}

let document: {
  paths: Record<string, Record<string, Described>>;
  components: { securitySchemes: Record<string, object> };
};
let routes: [route: string, described: Described][];
beforeEach(async () => {
  const env = environment({ ...KEPT, MCP_STREAMS: "true", OAUTH_ISSUERS: "https://issuer.example.com" });
  document = await (await send(env, "/openapi.json")).json();
  routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, described]) => [`${method.toUpperCase()} ${path}`, described] as const,
    ),
  ) as typeof routes;
});

const lines = (text: string) => text.trim().split(/\n\s*/);

test("each route has its scope and its statuses", () => {
  const said = routes.map(([route, { tags = [], responses }]) =>
    [route, ...tags, ...Object.keys(responses)].join(" "),
  );
  expect(said.toSorted()).toEqual(
    lines(`
      DELETE /handles/{key} admin 204 400 401 403 404 413 500 503
      DELETE /mcp mcp 204 400 401 403 404 413 500 503
      DELETE /sessions admin 200 400 401 403 413 500 503
      DELETE /sessions/{handle} admin 204 400 401 403 404 413 500 503
      DELETE /tasks/{key} admin 204 400 401 403 404 413 500 503
      GET /.well-known/oauth-protected-resource 200 413 500
      GET /.well-known/oauth-protected-resource/mcp 200 413 500
      GET /cleanup/runs admin 200 400 401 403 413 500 503
      GET /handles admin 200 400 401 403 413 500 503
      GET /healthz 200 413 500
      GET /mcp mcp 200 400 401 403 404 406 413 500 503
      GET /metrics metrics 200 401 403 413 500 503
      GET /openapi.json 200 413 500
      GET /session-health health 200 400 401 403 413 500 503
      GET /sessions admin 200 400 401 403 413 500 503
      GET /tasks admin 200 400 401 403 413 500 503
      POST /cleanup/{tier} admin 200 400 401 403 413 500 503
      POST /mcp mcp 200 202 400 401 403 404 406 413 415 429 500 503
    `),
  );
});

test("a route with a scope takes a key in each of three ways", () => {
  const ways = ["bearer", "apiKey", "basic"];
  expect(Object.keys(document.components.securitySchemes)).toEqual(ways);
  for (const [route, { tags, security, summary }] of routes) {
    expect([route, security]).toEqual([route, tags && ways.map((way) => ({ [way]: tags }))]);
    expect(summary).toMatch(/^[A-Z]/);
  }
});

/** A parameter: its place, its name, and what it may be; `!` when it must be there. */
const takenBy = ({ parameters = [], requestBody }: Described) => [
  ...parameters.map(({ name, in: place, required, schema }) => {
    const { type, enum: choices, pattern, minimum, maximum } = schema;
    const form = choices?.join("|") ?? pattern ?? `${type} ${minimum ?? ""} ${maximum ?? ""}`.trim();
    const fallback = schema.default === undefined ? "" : ` =${schema.default}`;
    return `${place} ${name}${required ? "!" : ""} ${form}${fallback}`;
  }),
  ...(requestBody?.required === true ? ["body"] : []),
];

const UUID = "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$";
const NAME = String.raw`^[^\u0000-\u001f\u007f-\u009f]`;
const PERSON = ["principal", "issuer", "subject"].map((name) => `query ${name} ${NAME}+$`);
const PAGE = "query limit integer 1 1000 =100";
const STATE = "query state active|expired";
const REVISION = "header MCP-Protocol-Version 2025-11-25|2025-06-18|2025-03-26|2024-11-05|2024-10-07";
const KEY = "^[0-9a-f]{64}$";
const IN_LOG = "^[0-9a-f]{8}$";

test("each route says what it takes", () => {
  const taking = routes.map(([route, described]) => [route, takenBy(described)] as const);
  expect(Object.fromEntries(taking.filter(([, taken]) => taken.length > 0))).toEqual({
    "GET /session-health": ["query verbose 0|1 =0", "query write 0|1 =0"],
    "GET /sessions": [
      ...PERSON,
      STATE,
      `query session ${IN_LOG}`,
      `query client ${NAME}{1,128}$`,
      `query after ${UUID}`,
      PAGE,
    ],
    "DELETE /sessions": PERSON,
    "DELETE /sessions/{handle}": [`path handle! ${UUID}`],
    "GET /handles": [
      ...PERSON,
      STATE,
      `query kind ${NAME}{1,64}$`,
      `query handle ${IN_LOG}`,
      `query after ${KEY}`,
      PAGE,
    ],
    "DELETE /handles/{key}": [`path key! ${KEY}`],
    "GET /tasks": [
      ...PERSON,
      STATE,
      "query status working|input_required|completed|cancelled|failed",
      `query tool ${NAME}{1,128}$`,
      `query task ${IN_LOG}`,
      `query after ${KEY}`,
      PAGE,
    ],
    "DELETE /tasks/{key}": [`path key! ${KEY}`],
    "GET /cleanup/runs": [
      "query tier regular|immediate",
      "query outcome running|completed|partial|skipped|failed",
      "query before integer 1 9007199254740991",
      PAGE,
    ],
    "POST /cleanup/{tier}": ["path tier! regular|immediate"],
    "POST /mcp": ["header Mcp-Session-Id string", REVISION, "body"],
    "DELETE /mcp": ["header Mcp-Session-Id! string", REVISION],
    "GET /mcp": ["header Mcp-Session-Id! string", REVISION, "header Last-Event-ID! string"],
  });
});

/** The members of a body, `?` after one that may be missing; the values of a choice. */
function membersOf({
  anyOf,
  items,
  properties,
  required = [],
  additionalProperties,
  ...schema
}: Schema): string {
  if (anyOf !== undefined)
    return anyOf
      .map((one) => membersOf(one))
      .filter((text) => text !== "")
      .join(" | ");
  if (items !== undefined) return `[${membersOf(items)}]`;
  if (properties === undefined)
    return typeof additionalProperties === "object"
      ? `*${membersOf(additionalProperties)}`
      : (schema.enum?.join("/") ?? "");
  return Object.entries(properties)
    .map(([name, member]) => {
      const members = membersOf(member);
      return `${name}${required.includes(name) ? "" : "?"}${members === "" ? "" : `{${members}}`}`;
    })
    .join(" ");
}

const bodyOf = (route: string, status: number) => {
  const described = routes.find(([name]) => name === route)?.[1];
  const [[type, body] = []] = Object.entries(described?.responses[status]?.content ?? {});
  return [type, body && membersOf(body.schema)];
};
const jsonOf = (route: string, status: number) => {
  const [type, members] = bodyOf(route, status);
  expect(type).toBe("application/json");
  return members;
};

const FAULTS =
  "database_unreachable/timeout/permission_denied/schema_missing/quota_exceeded/overloaded/read_only/write_rejected/internal";
const KEPT_COMMON = "key principal issuer? subject? state{active/expired} version created_at expires_at";
const RUN = "run_id outcome{completed/partial/skipped/failed} deleted batches error_code blocked blocked_by";

test("each route says what it answers", () => {
  const answers = {
    "GET /healthz": "status",
    "GET /openapi.json": "openapi",
    "GET /.well-known/oauth-protected-resource":
      "resource authorization_servers{[]} scopes_supported?{[]} bearer_methods_supported{[]} resource_name",
    "GET /session-health":
      "status{healthy/degraded} database total_sessions active_sessions expired_sessions timestamp " +
      "expired_sessions_bounds?{at_least at_most} " +
      "reasons?{[cleanup_overdue/cleanup_failing/cleanup_blocked/expired_ratio_high/rows_hidden/tasks_overdue]} " +
      "handles?{active expired oldest_expired_at} " +
      "tasks?{working input_required ended expired due oldest_due_at oldest_expired_at} " +
      "cleanup?{*last_run{outcome{running/completed/partial/skipped/failed}} failures_in_a_row sleeps_until?} " +
      "worker?{version_id version_tag deployed_at unknown_variables{[name nearest]}}",
    "GET /sessions":
      "sessions{[handle session principal issuer? subject? state{active/expired} protocol_version client_name " +
      "client_version created_at last_active expires_at ended_at end_reason]} next",
    "DELETE /sessions": "ended has_more",
    "GET /handles": `handles{[${KEPT_COMMON} handle kind is_ended value_bytes sliding_seconds last_used_at]} next`,
    "GET /tasks":
      `tasks{[${KEPT_COMMON} task tool status{working/input_required/completed/cancelled/failed} attempt ` +
      "max_attempts leased_until call_bytes result_bytes updated_at]} next",
    "GET /cleanup/runs":
      "runs{[run_id tier{regular/immediate} trigger{cron/manual} scheduled_at cutoff started_at finished_at " +
      "outcome{running/completed/partial/skipped/failed} deleted batches error_code blocked blocked_by]} next",
    "POST /cleanup/{tier}": `tier{regular/immediate} ${RUN}`,
  };
  for (const [route, members] of Object.entries(answers))
    expect([route, jsonOf(route, 200)]).toEqual([route, members]);
  expect(bodyOf("GET /metrics", 200)[0]).toBe("text/plain");
  for (const what of ["sessions/{handle}", "handles/{key}", "tasks/{key}"])
    expect(bodyOf(`DELETE /${what}`, 204)).toEqual([undefined, undefined]);
});

test("each refusal says its code, and an operator's why the database has failed", () => {
  const usual = "error{code message request_id}";
  const operators = `error{code message request_id kind?{${FAULTS}} sqlstate?}`;
  for (const [route, { tags = [], responses }] of routes) {
    for (const status of Object.keys(responses).map(Number)) {
      if (status < 400 || route.endsWith("/mcp") || (status === 503 && /health|POST/.test(route))) continue;
      expect([route, status, jsonOf(route, status)]).toEqual([
        route,
        status,
        tags[0] === "admin" ? operators : usual,
      ]);
    }
  }
  // Of MCP: the error of JSON-RPC, or OAuth's.
  for (const [route] of routes.filter(([name]) => name.endsWith(" /mcp")))
    expect(jsonOf(route, 503)).toBe(
      `jsonrpc error{code message data?{kind{${FAULTS}} sqlstate}} id | error{invalid_token/insufficient_scope} error_description`,
    );
  expect(jsonOf("POST /cleanup/{tier}", 503)).toBe(`tier{regular/immediate} ${RUN} | ${operators}`);
  expect(jsonOf("GET /session-health", 503)).toBe(
    `status database{connected/disconnected} total_sessions active_sessions expired_sessions reason{${FAULTS}} timestamp ` +
      "failed_step?{step{open/resume/write_state/set_log_level/end/record_run/delete} sqlstate " +
      `symptom{hidden/ignored/kept} table column constraint} sqlstate? | ${usual}`,
  );
});

test("each code of a refusal stands at its status", () => {
  const codes = (route: string, status: number) =>
    routes.find(([name]) => name === route)?.[1].responses[status]?.description;
  expect(codes("GET /sessions", 400)).toBe("invalid_request");
  expect(codes("GET /sessions", 401)).toBe("unauthenticated");
  expect(codes("GET /sessions", 403)).toBe("forbidden");
  expect(codes("GET /sessions", 503)).toBe(
    "authorization_unavailable, sessions_unavailable, sessions_unusable",
  );
  expect(codes("GET /sessions", 500)).toBe("internal, configuration_invalid");
  expect(codes("DELETE /sessions/{handle}", 404)).toBe("session_not_found");
  expect(codes("DELETE /handles/{key}", 404)).toBe("handle_not_found");
  expect(codes("DELETE /tasks/{key}", 404)).toBe("task_not_found");
});

test("what is counted is not negative", () => {
  const others = new Set<string>();
  let counts = 0;
  const visit = (schema: Schema, name: string): void => {
    if (schema.type === "integer") {
      counts += 1;
      if (schema.minimum !== 0 || (schema.maximum ?? 1) <= 0) others.add(name);
    }
    for (const [own, member] of Object.entries(schema.properties ?? {})) visit(member, own);
    for (const one of [...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])]) visit(one, name);
    if (typeof schema.additionalProperties === "object") visit(schema.additionalProperties, name);
  };
  for (const [route, { responses }] of routes) {
    if (route.endsWith("/mcp")) continue;
    for (const { content } of Object.values(responses))
      for (const { schema } of Object.values(content ?? {})) visit(schema, "");
  }
  // Those are numbers of runs.
  expect([...others].toSorted()).toEqual(["next", "run_id"]);
  expect(counts).toBeGreaterThan(25);
});
