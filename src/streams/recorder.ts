// The events of one answer: numbers them, and stores those that its client may ask for again.
//
// An answer that is there within a second, for a client that stays, costs nothing. Events are stored from the moment when
// the client has left, when a tool has closed the stream, or when a second has passed: a broken connection is not always noticed.
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";
import { logOf } from "../log.ts";
import { utf8Bytes } from "../session/json.ts";
import type { StreamName } from "./event-id.ts";
import type { NewEvents, StreamStore } from "./store.ts";

const log = logOf("streams", {
  warning: {
    "Events not kept": {
      meaning:
        "The rest of an answer could not be stored: its client gets an error when it comes back. `reason`: the kind of the failure, `refused` when the session has ended or has too many answers, `too_large`.",
      fields: ["session", "reason", "request_id"],
    },
  },
});

/** From then on events are stored, in milliseconds. Most tools have answered by then. */
export const STORED_AFTER_MS = 1000;

// Neon's proxy takes and answers with 10 MB at most (Neon, "Serverless driver"), and all of an answer may be asked for at once.
/** More progress than this is not kept, as it is sent to the database. The response always is, up to RESPONSE_BYTES. */
export const PROGRESS_BYTES = 1024 * 1024;
export const PROGRESS_EVENTS = 1000;
export const RESPONSE_BYTES = 8 * 1024 * 1024;

export interface RecorderOptions {
  store: StreamStore;
  stream: Pick<StreamName, "stream" | "requestId">;
  /** The key and the name of the session. */
  session: { key: string; name: string };
  requestId: string;
  /** The number of the last event that is stored already. */
  lastEvent?: number;
}

interface Pending {
  event: number;
  text: string;
  /** Of the last of several questions. */
  asking?: { firstEvent: number; texts: string[]; what: Asking; resolve: (isKept: boolean) => void };
}

type Asking = NonNullable<NewEvents["asking"]>;

