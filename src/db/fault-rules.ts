// What each failure of PostgreSQL and of Neon's proxy means: its kind, and whether the statement may be sent again.
import type { FaultKind } from "./fault.ts";

export interface Rule {
  kind: FaultKind;
  retryable: boolean;
  outcomeUnknown: boolean;
}

// Whether to repeat the statement. `rolledBack`: it has left nothing behind. `unknown`: it may have been committed.
const never = { retryable: false, outcomeUnknown: false } as const;
const neverUnknown = { retryable: false, outcomeUnknown: true } as const;
const rolledBack = { retryable: true, outcomeUnknown: false } as const;
const unknown = { retryable: true, outcomeUnknown: true } as const;

const internal = [{ kind: "internal", ...never }] as const;
const rejected = [{ kind: "write_rejected", ...never }] as const;

// The compute does not reach Neon's storage, and undoes the statement (neon, pgxn/neon).
const storageLost = { text: /NEON_SMGR|page ?server/i, kind: "database_unreachable", ...rolledBack } as const;

/** A function of another program may raise any SQLSTATE, also one that PostgreSQL does not have. */
export const unknownSqlstate: Rule = rejected[0];

/**
 * PostgreSQL, appendix A. Two characters stand for a whole class; a full code overrides its class. The first rule whose
 * text is in the message counts.
 */
export const sqlstateRules: Readonly<Record<string, readonly (Rule & { text?: RegExp })[]>> = {
  "08": [storageLost, { kind: "database_unreachable", ...unknown }],
  // protocol_violation; a pooler reports by it whatever it has to report (PgBouncer, src/proto.c)
  "08P01": [
    {
      text: /max_(db_|user_)?client_conn|query_wait_timeout|resources exhaustion/,
      kind: "overloaded",
      ...rolledBack,
    },
    {
      text: /server_login_retry|server login failed|client_login_timeout|shutting down|pause failed/,
      kind: "database_unreachable",
      ...rolledBack,
    },
    {
      text: /server conn crashed|server connection closed|query.timeout|transaction timeout|query cancelled/i,
      kind: "database_unreachable",
      ...unknown,
    },
    ...internal,
  ],
  "0B": internal, // invalid_transaction_initiation
  "22021": internal, // character_not_in_repertoire: a text of ours that PostgreSQL cannot keep
  "22P05": internal, // untranslatable_character
  "25": internal, // invalid_transaction_state
  "25006": [{ kind: "read_only", ...never }], // read_only_sql_transaction
  "26": internal, // invalid_sql_statement_name
  "28": [{ kind: "permission_denied", ...never }],
  "2D": internal, // invalid_transaction_termination
  "34": internal, // invalid_cursor_name
  "3B": internal, // savepoint_exception
  "3D": [{ kind: "database_unreachable", ...never }],
  "3F": [{ kind: "schema_missing", ...never }],
  "40001": [{ kind: "overloaded", ...rolledBack }], // serialization_failure
  "40003": [{ kind: "database_unreachable", ...unknown }], // statement_completion_unknown
  "40P01": [{ kind: "overloaded", ...rolledBack }], // deadlock_detected
  "42": internal,
  "42501": [{ kind: "permission_denied", ...never }],
  "42702": rejected, // ambiguous_column: in a trigger, for the columns of our tables have names of their own
  "42703": [{ kind: "schema_missing", ...never }], // undefined_column
  "42725": rejected, // ambiguous_function
  "42804": rejected, // datatype_mismatch
  "42809": rejected, // wrong_object_type: not a table that can be written
  "42846": rejected, // cannot_coerce
  "42883": [{ kind: "schema_missing", ...never }], // undefined_function, a procedure too
  "428C9": rejected, // generated_always
  "42P01": [{ kind: "schema_missing", ...never }], // undefined_table
  "42P10": rejected, // invalid_column_reference: no unique index for ON CONFLICT
  "42P17": rejected, // invalid_object_definition: a policy or a rule that asks itself
  "53": [{ kind: "overloaded", ...rolledBack }],
  // disk_full; Neon's own limit has the same code (neon, pgxn/neon/pagestore_smgr.c)
  "53100": [
    { text: /project size limit/, kind: "quota_exceeded", ...never },
    { kind: "overloaded", ...never },
  ],
  "55": internal,
  "55000": rejected, // object_not_in_prerequisite_state: no replica identity, a view that takes no rows
  "55P03": [{ kind: "overloaded", ...rolledBack }], // lock_not_available
  "57": [{ kind: "database_unreachable", ...unknown }], // the server stops, crashes or drops the connection
  "57014": [{ kind: "timeout", ...never }], // query_canceled: the same would take as long again
  "57P03": [{ kind: "database_unreachable", ...rolledBack }], // cannot_connect_now: it is starting
  "57P04": [{ kind: "database_unreachable", ...never }], // database_dropped
  "58": [storageLost, ...internal],
  F0: internal, // config_file_error
  XX: [storageLost, ...internal],
};

