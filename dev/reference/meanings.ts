// What only the manual says of codes, labels and outcomes. The Worker does not load this file. A word that is added to one
// of these lists does not compile without its meaning here.
import type { Scope } from "../../src/auth/api-keys.ts";
import type { RunOutcome, Tier } from "../../src/cleanup/tiers.ts";
import type { FaultKind } from "../../src/db/fault.ts";
import type { Degradation } from "../../src/health/grade.ts";
import type { ErrorCode } from "../../src/http/errors.ts";
import type { Label } from "../../src/metrics/family.ts";
import type { EndReason } from "../../src/session/session.ts";

/** When a request is refused with each code, and what the response then has. */
export const errorMeanings = {
  invalid_request:
    "A parameter is wrong, unknown or given twice; the message names it. On `/mcp`: the body is no message of JSON-RPC, is too deep, or is a batch that is too long or that the revision does not have; or `initialize` says more than it may, or what PostgreSQL cannot keep, such as NUL or an unpaired surrogate. The message says which. No session is opened.",
  invalid_params:
    "A member of `params` is missing or wrong; the message names it. No session is opened, and the database is not asked.",
  unauthenticated:
    "There is no key in `Authorization` or `X-API-Key`, two that differ, or one that API_KEYS does not have. The response has `WWW-Authenticate`. The database is not asked.",
  forbidden:
    "The key is known, but lacks the scope of the route. The response has `WWW-Authenticate`. The database is not asked.",
  origin_not_allowed:
    "The request comes from a web page whose origin is not in ALLOWED_ORIGINS. A request without `Origin` does not come from a page, and is accepted. A page on this machine may call a Worker on this machine.",
  not_found: "No route has this path.",
  method_not_allowed:
    "The path has a route, but not for this method. The response has `Allow`. `HEAD` is allowed wherever `GET` is.",
  not_acceptable:
    "The `Accept` of a POST allows neither JSON nor a stream. One of them is enough. Without the header anything is allowed.",
  unsupported_media_type:
    "The `Content-Type` of a POST is not `application/json`, or its body is compressed. The message says which.",
  payload_too_large:
    "The body is larger than 1 MiB. Every route refuses a `Content-Length` beyond that. A body without one is counted where it is read, on `/mcp`.",
  parse_error: "The body of a POST is not JSON, or not in UTF-8. The message says which.",
  session_id_required: "The request is not `initialize`, and has no `Mcp-Session-Id`.",
  session_not_found:
    "The session is unknown, expired or ended, or belongs to another principal. The answer is the same in all these cases. The client opens a new session with `initialize`. On `DELETE /sessions/:handle`: no active session has this handle.",
  handle_not_found: "On `DELETE /handles/:key`: no active handle has this key.",
  task_not_found: "On `DELETE /tasks/:key`: no task that has not ended has this key.",
  unsupported_protocol_version: "The `MCP-Protocol-Version` is not one that this Worker speaks.",
  too_many_sessions:
    "The principal opens sessions faster than INITIALIZE_RATE_LIMIT allows. The response has `Retry-After: 60`. The database is not asked.",
  sessions_unavailable:
    "The database does not answer at the moment: `database_unreachable`, `timeout` or `overloaded` of the [faults of the database](metrics.md#faults-of-the-database). The response has `Retry-After: 5`. Sessions stay as they were. The log line [`MCP session store failed`](logs.md#mcp-session-store-failed) says why; to a key of the scope `admin` the body does, too.",
  sessions_unusable:
    "The database cannot be used until its operator acts: any other [fault of the database](metrics.md#faults-of-the-database). The response has no `Retry-After`. Sessions stay as they were. The log line [`MCP session store failed`](logs.md#mcp-session-store-failed) says why; to a key of the scope `admin` the body does, too.",
  authorization_unavailable:
    "A token was presented, and its authorization server, or the keys of that, cannot be reached. So nobody knows what the token is worth. Keys of API_KEYS still work. Try again: the token stays good. The log line [`Authorization server unreachable`](logs.md#authorization-server-unreachable) says what did not answer.",
  configuration_invalid:
    "A variable is missing or wrong. Every route answers so, `/mcp` with the usual body, too. The log line [`The configuration is wrong`](logs.md#the-configuration-is-wrong) names the variables.",
  internal:
    "The Worker has a mistake. The log line [`The request failed`](logs.md#the-request-failed) has the id of the request.",
} satisfies Record<ErrorCode, string>;

/** Where a key with each scope is accepted. */
export const scopeMeanings = {
  health: "For uptime monitors: the health of the sessions.",
  metrics: "For Prometheus: the metrics.",
  mcp: "For MCP clients: the MCP endpoint.",
  admin: "For operators: see and end sessions, handles and tasks, run cleanup, see its records.",
} satisfies Record<Scope, string>;

/** What the values of the label `state` say, where they do not say it themselves. */
const stateMeanings: Record<string, string> = {
  active: "may be used",
  expired: "waits for cleanup to delete it",
  working: "is run, or is to be run",
  input_required: "waits for an answer of its client",
  ended: "is completed, cancelled or failed",
};