/** Lives for one request. */
export class StreamRecorder {
  readonly #options: RecorderOptions;
  #lastEvent: number;
  /** Not stored yet, in order. */
  #pending: Pending[] = [];
  #bytes = 0;
  #count = 0;
  #isStoring = false;
  /** Whether a batch is under way. */
  #isBusy = false;
  #isRefused = false;
  #hasResponse = false;
  #responseEvent: number | undefined;
  #isAsking = false;
  #isEnded = false;
  #settle: () => void = () => undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#lastEvent = options.lastEvent ?? 0;
  }

  /** Whether the response has been recorded. */
  get hasResponse(): boolean {
    return this.#hasResponse;
  }

  /** Whether questions are the last of it: the call goes on with their answers. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Numbers an event. It is stored in the order of the numbers, if it is stored. After the response nothing is recorded. */
  record(message: JSONRPCMessage): number {
    const event = ++this.#lastEvent;
    if (this.#hasResponse) return event;
    const isResponse = "result" in message || "error" in message;
    const text = this.#kept(message, isResponse);
    if (text !== undefined) this.#pending.push({ event, text });
    if (isResponse) this.#responseEvent = event;
    this.#hasResponse = isResponse;
    this.#store();
    // One that is not stored yet may have to be: whoever watches the client says so.
    if (isResponse && this.#isStoring) this.end();
    return event;
  }

  /** Stores what has been recorded, and from now on everything. */
  startStoring(): void {
    this.#isStoring = true;
    this.#store();
  }

  /**
   * Stores questions to the client, and what is needed to go on when they are answered. Nothing may be sent before.
   * @returns the number of the first of them; undefined when they are not kept.
   */
  async ask(messages: readonly JSONRPCMessage[], what: Asking): Promise<number | undefined> {
    const firstEvent = this.#lastEvent + 1;
    this.#lastEvent += messages.length;
    const texts = messages.map((message) => JSON.stringify(message));
    this.#isAsking = await new Promise<boolean>((resolve) => {
      this.#pending.push({ event: this.#lastEvent, text: "", asking: { firstEvent, texts, what, resolve } });
      this.startStoring();
    });
    return this.#isAsking ? firstEvent : undefined;
  }

  /** The call has been cancelled. Who comes for the rest gets an end of it, and nothing that is recorded later. */
  cancel(): void {
    const { requestId: id } = this.#options.stream;
    if (this.#isStoring)
      this.record({ jsonrpc: "2.0", id, error: { code: -32800, message: "The call was cancelled" } });
    else this.#pending = [];
    this.#hasResponse = true;
    this.end();
  }

  /** Nothing more will be recorded. */
  end(): void {
    this.#isEnded = true;
    this.#check();
  }

  /** Resolves after `end()`, when everything is stored that is to be. To be called once. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#check();
    });
  }

  #check(): void {
    const isAllStored = !this.#isStoring || (this.#pending.length === 0 && !this.#isBusy);
    if (this.#isEnded && isAllStored) this.#settle();
  }

  #kept(message: JSONRPCMessage, isResponse: boolean): string | undefined {
    const text = JSON.stringify(message);
    if (isResponse) return isWithin(RESPONSE_BYTES, text) ? text : JSON.stringify(this.#tooLarge());
    this.#bytes += sentBytes(text);
    this.#count += 1;
    return this.#bytes <= PROGRESS_BYTES && this.#count <= PROGRESS_EVENTS ? text : undefined;
  }

  #tooLarge(): JSONRPCMessage {
    this.#warn("too_large");
    const error = {
      code: -32603,
      message: "The result is too large to be kept for a client that comes back",
    };
    return { jsonrpc: "2.0", id: this.#options.stream.requestId, error };
  }

  /** One batch at a time, so that they are stored in order. */
  #store(): void {
    if (this.#isStoring && !this.#isBusy && this.#pending.length > 0) void this.#storeAll();
  }

  async #storeAll(): Promise<void> {
    this.#isBusy = true;
    while (this.#pending.length > 0) {
      for (const run of runsOf(this.#pending.splice(0))) await this.#storeRun(run);
    }
    this.#isBusy = false;
    this.#check();
  }

  async #storeRun(run: readonly Pending[]): Promise<void> {
    const [first] = run;
    if (first === undefined) return;
    if (first.asking !== undefined) {
      const { firstEvent, texts: messages, what: asking, resolve } = first.asking;
      return resolve(await this.#append({ firstEvent, messages, isFinished: false, asking }));
    }
    const isFinished = run.at(-1)?.event === this.#responseEvent;
    await this.#append({ firstEvent: first.event, messages: run.map(({ text }) => text), isFinished });
  }

  async #append(events: Omit<NewEvents, "stream">): Promise<boolean> {
    if (this.#isRefused) return false;
    const { store, stream, session } = this.#options;
    try {
      const isKept = await store.append(session.key, { stream: stream.stream, ...events });
      if (!isKept) this.#refuse("refused");
      return isKept;
    } catch (error) {
      this.#refuse(String(Object(error).kind ?? "internal"));
      return false;
    }
  }

  #refuse(reason: string): void {
    this.#isRefused = true;
    this.#warn(reason);
  }

  #warn(reason: string): void {
    const { session, requestId: request_id } = this.#options;
    log.warning("Events not kept", { session: session.name, reason, request_id });
  }
}

/** As a string in JSON in JSON. */
const sentBytes = (text: string) => utf8Bytes(JSON.stringify(JSON.stringify(text)));

// A character becomes four bytes at most: `"` is escaped twice.
const isWithin = (bytes: number, text: string) => text.length * 4 <= bytes || sentBytes(text) <= bytes;

/** Splits events into runs whose numbers follow each other. Questions are a run of their own. */
function runsOf(events: readonly Pending[]): Pending[][] {
  const runs: Pending[][] = [];
  for (const event of events) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (last?.event === event.event - 1 && last.asking === undefined && event.asking === undefined)
      run?.push(event);
    else runs.push([event]);
  }
  return runs;
}

/** The recorder as the SDK's transport uses it, for a client that is connected. */
export function eventStoreOf(
  recorder: StreamRecorder,
  { eventId }: Pick<StreamName, "eventId">,
  numberOf: (message: JSONRPCMessage) => number | undefined,
): EventStore {
  return {
    storeEvent(_stream, message) {
      // The SDK's priming event has no message.
      const isPriming = Object.keys(message).length === 0;
      return Promise.resolve(eventId(isPriming ? 0 : (numberOf(message) ?? recorder.record(message))));
    },
    // The session's own endpoint replays.
    replayEventsAfter: () => Promise.reject(new Error("Not the transport's to replay")),
  };
}
