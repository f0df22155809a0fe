// Which requests fail, and how: plain JSON rules, so that they can also arrive from another process.
import type { Answer } from "./answer.ts";
import { errorAnswer } from "./answer.ts";
import { controlPlaneError, NeonError } from "./errors.ts";

export type Fault =
  /** Answers later. */
  | { kind: "latency"; ms: number }
  /** Never answers: until the client leaves, or the faults are cleared. */
  | { kind: "hang" }
  /** Resets the connection; nothing was executed. */
  | { kind: "reset" }
  /** Executes, and loses the connection in the middle of the body. */
  | { kind: "half-body" }
  /** The compute time of the month is used up. */
  | { kind: "quota" }
  /** Neon cannot get a compute. */
  | { kind: "control-plane" }
  /** Cloudflare's edge answers in place of Neon. */
  | { kind: "edge"; status?: number }
  /** PostgreSQL refuses the connection: too many clients, or starting up. */
  | { kind: "refused-by-postgres"; sqlstate: keyof typeof REFUSALS }
  /** Executes and commits, and loses the connection before the answer. */
  | { kind: "lost-after-commit" };

export interface FaultRule {
  fault: Fault;
  /** How many requests it hits; all of them when left out. */
  times?: number;
  /** With this probability it hits; 1 when left out. */
  probability?: number;
  /** It hits only requests whose SQL contains this text. */
  matching?: string;
}

const REFUSALS = {
  "53300": "sorry, too many clients already",
  "57P03": "the database system is starting up",
} as const;

// What Neon answers in production since 2026; its source says 500.
const QUOTA_MESSAGE =
  "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.";

const KINDS = {
  latency: true,
  hang: true,
  reset: true,
  "half-body": true,
  quota: true,
  "control-plane": true,
  edge: true,
  "refused-by-postgres": true,
  "lost-after-commit": true,
} satisfies Record<Fault["kind"], true>;

export class Switchboard {
  #rules: { rule: FaultRule; hits: number }[] = [];
  #cleared = new AbortController();

  /**
   * Puts these rules in the place of all others.
   * @throws TypeError when one of them is none; the rules stay as they were then.
   */
  set(...rules: FaultRule[]): void {
    rules.forEach(checkRule);
    this.#rules = rules.map((rule) => ({ rule, hits: 0 }));
  }

  /** Removes all rules and disconnects the requests that hang. */
  clear(): void {
    this.#rules = [];
    this.#cleared.abort();
    this.#cleared = new AbortController();
  }

  /** How many requests each rule hit, in the order of the rules. */
  hits(): number[] {
    return this.#rules.map(({ hits }) => hits);
  }

  /** Aborted by the next `clear`. */
  get cleared(): AbortSignal {
    return this.#cleared.signal;
  }

  /** The fault a request with this SQL meets: the first rule that matches and has hits left. */
  strike(sql: string): Fault | undefined {
    const struck = this.#rules.find(
      ({ rule: { times = Infinity, probability = 1, matching = "" }, hits }) =>
        hits < times && sql.includes(matching) && Math.random() < probability,
    );
    if (struck === undefined) return undefined;
    struck.hits += 1;
    return struck.rule.fault;
  }
}

/** A fault that is an answer given in place of an execution. */
export type CannedFault = Extract<
  Fault,
  { kind: "quota" | "control-plane" | "edge" | "refused-by-postgres" }
>;

export function cannedAnswer(fault: CannedFault): Answer {
  if (fault.kind === "quota") return { status: 402, body: JSON.stringify({ message: QUOTA_MESSAGE }) };
  if (fault.kind === "control-plane") return errorAnswer(controlPlaneError());
  if (fault.kind === "edge") {
    const { status = 520 } = fault;
    return { status, contentType: "text/plain", body: `error code: ${status}` };
  }
  const { sqlstate: code } = fault;
  return errorAnswer(new NeonError(500, REFUSALS[code], { code, severity: "FATAL" }));
}

/** Rules may come as JSON from elsewhere: one that would never do anything must not pass in silence. */
function checkRule({ fault }: FaultRule): void {
  if (!Object.hasOwn(KINDS, fault.kind)) throw new TypeError(`unknown fault: ${JSON.stringify(fault)}`);
  if (fault.kind === "latency" && !(fault.ms >= 0)) throw new TypeError("a latency needs its ms");
  if (fault.kind === "refused-by-postgres" && !Object.hasOwn(REFUSALS, fault.sqlstate)) {
    throw new TypeError(`unknown refusal: ${fault.sqlstate}`);
  }
}