/** What each label of a metric says. @param values those that it has in the metric. */
export const labelMeanings = {
  kind: "Why the database could not be used: a [fault of the database](#faults-of-the-database).",
  version: "The id of the Worker's version; `unknown` without the binding CF_VERSION_METADATA.",
  tag: "The tag of the Worker's version, as `wrangler deploy --tag` sets it; empty without one.",
  tier: "The [cleanup tier](#cleanup-tiers).",
  state: (values) =>
    values
      .filter((value) => Object.hasOwn(stateMeanings, value))
      .map((value) => `\`${value}\`: ${stateMeanings[value]}.`)
      .join(" ") || "What became of them.",
  reason: (values) =>
    values.includes("client")
      ? "The [end reason](#end-reasons)."
      : "The [reason of degraded health](#reasons-of-degraded-health).",
  outcome: "The [outcome of a run](#outcomes-of-runs).",
  le: "The upper bound of a histogram's bucket, in seconds.",
} satisfies Record<Label, string | ((values: readonly string[]) => string)>;

/** What each fault of the database means, and what to do. */
export const faultMeanings = {
  database_unreachable: {
    means:
      "Neon or its compute is down, starting or in maintenance, the endpoint was deleted or disabled, or the database was renamed.",
    todo: "Look at the Neon console and its status page. Check DATABASE_URL.",
  },
  timeout: {
    means: "A table is locked, a query is long, or the compute takes too long to wake.",
    todo: "Look at `pg_stat_activity`. Raise HEALTH_TIMEOUT_MS when only health checks fail.",
  },
  permission_denied: {
    means:
      "The password is wrong, the role may not log in or has expired, it lacks a privilege, or Neon does not let this network in.",
    todo: "Check DATABASE_URL, the privileges of its role on the [tables](database.md), and the IP allowlist of the Neon project.",
  },
  schema_missing: {
    means: "A table, a function or the procedure is missing.",
    todo: "Run `npm run db:migrate`.",
  },
  quota_exceeded: {
    means:
      "The compute time, the data transfer or the storage of the plan is used up, or too many computes are active.",
    todo: "Upgrade the plan at Neon, wait for the next month, delete data, or suspend another compute.",
  },
  overloaded: {
    means: "There are too many connections, or disk or memory is full.",
    todo: "Look at the Neon console. Choose a larger compute.",
  },
  read_only: {
    means: "The database takes no writes: a read replica, or `default_transaction_read_only`.",
    todo: "Let DATABASE_URL lead to the primary compute. Reset the setting of the role and of the database.",
  },
  write_rejected: {
    means:
      "The table refuses what the Worker writes: a constraint, a column, a trigger or a policy of another program.",
    todo: "The SQLSTATE in the log says what refuses it. Change that.",
  },
  internal: {
    means: "Anything else.",
    todo: "The log line of the failure has the SQLSTATE.",
  },
} satisfies Record<FaultKind, { means: string; todo: string }>;

/** When health is degraded for each reason. */
export const degradationMeanings = {
  cleanup_overdue: "A session has been expired for more than two intervals of the regular cron.",
  cleanup_failing:
    "The last three runs of a tier that is switched on have failed. Skipped runs are not counted.",
  cleanup_blocked:
    "The last run of a tier that is switched on has left expired sessions that cannot be deleted.",
  expired_ratio_high:
    "There are more than 100 expired sessions, and more than HEALTH_EXPIRED_RATIO_MAX of them for each active one.",
  rows_hidden:
    "Row-level security applies to the Worker's role and may hide rows of `mcp_sessions` from it: they are not cleaned up. Give the role BYPASSRLS, or a policy `USING (true)`.",
  tasks_overdue:
    "With MCP_TASKS: a task has waited to be run for more than two intervals of the regular cron.",
} satisfies Record<Degradation, string>;

/** What each outcome of a cleanup run says. */
export const outcomeMeanings = {
  running: "The run has not ended. Only records of runs have this outcome.",
  completed: "The run has deleted everything that can be deleted. `blocked` says how much cannot.",
  partial: "MCP_CLEANUP_TIME_BUDGET_MS was used up. The next run goes on.",
  skipped:
    "The run did nothing. `busy`: another run is at work. `duplicate`: the cron event was handled before.",
  failed:
    "PostgreSQL returned an error, or the run was interrupted. What it had deleted before stays deleted.",
} satisfies Record<RunOutcome, string>;

/** Why a session was ended before it expired. */
export const endReasonMeanings = {
  client: "Its client, with `DELETE /mcp` or with a tool. A handle: a tool.",
  operator: "An operator, with a key of the scope `admin`.",
  evicted:
    "Its principal has opened more sessions than MCP_MAX_SESSIONS_PER_PRINCIPAL allows. A handle: more than MCP_HANDLES_PER_PRINCIPAL.",
} satisfies Record<EndReason, string>;

/** What each cleanup tier deletes. */
export const tierMeanings = {
  regular:
    "Deletes every session that has expired, unless it was ended less than two minutes ago. Its cron is MCP_REGULAR_CLEANUP_CRON.",
  immediate:
    "Deletes every session that expired at least MCP_IMMEDIATE_CLEANUP_AGE_SECONDS ago. Its cron is MCP_IMMEDIATE_CLEANUP_CRON. MCP_AGGRESSIVE_CLEANUP switches it on.",
} satisfies Record<Tier, string>;
