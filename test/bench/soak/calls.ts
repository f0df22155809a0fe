// Calls that outlive their requests: one asks its client, another closes its stream and goes on. Each has one response, which is
// that of the first answer that was acknowledged, or of one before it whose fate nobody knows.
import { setTimeout as sleep } from "node:timers/promises";
import { BUDGET_MS, type Judge, type Question } from "./judge.ts";
import { end, type KnownSession, type Ledger } from "./ledger.ts";
import { toolMessage, type WireAnswer } from "./wire.ts";

export interface CallOptions {
  url: string;
  judge: Judge;
  ledger: Ledger;
  key: string;
  expectation: (session: KnownSession) => Pick<Question, "statuses" | "rule">;
  /** A session of somebody else. */
  foreign: () => KnownSession | undefined;
}

/** How the calls of a client have ended; `unknown`: their session has. */
export interface Calls {
  answered: number;
  lost: number;
  unknown: number;
}

interface Message {
  id?: string | number;
  method?: string;
  params?: { progress?: number };
  result?: { isError?: boolean; content: { text: string }[] };
  error?: { message: string };
}

interface Call {
  session: KnownSession;
  first: string;
  /** The messages by the ids of their events. */
  seen: Map<string, string>;
  response: Message | undefined;
  /** The question, and what was answered to it until the first acknowledgement. */
  question: string | undefined;
  values: string[];
  isAcknowledged: boolean;
  steps: number;
}

// Work that nobody is connected to is taken for lost after 45 s. By then every call has an end.
const LONGEST_WAIT_MS = 90_000;
const POLL_MS = 500;
const POLLS = 3;
const ANSWERS = 3;

