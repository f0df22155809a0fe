// One history: what a client of several sessions has seen and done so far, and what must hold of it.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { expect, vi } from "vitest";
import { runCleanupOnce } from "../../src/cleanup/clean.ts";
import { defineServer } from "../../src/mcp/context.ts";
import { createSessionId, keyOfSession } from "../../src/session/session.ts";
import { createWorker } from "../../src/worker.ts";
import { at, poll, storeOf } from "../support/cleanup.ts";
import { keys, type TestDatabase } from "../support/worker.ts";
import { type Talk, talks } from "./history-tool.ts";
import { pass, TTL_SECONDS } from "./stored.ts";
import {
  answerTo,
  callOf,
  eventsIn,
  firstEventOf,
  type Message,
  post,
  resume,
  type StreamEvent,
  textOf,
} from "./wire.ts";

export interface Session {
  id: string;
  principal: "alice" | "bob";
  /** Ended by its client. In the round in which it ends it may be or not. */
  fate: "live" | "ending" | "ended";
}

export interface Question {
  id: string;
  call: Call;
  /** What was answered by its own client in the first round in which that could be taken. */
  first: string[];
  isClosed: boolean;
  /** Whether somebody has answered it. Of two answers at once the second may find that the call has gone on. */
  isDue: boolean;
  /** Whether it is so old that it is not kept. */
  isOld: boolean;
}

export interface Call extends Talk {
  session: Session;
  /** The ids of its events, by their numbers. */
  ids: Map<number, string>;
  /** The messages, by the numbers of their events. */
  seen: Map<number, string>;
  /** Whether its client has the whole answer, so that it does not come back. */
  isTaken: boolean;
  /** Whether something has happened after which it need not end well: cancelled, so old that it is not kept, taken for lost. */
  isExcused: boolean;
  isOld: boolean;
  settled: Promise<unknown>[];
}

const EXPIRED = "not kept any more";

export class History {
  readonly #database: TestDatabase;
  readonly #talks = talks();
  readonly #cleanups;
  #workers: { worker: ReturnType<typeof createWorker>; env: Env }[] = [];
  #turn = 0;
  #cleaned = 0;
  readonly sessions: Session[] = [];
  readonly calls: Call[] = [];
  readonly questions: Question[] = [];
  /** How much of what was to be tried has happened. */
  readonly tried: Record<string, number>;

  constructor(database: TestDatabase, tried: Record<string, number>) {
    this.#database = database;
    this.tried = tried;
    this.#cleanups = storeOf(database, { batchSize: 3 });
    this.redeploy();
  }

