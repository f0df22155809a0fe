// One database call in five meets a fault. The rest of the soak knows nothing of which.
import type { Fault, FaultRule } from "../../../dev/neon/switchboard.ts";

// Shares of all calls; together 0.20. A hang costs its client an attempt of 6 s, so there are few of them.
const shares: readonly [share: number, fault: Fault][] = [
  [0.02, { kind: "latency", ms: 200 }],
  [0.01, { kind: "latency", ms: 1500 }],
  [0.03, { kind: "reset" }],
  [0.03, { kind: "half-body" }],
  [0.029, { kind: "lost-after-commit" }],
  [0.01, { kind: "quota" }],
  [0.02, { kind: "control-plane" }],
  [0.02, { kind: "edge" }],
  [0.015, { kind: "refused-by-postgres", sqlstate: "53300" }],
  [0.015, { kind: "refused-by-postgres", sqlstate: "57P03" }],
  [0.001, { kind: "hang" }],
];

/** The rules in order: each is asked only where those before it did not strike. */
export function faultRules(): FaultRule[] {
  let before = 0;
  return shares.map(([share, fault]) => {
    const probability = share / (1 - before);
    before += share;
    return { fault, probability };
  });
}

export function nameOfFault({ fault }: FaultRule): string {
  if (fault.kind === "latency") return `latency of ${fault.ms} ms`;
  if (fault.kind === "refused-by-postgres") return `refused by PostgreSQL (${fault.sqlstate})`;
  return fault.kind;
}