export function createCalls({ url, judge, ledger, key, expectation, foreign }: CallOptions) {
  const calls: Call[] = [];
  let made = 0;

  const begin = async (session: KnownSession, name: string, args: object, steps: number) => {
    const message = toolMessage(name, args);
    const params = { ...message.params, _meta: { progressToken: ++made } };
    const question = {
      kind: name,
      url,
      key,
      session: session.id,
      message: { ...message, params },
      deadlineMs: 2 * BUDGET_MS,
    };
    const begun = await judge.ask({ ...question, ...expectation(session) });
    if (begun.status === 404) end(session);
    const [primed, ...events] = begun.status === 200 ? eventsIn(begun.text) : [];
    if (primed === undefined) return { begun, call: undefined };
    const call: Call = {
      session,
      first: primed.id,
      seen: new Map(),
      response: undefined,
      question: undefined,
      values: [],
      isAcknowledged: false,
      steps,
    };
    read(call, events);
    // One that could not be kept is none.
    if (call.response !== undefined) judge.downgrade(begun);
    else calls.push(call);
    return { begun, call: call.response === undefined ? call : undefined };
  };

  /** What must hold of everything that a call has sent. */
  function read(call: Call, events: readonly { id: string; text: string }[]): void {
    for (const { id, text } of events) {
      if (text === "") continue;
      if ((call.seen.get(id) ?? text) !== text) ledger.violate("event changed", "one id has two messages");
      call.seen.set(id, text);
      const message: Message = JSON.parse(text);
      if (message.method === "elicitation/create") call.question = String(message.id);
      if (message.result === undefined && message.error === undefined) continue;
      if (call.response !== undefined && JSON.stringify(call.response) !== text)
        ledger.violate(
          "two responses",
          `${JSON.stringify(call.response).slice(0, 100)} and ${text.slice(0, 100)}`,
        );
      call.response = message;
    }
  }

  async function answer(call: Call): Promise<WireAnswer | undefined> {
    let last: WireAnswer | undefined;
    for (let i = 0; i < ANSWERS && call.session.fate !== "ended"; i++) {
      const value = `value ${++made}`;
      if (!call.isAcknowledged) call.values.push(value);
      const message = { id: call.question, result: { action: "accept", content: { name: value } } };
      const { statuses, rule } = expectation(call.session);
      const due = statuses.map((status) => (status === 200 ? 202 : status));
      last = await judge.ask({
        kind: "answer",
        url,
        key,
        session: call.session.id,
        message,
        deadlineMs: 2 * BUDGET_MS,
        statuses: due,
        rule,
      });
      if (last.status === 404) end(call.session);
      if (last.status === 202) call.isAcknowledged = true;
      // Now and then once more, with what must not be taken.
      if (call.isAcknowledged && Math.random() < 0.7) break;
    }
    return last;
  }

  async function comeBack(call: Call): Promise<WireAnswer> {
    const ids = [call.first, ...call.seen.keys()];
    const from = ids[Math.floor(Math.random() * ids.length)] ?? call.first;
    const { session } = call;
    const question = {
      kind: "GET",
      url,
      key,
      method: "GET",
      lastEventId: from,
      deadlineMs: 4 * BUDGET_MS,
    } as const;
    const other = Math.random() < 0.1 ? foreign() : undefined;
    if (other !== undefined)
      await judge.ask({
        ...question,
        kind: "GET (foreign)",
        session: other.id,
        statuses: [404],
        rule: () => "foreign access",
      });
    const found = await judge.ask({ ...question, session: session.id, ...expectation(session) });
    if (found.status === 404) end(session);
    if (found.status !== 200) return found;
    const events = eventsIn(found.text);
    const numbers = events.map(({ id }) => Number(id.split(".").at(-1)));
    const numberOf = (id: string) => Number(id.split(".").at(-1));
    if (events[0]?.id !== from) ledger.violate("cursor", "a replay does not begin with it");
    if (numbers.some((number, i) => i > 0 && number <= (numbers[i - 1] ?? 0)))
      ledger.violate("order", "a replay is not in order");
    const missing = [...call.seen.keys()].filter(
      (id) => numberOf(id) > numberOf(from) && !numbers.includes(numberOf(id)),
    );
    if (missing.length > 0) ledger.violate("event lost", "a replay does not have what was sent before");
    read(call, events);
    return found;
  }

  function judgeCall(call: Call): void {
    const { response, session, values, steps } = call;
    if (response === undefined) {
      if (session.fate === "live") ledger.violate("call lost", "a call has no end");
      return;
    }
    const text = response.result?.content[0]?.text;
    if (text === undefined) {
      if (response.error?.message.includes("interrupted") !== true)
        ledger.violate("call", JSON.stringify(response).slice(0, 200));
      return;
    }
    const due =
      steps > 0
        ? [`Done in ${steps} steps`]
        : values.map((value) => `Hello ${JSON.stringify({ name: value })}`);
    if (!due.includes(text))
      ledger.violate("wrong answer", `${text} where it may be one of ${due.join(", ")}`);
    const progress = [...call.seen.values()].flatMap(
      (one) => (JSON.parse(one) as Message).params?.progress ?? [],
    );
    if (progress.join() !== Array.from({ length: steps }, (_, i) => i + 1).join())
      ledger.violate("progress", progress.join());
  }

  async function follow(call: Call | undefined, begun: WireAnswer): Promise<WireAnswer> {
    if (call === undefined) return begun;
    let last = begun;
    if (call.question !== undefined) last = (await answer(call)) ?? last;
    for (let i = 0; i < POLLS && call.response === undefined && call.session.fate !== "ended"; i++)
      last = await comeBack(call);
    return last;
  }

  return {
    async ask(session: KnownSession): Promise<WireAnswer> {
      const { begun, call } = await begin(session, "ask_name", {}, 0);
      return follow(call, begun);
    },
    async work(session: KnownSession): Promise<WireAnswer> {
      const steps = 1 + Math.floor(Math.random() * 3);
      const { begun, call } = await begin(session, "work", { steps, step_ms: 20, closes: true }, steps);
      return follow(call, begun);
    },
    /** With everything up again: every call of a live session comes to its end. @returns how they ended. */
    async verify(): Promise<Calls> {
      const until = performance.now() + LONGEST_WAIT_MS;
      const isOpen = (call: Call) => call.response === undefined && call.session.fate === "live";
      while (calls.some(isOpen) && performance.now() < until) {
        for (const call of calls.filter(isOpen)) {
          if (call.question !== undefined && !call.isAcknowledged) await answer(call);
          await comeBack(call);
        }
        await sleep(POLL_MS);
      }
      for (const call of calls) {
        // From the beginning, once more.
        if (call.session.fate === "live") await comeBack(call);
        judgeCall(call);
      }
      const live = calls.filter(({ session }) => session.fate === "live");
      const answered = live.filter(({ response }) => response?.result !== undefined).length;
      return { answered, lost: live.length - answered, unknown: calls.length - live.length };
    },
  };
}

function eventsIn(text: string): { id: string; text: string }[] {
  return text
    .split("\n\n")
    .filter((block) => /^id: /m.test(block))
    .map((block) => {
      const of = (name: string) =>
        block
          .split("\n")
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      return { id: of("id") ?? "", text: of("data") ?? "" };
    });
}
