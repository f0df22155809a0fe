// One client: sends one random request after the other and keeps the ledger.
import { setTimeout as sleep } from "node:timers/promises";
import { type Calls, createCalls } from "./calls.ts";
import { BUDGET_MS, HEALTH_BUDGET_MS, type Judge, type Question } from "./judge.ts";
import { end, type KnownSession, type Ledger, note, possible } from "./ledger.ts";
import { initializeMessage, toolMessage, toolResult, type WireAnswer } from "./wire.ts";

export interface ClientOptions {
  url: string;
  judge: Judge;
  ledger: Ledger;
  /** The client's own number, and the keys of all principals by their number. */
  number: number;
  keys: readonly string[];
  monitorKey: string;
}

// A client that was told to come back later does, though sooner than it was told.
const PAUSE_MS = 200;
const STATE_KEYS = ["a", "b", "c"];
// For how long a repeated end may be taken for a retry of the first: its budget, and as long to get there.
const SAME_END_MS = 2 * BUDGET_MS;
// What a tool says whose statement failed, and of nothing else.
const STATE_FAILED =
  /^(reading|writing) session state failed: (database_unreachable|timeout|overloaded|quota_exceeded)( \(SQLSTATE \w{5}\))?$/;

type Act = [weight: number, act: () => Promise<WireAnswer | undefined>];