/** An HTTP status that says enough. */
export const statusRules: Readonly<Record<number, Rule>> = {
  401: { kind: "permission_denied", ...never },
  // In production a quota, and too many active endpoints; the proxy's source says 500.
  402: { kind: "quota_exceeded", ...never },
  // A firewall or Cloudflare stands between, and does not let the Worker through.
  403: { kind: "permission_denied", ...never },
  // Something else than Neon answers at this address.
  404: { kind: "database_unreachable", ...never },
  // Answered before the body was read. A client that still sends may see its connection break instead.
  413: { kind: "internal", ...never },
  429: { kind: "overloaded", ...rolledBack },
  // The proxy stops reading rows. PostgreSQL may have come to the end of the statement.
  507: { kind: "internal", ...neverUnknown },
};

/**
 * Errors of the Neon proxy, which have no SQLSTATE (neon, proxy/src/serverless, auth, control_plane). The first match
 * counts. `status`: only with this status.
 */
export const proxyRules: readonly (Rule & { text: RegExp; status?: number })[] = [
  // After three seconds of retries of the proxy's own: no statement was sent.
  {
    text: /couldn't connect to compute node|could not connect to compute/i,
    kind: "database_unreachable",
    ...rolledBack,
  },
  {
    text: /password authentication failed|not allowed to connect|blocked network|missing authentication credentials|VPC endpoint/i,
    kind: "permission_denied",
    ...never,
  },
  // 423 of Neon's control plane: a quota, or maintenance, which is over soon. A retry does no harm to either.
  { text: /temporarily unavailable|in transition/i, kind: "database_unreachable", ...rolledBack },
  // It ends when somebody suspends another compute. Neon itself counts it among the quotas.
  { text: /quota|active endpoints/i, kind: "quota_exceeded", ...never },
  { text: /too many|failed to acquire permit|rate limit/i, kind: "overloaded", ...rolledBack },
  {
    text: /endpoint (is|has been) disabled|(cannot|could not) be found|missing (hostname|username|database name)|invalid (header|connection string|hostname|username|database name)|incorrect scheme|endpoint id is not specified/i,
    kind: "database_unreachable",
    ...never,
  },
  {
    text: /control plane request failed|pooled connection closed|could not read the http request body/i,
    kind: "database_unreachable",
    ...rolledBack,
  },
  // The error of a statement comes as 400. As 500 these are about a connection that has not been made.
  {
    text: /connection closed|error communicating with the server|error connecting to server|timeout waiting for server|error performing TLS handshake/i,
    status: 500,
    kind: "database_unreachable",
    ...rolledBack,
  },
  // The statement ran, and its result cannot be read.
  {
    text: /could not parse postgres response|unexpected message from server|error parsing response/i,
    kind: "internal",
    ...neverUnknown,
  },
  {
    text: /could not parse the http request body|invalid isolation level|error encoding message|query is not supported|is too large/i,
    kind: "internal",
    ...never,
  },
];
