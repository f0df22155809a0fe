// The parameters of a connection string: which are obeyed, which do no harm, and which are refused because the Worker would
// not get what they set. Neon's HTTP takes the role, the password, the host and the database, and nothing else. Pure.

/** What is wrong with a connection string, as words that follow its name. They never repeat any of it. */
export class ConnectionStringError extends Error {
  override name = "ConnectionStringError";
}

export const sslModes = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
  // Of node-postgres: what libpq means by require.
  "no-verify",
] as const;

/** Parameters of which only some values are taken. */
const choices: Record<string, readonly string[]> = {
  sslmode: sslModes,
  channel_binding: ["disable", "prefer", "require"],
  gssencmode: ["disable", "prefer"],
  // What the driver speaks in any case.
  client_encoding: ["utf8", "utf-8", "auto"],
  // The Worker writes.
  target_session_attrs: ["any", "read-write", "primary"],
  // Of JDBC: the same.
  targetservertype: ["any", "primary", "master"],
};

export const limitedParameters = Object.keys(choices);

/** Settings of PostgreSQL. A role can have them; a connection string cannot give them to the Worker. */
export const settingParameters = [
  "search_path",
  "statement_timeout",
  "lock_timeout",
  "transaction_timeout",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "default_transaction_deferrable",
  "session_replication_role",
  "role",
  "row_security",
  "timezone",
  "datestyle",
  "intervalstyle",
  "work_mem",
  "maintenance_work_mem",
  "temp_buffers",
  "synchronous_commit",
] as const;

// Others, by how their names begin. What libpq takes by the same name is not among them: client_encoding, tcp_user_timeout.
const OTHER_SETTING = new RegExp(
  "^(?:allow_|array_|auto_explain|backend_|backslash_|backtrace_|block_size|bytea_|check_function|" +
    "client_(?:connection|min)_|commit_|compute_|constraint_|cpu_|createrole_|cursor_|deadlock_|debug_|default_(?:statistics|table|text|toast)|dynamic_|effective_|" +
    "enable_|escape_string|event_triggers|exit_on|extension_|extra_float|file_copy|(?:from|join)_collapse|geqo|gin_|hash_mem|" +
    "huge_page|icu_|ignore_|io_|jit|lc_|lo_compat|local_preload|log_|logical_|maintenance_|max_parallel|max_stack|md5_|" +
    "min_parallel|parallel_|password_encryption|plan_cache|quote_all|random_page|recursive_|restrict_|scram_|seed$|seq_page|" +
    "session_preload|standard_|stats_|synchronize_|temp_|tcp_keepalives_|timezone_|trace_|track_|transaction_|transform_|" +
    "update_process|vacuum_|wal_|xml|zero_damaged)",
);

/** The names of other libraries for the search_path. */
export const schemaParameters = ["schema", "currentschema", "current_schema"] as const;

/** What leads elsewhere than the string says, or cannot be done. */
export const foreignParameters = [
  "hostaddr",
  "service",
  "servicefile",
  "passfile",
  "replication",
  "require_auth",
] as const;

const ignored = (name: string) => `has the parameter ${name}, which Neon ignores over HTTP. Take it out`;
const forRole = (setting: string) => `and set it for the role: ALTER ROLE … SET ${setting} = …`;

const refusals: ReadonlyMap<string, string> = new Map([
  ...settingParameters.map((name) => [name, `${ignored(name)}, ${forRole(name)}`] as const),
  ...schemaParameters.map((name) => [name, `${ignored(name)}, ${forRole("search_path")}`] as const),
  ...foreignParameters.map(
    (name) => [name, `has the parameter ${name}, which cannot be obeyed here. Take it out`] as const,
  ),
]);

const OPTIONS = `${ignored("options")}, and set each setting for the role: ALTER ROLE … SET search_path = …`;

/** Each replaces a part of the string, as with libpq. */
const parts = ["host", "port", "user", "password", "dbname"];

/**
 * @param query what follows the question mark
 * @returns what replaces a part, the other values, both by name, and the query without the former
 * @throws ConnectionStringError when one is refused
 */
export function readParameters(query: string) {
  const replacements = new Map<string, string>();
  const values = new Map<string, string>();
  const kept: string[] = [];
  // A copy out of a web page can have &amp; for &.
  for (const pair of query.replaceAll("&amp;", "&").split("&")) {
    const [writtenName = "", ...rest] = pair.split("=");
    const name = decoded(writtenName).toLowerCase();
    const value = decoded(rest.join("="));
    // As with libpq, an empty value is none.
    if (value === "") continue;
    const problem = problemOf(name, value);
    if (problem !== undefined) throw new ConnectionStringError(problem);
    const isPart = parts.includes(name);
    const found = isPart ? replacements : values;
    if ((found.get(name) ?? value) !== value) {
      throw new ConnectionStringError("has a parameter twice, with different values");
    }
    if (!isPart && !found.has(name)) kept.push(pair);
    found.set(name, value);
  }
  return { replacements, values, kept: kept.length === 0 ? "" : `?${kept.join("&")}` };
}

function problemOf(name: string, value: string): string | undefined {
  const taken = choices[name];
  if (taken !== undefined && !taken.includes(value.toLowerCase())) {
    return `has the parameter ${name}, which must be one of ${taken.join(", ")}`;
  }
  // endpoint= is judged when the host is known.
  if (name === "options") return /^(?:endpoint|project)=[\w-]+$/.test(value) ? undefined : OPTIONS;
  // Also a setting of an extension or a program: app.tenant. Only a name that is known by heart is repeated.
  if (name.includes(".") || OTHER_SETTING.test(name))
    return `${ignored("of a setting")}, and set it for the role: ALTER ROLE … SET …`;
  return refusals.get(name);
}

function decoded(text: string): string {
  let value: string | undefined;
  try {
    value = decodeURIComponent(text);
  } catch {
    // Told below, as is a NUL.
  }
  if (value === undefined || value.includes("\0")) {
    throw new ConnectionStringError("has a parameter that is not percent-encoded. Write % as %25");
  }
  return value;
}
