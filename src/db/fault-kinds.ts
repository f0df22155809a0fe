// The kinds of failure that are told apart. Pure.

export const faultKinds = [
  "database_unreachable",
  "timeout",
  "permission_denied",
  "schema_missing",
  "quota_exceeded",
  "overloaded",
  "internal",
] as const;

export type FaultKind = (typeof faultKinds)[number];