export function createClient({ url, judge, ledger, number, keys, monitorKey }: ClientOptions) {
  const mcp = `${url}/mcp`;
  const key = keys[number] ?? "";
  const own: KnownSession[] = [];
  const known = () => pick(own.filter(({ fate }) => fate !== "ended"));
  let opened = 0;
  let written = 0;

  /** What a request on a session may be answered, by what is known of it when it is sent. */
  function expectation(session: KnownSession): Pick<Question, "statuses" | "rule"> {
    const { fate } = session;
    if (fate === "ended")
      return { statuses: [404], rule: (status) => (status < 300 ? "resurrected" : "status") };
    const statuses = fate === "live" ? [200] : [200, 404];
    return { statuses, rule: (status) => (status === 404 ? "lost" : "status") };
  }

  async function use(kind: string, session: KnownSession, message: Question["message"] & object, calls = 1) {
    const deadlineMs = calls * BUDGET_MS;
    const question = { kind, url: mcp, key, session: session.id, message, deadlineMs };
    const answer = await judge.ask({ ...question, ...expectation(session) });
    if (answer.status === 404) end(session);
    return answer;
  }

  /** What a state tool answered; undefined when it failed, or did not get to answer. */
  function stateResult(kind: string, session: KnownSession, answer: WireAnswer) {
    if (answer.status !== 200) return undefined;
    const { error, content } = toolResult(answer);
    if (error === undefined) return content;
    judge.downgrade(answer);
    if (error === "The session has ended") {
      if (session.fate === "live") ledger.violate("lost", `${kind} said that the session has ended`);
      else end(session);
    } else if (!STATE_FAILED.test(error)) ledger.violate("tool error", `${kind}: ${error.slice(0, 200)}`);
    return undefined;
  }

  async function initialize() {
    const name = `soak-${number}-${opened++}`;
    ledger.openings.set(name, "unacknowledged");
    const answer = await judge.ask({
      kind: "initialize",
      url: mcp,
      key,
      message: initializeMessage(name),
      deadlineMs: BUDGET_MS,
      statuses: [200, 429],
      rule: () => "status",
    });
    const id = answer.headers.get("Mcp-Session-Id");
    if (answer.status === 429) ledger.openings.set(name, "refused");
    if (answer.status !== 200) return answer;
    if (id === null) ledger.violate("no session", "initialize was answered 200 without a session id");
    else {
      ledger.openings.set(name, "acknowledged");
      own.push(ledger.open(id, number, name));
    }
    return answer;
  }

  async function listTools(session = known()) {
    return session && use("tools/list", session, { method: "tools/list" });
  }

  async function info(session = known()) {
    if (session === undefined) return undefined;
    const answer = await use("session_info", session, toolMessage("session_info"));
    if (answer.status === 200) {
      const { content } = toolResult(answer);
      if (content["session"] !== session.key.slice(0, 8) || content["principal"] !== principalName(number)) {
        ledger.violate("foreign access", "session_info was about another session");
      }
    }
    return answer;
  }

  async function setState(session = known(), stateKey = pick(STATE_KEYS) ?? "") {
    if (session === undefined) return undefined;
    const value = ++written;
    const message = toolMessage("session_state_set", { key: stateKey, value });
    const answer = await use("session_state_set", session, message, 2);
    const isAcknowledged = stateResult("session_state_set", session, answer) !== undefined;
    note(session, stateKey, value, isAcknowledged);
    return answer;
  }

  async function getState(session = known(), stateKey = pick(STATE_KEYS) ?? "") {
    if (session === undefined) return undefined;
    const message = toolMessage("session_state_get", { key: stateKey });
    const answer = await use("session_state_get", session, message, 2);
    const result = stateResult("session_state_get", session, answer);
    if (result !== undefined) {
      const value = result["found"] === true ? result["value"] : null;
      if (!possible(session, stateKey).some((one) => one === value)) {
        const may = JSON.stringify(possible(session, stateKey));
        ledger.violate("state", `read ${JSON.stringify(value)} where it may be one of ${may}`);
      }
    }
    return answer;
  }

  async function remove(session = known()) {
    if (session === undefined) return undefined;
    const { fate, endedAt } = session;
    // From here on nobody knows.
    if (fate === "live") session.fate = "ending";
    const isRepeated = fate === "ended" && performance.now() - endedAt < SAME_END_MS;
    const answer = await judge.ask({
      kind: fate === "ended" ? "DELETE (ended)" : "DELETE",
      url: mcp,
      key,
      method: "DELETE",
      session: session.id,
      deadlineMs: BUDGET_MS,
      statuses: fate === "live" ? [204] : fate === "ending" || isRepeated ? [204, 404] : [404],
      rule: (status) =>
        status === 404 ? "end denied" : fate === "ended" && status < 300 ? "ended twice" : "status",
    });
    if (answer.status === 204 || answer.status === 404) end(session);
    return answer;
  }

  /** Its touch must not bring it back. */
  async function removeWhileUsed(session = known()) {
    if (session === undefined) return undefined;
    if (session.fate === "live") session.fate = "ending";
    const [answer] = await Promise.all([remove(session), info(session), info(session)]);
    return answer;
  }

  const calls = createCalls({
    url: mcp,
    judge,
    ledger,
    key,
    expectation,
    foreign: () => pick(ledger.sessions.filter(({ owner }) => owner !== number)),
  });
  const asked = async (session = known()) => session && calls.ask(session);
  const worked = async (session = known()) => session && calls.work(session);

  async function probeEnded() {
    const session = pick(own.filter(({ fate }) => fate === "ended"));
    if (session === undefined) return undefined;
    if (Math.random() < 0.2) return remove(session);
    return use("tools/list (ended)", session, { method: "tools/list" });
  }

  async function useForeign() {
    const session = pick(ledger.sessions.filter(({ owner }) => owner !== number));
    if (session === undefined) return undefined;
    const isDelete = Math.random() < 0.3;
    return judge.ask({
      kind: isDelete ? "DELETE (foreign)" : "session_info (foreign)",
      url: mcp,
      key,
      session: session.id,
      ...(isDelete ? { method: "DELETE" } : { message: toolMessage("session_info") }),
      deadlineMs: BUDGET_MS,
      statuses: [404],
      rule: (status) => (status < 300 ? "foreign access" : "status"),
    });
  }

  const health = () =>
    judge.ask({
      kind: "session-health",
      url: `${url}/session-health`,
      key: monitorKey,
      method: "GET",
      deadlineMs: HEALTH_BUDGET_MS,
      statuses: [200],
      rule: () => "status",
    });

  const acts: Act[] = [
    [12, initialize],
    [14, listTools],
    [16, info],
    [18, setState],
    [18, getState],
    [6, remove],
    [1, removeWhileUsed],
    [6, probeEnded],
    [6, useForeign],
    [3, health],
    [5, asked],
    [3, worked],
  ];
  const weight = acts.reduce((sum, [share]) => sum + share, 0);

  return {
    /** Works until `isOver` says that it is enough. */
    async work(isOver: () => boolean): Promise<void> {
      while (!isOver()) {
        let rest = Math.random() * weight;
        const [, act] = acts.find(([share]) => (rest -= share) < 0) ?? [0, initialize];
        const answer = (await act()) ?? (await initialize());
        if (answer.status === 503 || answer.status === 0) await sleep(PAUSE_MS * (0.5 + Math.random()));
      }
    },
    /** With everything up again: asks for each of its sessions, and what it holds. */
    async verify(): Promise<Calls> {
      const ended = await calls.verify();
      for (const session of own) {
        if (session.fate === "ended") await use("at the end, ended", session, { method: "tools/list" });
        else await info(session);
        for (const stateKey of session.state.keys()) {
          if (session.fate === "live") await getState(session, stateKey);
        }
      }
      return ended;
    },
  };
}

/** Half of them belong to alice and half to bob, as far as a name says that. */
export function principalName(number: number): string {
  return `${number % 2 === 0 ? "alice" : "bob"}-${number}`;
}

function pick<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}