  #count(what: string): void {
    this.tried[what] = (this.tried[what] ?? 0) + 1;
  }

  async open(): Promise<void> {
    const { query } = this.#database;
    for (const table of ["mcp_sessions", "mcp_streams", "mcp_stream_events", "mcp_questions", "mcp_marks"])
      await query(`DELETE FROM ${table}`);
    for (const principal of ["alice", "bob", "alice", "bob"] as const) {
      const session: Session = { id: createSessionId(), principal, fate: "live" };
      await query(
        `INSERT INTO mcp_sessions (session_id, principal, protocol_version, client_info, capabilities, expires_at)
         VALUES ($1, $2, '2025-11-25', '{"name":"x","version":"1"}', '{"elicitation":{}}', now() + interval '1 year')`,
        [await keyOfSession(session.id), principal],
      );
      this.sessions.push(session);
    }
  }

  redeploy(): void {
    const server = defineServer({ name: "talking", version: "1", register: this.#talks.register });
    const env = this.#database.env({ MCP_STREAMS: "true" });
    this.#workers = [1, 2].map(() => ({ worker: createWorker(server), env: { ...env } }));
  }

  /** Sends requests to one isolate after the other. @param settled gets what goes on after them. */
  #door(settled: Promise<unknown>[]) {
    return {
      fetch: async (url: string | URL, init?: RequestInit) => {
        const chosen = this.#workers[this.#turn++ % 2];
        if (chosen === undefined) throw new Error("There is no Worker");
        const context = createExecutionContext();
        const response = await chosen.worker.fetch(new Request(url, init), chosen.env, context);
        settled.push(waitOnExecutionContext(context));
        return response;
      },
    };
  }

  async call(
    session: Session,
    shape: Pick<Talk, "reports" | "rounds" | "width">,
    mode: "stay" | "leave" | "close" | "hold",
  ) {
    const name = `call ${this.calls.length}`;
    const input: Talk = {
      call: name,
      ...shape,
      isHeld: mode === "leave" || mode === "hold",
      closes: mode === "close",
    };
    const record = { ids: new Map<number, string>(), seen: new Map<number, string>(), settled: [] };
    const call: Call = { ...input, ...record, session, isTaken: false, isExcused: false, isOld: false };
    const wasLive = session.fate === "live";
    const door = this.#door(call.settled);
    this.calls.push(call);
    const response = await post(door, callOf("talk", input, name, name), {
      session: session.id,
      key: keys[session.principal],
    });
    if (response.status !== 200) {
      expectSame([response.status, session.fate === "live"], [404, false]);
      call.isExcused = call.isTaken = true;
      call.isHeld = false;
      return;
    }
    expectSame(session.fate === "ended", false);
    const over = () => (call.isHeld = false);
    void Promise.all(call.settled).then(over, over);
    if (!wasLive) call.isExcused = true;
    if (mode === "leave" || mode === "hold") {
      const stream = await firstEventOf(response);
      this.#note(call, [{ id: stream.id, message: undefined }]);
      await stream.cut();
      if (mode === "leave") await this.release(call);
    } else {
      const { events } = this.#note(call, eventsIn(await response.text()));
      call.isTaken = events.some(({ message }) => isResponse(message));
    }
    this.#count(mode);
  }

  /** Lets a call that is held go on. */
  async release(call: Call): Promise<void> {
    if (!call.isHeld) return;
    // One that is made meanwhile may be refused, or end before its tool holds it.
    await poll(() => Promise.resolve([this.#talks.release.get(call.call), !call.isHeld].filter(Boolean)));
    this.#talks.release.get(call.call)?.();
    call.isHeld = false;
    await Promise.all(call.settled);
  }

  /** Comes back for what came after an event, or has somebody else do so. */
  async resume(call: Call, event: number, by: Session): Promise<void> {
    const id = call.ids.get(event);
    if (id === undefined || call.isTaken) return;
    const { fate } = call.session;
    const settled: Promise<unknown>[] = [];
    const known = [...call.seen.keys()].filter((number) => number > event);
    const found = await resume(this.#door(settled), id, { session: by.id, key: keys[by.principal] });
    await Promise.all(settled);
    if (by !== call.session || fate === "ended") {
      expectSame(found.status, 404);
      return this.#count(by === call.session ? "resumed after the end" : "resumed by another");
    }
    if (found.status === 404) return expectSame(call.session.fate === "live", false);
    const { numbers } = this.#note(call, found.events);
    // The cursor, then what came after it, in order and without a gap in what is known.
    expectSame(numbers[0], event);
    expectSame(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    expectSame(new Set(numbers).size, numbers.length);
    if (!call.isOld)
      expectSame(
        known.filter((number) => !numbers.includes(number)),
        [],
      );
    this.#count("resumed");
  }

  #note(call: Call, events: StreamEvent[]) {
    const numbers = events.map(({ id, message }) => {
      const number = Number(id?.split(".").at(-1));
      call.ids.set(number, id ?? "");
      if (message === undefined || message.error?.message.includes(EXPIRED) === true) return number;
      const text = JSON.stringify(message);
      const before = call.seen.get(number) ?? text;
      expectSame(text, before);
      if (message.method === "elicitation/create" && !call.seen.has(number))
        this.questions.push({
          id: String(message.id),
          call,
          first: [],
          isClosed: false,
          isDue: false,
          isOld: false,
        });
      call.seen.set(number, text);
      return number;
    });
    const responses = [...call.seen.values()].filter((text) => isResponse(JSON.parse(text)));
    expectSame(responses.length < 2, true, `responses of ${call.call}: ${responses.join()}`);
    return { numbers, events };
  }

  async answer(question: Question, by: Session, text: string): Promise<void> {
    const { session } = question.call;
    const { fate } = session;
    const { isClosed, isOld: wasOld } = question;
    const settled: Promise<unknown>[] = [];
    if (by === session && !isClosed) question.first.push(text);
    const sent = await post(this.#door(settled), answerTo(question.id, { text }), {
      session: by.id,
      key: keys[by.principal],
    });
    await Promise.all(settled);
    const { status } = sent;
    if (status !== 202) question.first = question.first.filter((one) => one !== text);
    if (by !== session) {
      expectIn([400, ...(by.fate === "live" ? [] : [404])], status);
      return this.#count("answered by another");
    }
    if (fate === "ended") expectSame(status, 404);
    // It may have ended meanwhile.
    else if (wasOld) expectIn([400, ...(session.fate === "live" ? [] : [404])], status);
    else if (!isClosed) question.isDue = true;
    this.#count(isClosed ? "answered again" : "answered");
  }

  async cancel(call: Call): Promise<void> {
    call.isExcused = true;
    const { session } = call;
    const settled: Promise<unknown>[] = [];
    const message = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: call.call } };
    await post(this.#door(settled), message, { session: session.id, key: keys[session.principal] });
    await Promise.all(settled);
    this.#count("cancelled");
  }

  async end(session: Session): Promise<void> {
    if (session.fate !== "live") return;
    session.fate = "ending";
    const { status } = await post(this.#door([]), "", {
      session: session.id,
      key: keys[session.principal],
      method: "DELETE",
    });
    expectSame(status, 204);
    this.#count("ended");
  }

  /** So much time passes. After 46 s work that nobody is connected to is lost; after the time to live nothing is kept. */
  async pass(seconds: number): Promise<void> {
    for (const call of this.calls) {
      call.isExcused ||= call.isHeld || seconds > TTL_SECONDS;
      call.isOld ||= seconds > TTL_SECONDS;
    }
    // A call that goes on can still ask new ones.
    for (const question of this.questions) question.isOld ||= seconds > TTL_SECONDS;
    vi.setSystemTime(Date.now() + seconds * 1000);
    await pass(this.#database, seconds);
    this.#count(seconds > TTL_SECONDS ? "expired" : "aged");
  }

  async clean(): Promise<void> {
    await runCleanupOnce(this.#cleanups, at(new Date(), ++this.#cleaned));
    this.#count("cleaned");
  }

  /** Nothing goes on any more, but calls that are held. */
  async endRound(): Promise<void> {
    for (const call of this.calls) if (!call.isHeld) await Promise.all(call.settled);
    for (const question of this.questions) {
      const { call, first, isDue } = question;
      question.isClosed ||= first.length > 0;
      if (isDue && !call.isExcused && call.session.fate === "live")
        expectSame(first.length > 0, true, "an answer is lost");
    }
    for (const session of this.sessions) if (session.fate === "ending") session.fate = "ended";
    for (const [call, times] of this.#talks.ends) expectSame([call, times], [call, 1]);
  }

  /** Every call that nothing has happened to comes to its end, with the answers that were the first. */
  async finish(): Promise<void> {
    for (const call of this.calls) await this.release(call);
    const rows = await this.#rowsOfEnded();
    for (const call of this.calls) {
      for (let round = 0; round <= call.rounds; round++) {
        await this.resume(call, 0, call.session);
        for (const question of this.questions) {
          if (question.call !== call || question.isClosed || call.session.fate !== "live" || call.isExcused)
            continue;
          await this.answer(question, call.session, `last ${question.id}`);
          question.isClosed = true;
        }
      }
      await this.resume(call, 0, call.session);
      this.#judge(call);
    }
    await this.endRound();
    const after = await this.#rowsOfEnded();
    expectSame(after <= rows, true, "rows of sessions that have ended");
  }

  #judge(call: Call): void {
    const response = [...call.seen.values()].map((text) => JSON.parse(text) as Message).find(isResponse);
    // A question that could not be kept, because the session was ending, is a failure of the tool.
    const text = response?.result?.isError === true ? undefined : textOf(response);
    const mine = this.questions.filter((question) => question.call === call);
    if (text !== undefined) {
      const said: string[] = JSON.parse(text);
      expectSame(said.length, call.rounds * call.width);
      for (const [i, value] of said.entries()) expectIn(mine[i]?.first, value);
      this.#count("answered calls");
    }
    const isDue = call.session.fate === "live" && !call.isExcused;
    if (isDue)
      expectSame([call.call, text === undefined, this.#talks.ends.get(call.call)], [call.call, false, 1]);
  }

  async #rowsOfEnded(): Promise<number> {
    const ended = this.sessions.filter(({ fate }) => fate === "ended").map(({ id }) => keyOfSession(id));
    const [row] = await this.#database.query(
      `SELECT count(*)::int AS count FROM mcp_stream_events JOIN mcp_streams USING (stream) WHERE session_id = ANY ($1::text[])`,
      [await Promise.all(ended)],
    );
    return Number(row?.["count"]);
  }
}

const isResponse = (message: Message | undefined) =>
  message !== undefined && ("result" in message || "error" in message);

function expectSame(actual: unknown, expected: unknown, what = ""): void {
  expect(actual, what).toEqual(expected);
}

function expectIn(all: readonly unknown[] | undefined, one: unknown): void {
  expect(all).toContain(one);
}
