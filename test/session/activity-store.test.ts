// Which operations tell idle sleep that sessions may have to be deleted earlier than it knows.
import { expect, test } from "vitest";
import type { SessionsStore } from "../../src/admin/sessions-store.ts";
import {
  createActivityStore,
  createAdminActivityStore,
  createMarksActivityStore,
  createStreamActivityStore,
} from "../../src/session/activity-store.ts";
import type { Replay, StreamStore } from "../../src/streams/store.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import type { SessionStore } from "../../src/session/store.ts";

const session = unknownSession("k", "alice", undefined, new Date(0));

const store: SessionStore = {
  open: async () => 3,
  resume: async () => session,
  end: async () => true,
  list: async () => [],
  endOthers: async () => 4,
  setLogLevel: async () => {},
};
const all: SessionsStore = {
  list: async () => ({ sessions: [], next: null }),
  find: async () => undefined,
  countEndable: async () => 5,
  end: async () => ({ session: "12345678", principal: "alice" }),
  endAll: async () => ({ ended: 5, hasMore: false }),
};

const running: Replay = { state: "running", lastEvent: 0, events: [] };
const streams: StreamStore = {
  append: async () => true,
  replay: async () => running,
  answer: async () => ({ outcome: "waiting" }),
  cancel: async () => {},
  isCancelled: async () => false,
};
const events = { stream: "s", firstEvent: 1, messages: [], isFinished: false };

/** The stores, and how often they have reported. */
function reporting(over: { store?: Partial<SessionStore>; all?: Partial<SessionsStore> } = {}) {
  let reports = 0;
  const record = async () => {
    reports += 1;
  };
  return {
    sessions: createActivityStore({ ...store, ...over.store }, record),
    admin: createAdminActivityStore({ ...all, ...over.all }, record),
    streams: createStreamActivityStore(streams, record),
    marks: createMarksActivityStore({ make: async () => true }, record),
    reports: () => reports,
  };
}
type Stores = ReturnType<typeof reporting>;

test.each<[string, (stores: Stores) => Promise<unknown>, number, unknown]>([
  ["an opening", ({ sessions }) => sessions.open(session), 1, 3],
  ["an end", ({ sessions }) => sessions.end("k", "alice"), 1, true],
  ["an end of the others", ({ sessions }) => sessions.endOthers("alice", "k"), 1, 4],
  ["an operator's end", ({ admin }) => admin.end("handle"), 1, { session: "12345678", principal: "alice" }],
  ["an operator's bulk end", ({ admin }) => admin.endAll("alice"), 1, { ended: 5, hasMore: false }],
  ["a stream", (stores) => stores.streams.append("k", events), 1, true],
  ["a return for a stream", (stores) => stores.streams.replay("k", "s", 0, true), 1, running],
  ["a cancellation", (stores) => stores.streams.cancel("k", 1), 1, undefined],
  ["a mark", ({ marks }) => marks.make("m", "alice", 60), 1, true],
  ["an answer", (stores) => stores.streams.answer("k", "q", "{}"), 0, { outcome: "waiting" }],
  ["a look for a cancellation", (stores) => stores.streams.isCancelled("k", 1), 0, false],
  ["a use", ({ sessions }) => sessions.resume("k", "alice"), 0, session],
  ["a list", ({ sessions }) => sessions.list("alice"), 0, []],
  ["a log level", ({ sessions }) => sessions.setLogLevel(session, "error"), 0, undefined],
  ["an operator's look", ({ admin }) => admin.find("handle"), 0, undefined],
  ["an operator's list", ({ admin }) => admin.list({ limit: 1 }), 0, { sessions: [], next: null }],
])("%s", async (_, work, reports, answer) => {
  const stores = reporting();
  expect(await work(stores)).toEqual(answer);
  expect(stores.reports()).toBe(reports);
});

test("one that fails is reported, too, and fails", async () => {
  const failing = async () => {
    throw new Error("lost");
  };
  const stores = reporting({
    store: { open: failing, end: failing, endOthers: failing },
    all: { end: failing, endAll: failing },
  });
  for (const work of [
    () => stores.sessions.open(session),
    () => stores.sessions.end("k", "alice"),
    () => stores.sessions.endOthers("alice", undefined),
    () => stores.admin.end("handle"),
    () => stores.admin.endAll("alice"),
  ])
    await expect(work()).rejects.toThrow("lost");
  expect(stores.reports()).toBe(5);
});
