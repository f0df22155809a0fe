// Which requests fail, and how: plain JSON rules, so that they can also arrive from another process.
import type { Answer } from "./answer.ts";
import { errorAnswer } from "./answer.ts";
import { computeUnreachable, NeonError } from "./errors.ts";

export type Fault =
  /** Answers later. */
  | { kind: "latency"; ms: number }
  /** Never answers: until the client leaves, or the faults are cleared. */
  | { kind: "hang" }
  /** Resets the connection; nothing was executed. */
  | { kind: "reset" }
  /** Executes, and loses the connection in the middle of the body. */
  | { kind: "half-body" }
  /** Executes and commits, and loses the connection before the answer. */
  | { kind: "lost-after-commit" }
  /** Goes on executing when the client leaves: the cancellation came at a moment when PostgreSQL ignores it. */
  | { kind: "outlives-client" }
  /** Fails with a serialization failure after it has run, and holds its locks so long, or until the faults are cleared. */
  | { kind: "lingering-locks"; ms: number }
  /** Cloudflare's edge answers in place of Neon. */
  | { kind: "edge"; status?: number }
  /** PostgreSQL refuses the connection: too many clients, or starting up. */
  | { kind: "refused-by-postgres"; sqlstate: keyof typeof REFUSALS }
  /** Neon's proxy answers in place of PostgreSQL. */
  | { kind: keyof typeof PROXY_ANSWERS };

export interface FaultRule {
  fault: Fault;
  /** How many requests it hits; all of them when left out. */
  times?: number;
  /** With this probability it hits; 1 when left out. */
  probability?: number;
  /** It hits only requests whose SQL contains this text. */
  matching?: string;
  /** It hits only requests to this database. */
  database?: string;
}

const REFUSALS = {
  "53300": "sorry, too many clients already",
  "57P03": "the database system is starting up",
} as const;

// In production Neon answers with this status since 2026, and with a message alone; its source says 500.
const paymentRequired = (message: string): Answer => ({ status: 402, body: JSON.stringify({ message }) });
const refused = (status: number, message: string) => errorAnswer(new NeonError(status, message));

// The words are Neon's (proxy: auth, control_plane, compute), as its clients see them.
const PROXY_ANSWERS = {
  /** The compute time of the month is used up. */
  quota: paymentRequired(
    "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.",
  ),
  /** More computes are active than the plan allows. */
  "too-many-endpoints": paymentRequired(
    "You have exceeded the limit of concurrently active endpoints. Please suspend some endpoints and try again.",
  ),
  /** Neon cannot get a compute. */
  "control-plane": refused(500, "Control plane request failed"),
  /** Neon has a compute, and cannot reach it. */
  "compute-unreachable": errorAnswer(computeUnreachable()),
  /** The project is in maintenance. */
  maintenance: refused(
    500,
    "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact our support.",
  ),
  /** There is no such endpoint. */
  "endpoint-deleted": refused(400, "Control plane request failed: endpoint cannot be found"),
  /** The endpoint is there, and somebody has disabled it. */
  "endpoint-disabled": refused(400, "Control plane request failed: endpoint is disabled"),
  /** The project lets nobody in from the public network. */
  "blocked-network": refused(
    400,
    "This connection is trying to access this endpoint from a blocked network.",
  ),
  /** The project lets only certain addresses in. */
  "ip-not-allowed": refused(
    400,
    "This IP address 203.0.113.7 is not allowed to connect to this endpoint. " +
      "Please add it to the allowed list in the Neon console. Make sure to check for IPv4 or IPv6 addresses.",
  ),
} satisfies Record<string, Answer>;

const KINDS = {
  latency: true,
  hang: true,
  reset: true,
  "half-body": true,
  "lost-after-commit": true,
  "outlives-client": true,
  "lingering-locks": true,
  edge: true,
  "refused-by-postgres": true,
  ...PROXY_ANSWERS,
} satisfies Record<Fault["kind"], unknown>;

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

  /** Removes all rules, disconnects the requests that hang, and releases locks that linger. */
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

  /** The fault a request with this SQL to a database meets: the first rule that matches and has hits left. */
  strike(sql: string, asked: string): Fault | undefined {
    const struck = this.#rules.find(
      ({ rule: { times = Infinity, probability = 1, matching = "", database = asked }, hits }) =>
        hits < times && database === asked && sql.includes(matching) && Math.random() < probability,
    );
    if (struck === undefined) return undefined;
    struck.hits += 1;
    return struck.rule.fault;
  }
}

/** A fault that is an answer given in place of an execution. */
export type CannedFault = Extract<
  Fault,
  { kind: "edge" | "refused-by-postgres" | keyof typeof PROXY_ANSWERS }
>;

export function cannedAnswer(fault: CannedFault): Answer {
  if (fault.kind === "edge") {
    const { status = 520 } = fault;
    return { status, contentType: "text/plain", body: `error code: ${status}` };
  }
  if (fault.kind === "refused-by-postgres") {
    const { sqlstate: code } = fault;
    return errorAnswer(new NeonError(500, REFUSALS[code], { code, severity: "FATAL" }));
  }
  return PROXY_ANSWERS[fault.kind];
}

/** Rules may come as JSON from elsewhere: one that would never do anything must not pass in silence. */
function checkRule({ fault }: FaultRule): void {
  if (!Object.hasOwn(KINDS, fault.kind)) throw new TypeError(`unknown fault: ${JSON.stringify(fault)}`);
  if ((fault.kind === "latency" || fault.kind === "lingering-locks") && !(fault.ms >= 0)) {
    throw new TypeError(`the fault ${fault.kind} needs its ms`);
  }
  if (fault.kind === "refused-by-postgres" && !Object.hasOwn(REFUSALS, fault.sqlstate)) {
    throw new TypeError(`unknown refusal: ${fault.sqlstate}`);
  }
}
