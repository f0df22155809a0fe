// What one statement of the streams does by itself, and with others at once.
import { afterEach, expect, test } from "vitest";
import { MARKS_PER_OWNER } from "../../src/streams/marks-store.ts";
import { DETACHED_SECONDS, STREAMS_PER_SESSION } from "../../src/streams/store.ts";
import { heldOpen } from "../support/locks.ts";
import { fire, REGULAR_CRON, setFaults } from "../support/worker.ts";
import { callOf, stored, type Stored, TTL_SECONDS } from "./stored.ts";

const texts = (...messages: string[]) => messages.map((message) => JSON.stringify(message));
const eventsOf = (...messages: string[]) =>
  texts(...messages).map((message, i) => ({ event: i + 1, message }));

afterEach(() => setFaults());

test.each<[string, work: (given: Stored) => Promise<unknown>, answer: unknown]>([
  ["mcp_append_events", ({ append }) => append("s", texts("a")), true],
  ["mcp_replay_stream", ({ replay }) => replay("s"), { state: "expired", lastEvent: 0, events: [] }],
  ["mcp_answer_question", ({ store }) => store.answer("one", "q", "{}"), { outcome: "unknown" }],
  ["mcp_cancel_call", ({ store }) => store.cancel("one", 1), undefined],
  ["FROM mcp_marks", ({ store }) => store.isCancelled("one", 1), false],
  ["mcp_make_mark", ({ marks }) => marks.make("m", "alice", 60), true],
])("a statement whose answer is lost is sent again: %s", async (matching, work, answer) => {
  const given = await stored();
  await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching });
  expect(await work(given)).toEqual(answer);
});

test("events are kept in order, and a repetition changes nothing", async () => {
  const { append, replay, database } = await stored();
  expect(await append("s", texts("a", "b"))).toBe(true);
  expect(await append("s", texts("c"), { firstEvent: 3, isFinished: true })).toBe(true);
  const kept = { state: "finished", lastEvent: 3, events: eventsOf("a", "b", "c") };
  expect(await replay("s")).toEqual(kept);
  const rows = await database.query("SELECT * FROM mcp_streams");
  for (let times = 0; times < 2; times++)
    expect(await append("s", texts("c"), { firstEvent: 3, isFinished: true })).toBe(true);
  expect(await replay("s")).toEqual(kept);
  expect(await replay("s", 1)).toMatchObject({ events: kept.events.slice(1) });
  expect(await database.query("SELECT * FROM mcp_streams")).toEqual(rows);
});

test("after the response nothing is kept, whatever its number is", async () => {
  const { append, replay } = await stored();
  await append("s", texts("response"), { isFinished: true });
  for (const firstEvent of [1, 2, 9]) {
    expect(await append("s", texts("another"), { firstEvent, isFinished: true })).toBe(false);
    expect(await append("s", texts("another"), { firstEvent })).toBe(false);
  }
  expect((await replay("s")).events).toEqual(eventsOf("response"));
});

test("an older event does not come after a newer one", async () => {
  const { append, replay } = await stored();
  await append("s", texts("b"), { firstEvent: 2 });
  expect(await append("s", texts("a"))).toBe(false);
  expect(await append("s", texts("c"), { firstEvent: 2 })).toBe(false);
  expect((await replay("s")).events).toEqual([{ event: 2, message: '"b"' }]);
});

test.each([
  ["has ended", "UPDATE mcp_sessions SET ended_at = now() WHERE session_id = 'one'"],
  ["has expired", "UPDATE mcp_sessions SET expires_at = now() WHERE session_id = 'one'"],
  ["is deleted", "DELETE FROM mcp_sessions WHERE session_id = 'one'"],
])("of a session that %s nothing more is kept", async (_, change) => {
  const { append, ask, database } = await stored();
  await append("s", texts("a"));
  await database.query(change);
  expect(await append("s", texts("b"), { firstEvent: 2 })).toBe(false);
  expect(await append("new", texts("a"))).toBe(false);
  expect(await ask("asking", "q")).toBe(false);
  expect(await database.query("SELECT event FROM mcp_stream_events")).toEqual([{ event: 1 }]);
  expect(await database.query("SELECT FROM mcp_questions")).toEqual([]);
  expect(await append("s", texts("a"), {}, "other")).toBe(false);
});

test("a stream is of one session: for another one there is none", async () => {
  const { append, ask, replay, database, store } = await stored();
  await append("s", texts("a"));
  await ask("asking", "q");
  expect(await replay("s", 0, "other")).toEqual({ state: "expired", lastEvent: 0, events: [] });
  expect(await append("s", texts("b"), { firstEvent: 2 }, "other")).toBe(false);
  expect(await store.answer("other", "q", "{}")).toEqual({ outcome: "unknown" });
  await store.cancel("other", "asking");
  expect(await store.isCancelled("one", "asking")).toBe(false);
  expect(await replay("asking")).toMatchObject({ state: "asking" });
  expect(await database.query("SELECT FROM mcp_streams WHERE detached_at IS NOT NULL")).toEqual([]);
});

test("a session has so many streams: a finished one gives way, and expired ones do not count", async () => {
  const { append, ask, replay, pass, store, database } = await stored();
  for (let i = 0; i < STREAMS_PER_SESSION; i++) expect(await append(`s${i}`, texts("a"))).toBe(true);
  expect(await append("more", texts("a"))).toBe(false);
  expect(await ask("asking", "q")).toBe(false);
  expect(await store.replay("one", "more", 0, true)).toMatchObject({ state: "expired" });
  expect(await append("its own", texts("a"), { isFinished: true }, "other")).toBe(true);
  for (const stream of ["s7", "s3"])
    expect(await append(stream, texts("b"), { firstEvent: 2, isFinished: true })).toBe(true);
  // The one that was finished first.
  expect(await ask("asking", "q")).toBe(true);
  expect(await store.replay("one", "s7", 0, true)).toMatchObject({ state: "expired" });
  expect(await database.query("SELECT FROM mcp_stream_events WHERE stream = 's7'")).toEqual([]);
  expect(await append("s0", texts("b"), { firstEvent: 2 })).toBe(true);
  expect(await replay("s3")).toMatchObject({ state: "finished" });
  expect(await append("more", texts("a"))).toBe(true);
  expect(await append("too many", texts("a"))).toBe(false);
  expect(await replay("its own", 0, "other")).toMatchObject({ state: "finished" });
  await pass(TTL_SECONDS + 1);
  expect(await append("too many", texts("a"))).toBe(true);
});

test("a client that comes back is told how its answer stands", async () => {
  const { append, replay, store, pass, database } = await stored();
  // Nothing is stored yet.
  expect(await store.replay("one", "s", 0, false)).toMatchObject({ state: "expired" });
  expect(await store.replay("one", "s", 0, true)).toEqual({ state: "running", lastEvent: 0, events: [] });
  await append("s", texts("a"));
  expect(await replay("s")).toEqual({ state: "running", lastEvent: 1, events: eventsOf("a") });
  await pass(DETACHED_SECONDS - 5);
  expect(await replay("s")).toMatchObject({ state: "running" });
  await pass(10);
  expect(await replay("s")).toEqual({ state: "lost", lastEvent: 1, events: eventsOf("a") });
  // Whoever did the work may still come.
  await append("s", texts("b"), { firstEvent: 2, isFinished: true });
  expect(await replay("s")).toMatchObject({ state: "finished", events: eventsOf("a", "b") });
  await pass(TTL_SECONDS - 30);
  expect(await replay("s")).toMatchObject({ state: "finished" });
  // Expired, and not swept yet.
  await pass(60);
  const expired = { state: "expired", lastEvent: 0, events: [] };
  expect(await replay("s")).toEqual(expired);
  await fire(database.env(), REGULAR_CRON);
  expect(await database.query("SELECT FROM mcp_stream_events")).toEqual([]);
  expect(await replay("s")).toEqual(expired);
});

test("a stream that is swept while its client comes back does not come back itself", async () => {
  const { append, store, pass, database } = await stored();
  await append("s", texts("a"));
  await pass(TTL_SECONDS + 1);
  const sweeping = await heldOpen(database, "DELETE FROM mcp_streams WHERE stream = 's' RETURNING 1");
  const coming = store.replay("one", "s", 0, false);
  await sweeping.waitedFor();
  await sweeping.release();
  expect(await coming).toMatchObject({ state: "expired" });
  expect(await database.query("SELECT FROM mcp_streams")).toEqual([]);
});

test("while nobody is known to have left, work may take as long as it likes", async () => {
  const { append, replay, pass } = await stored();
  await append("s", texts("a"));
  await pass(DETACHED_SECONDS + 100);
  expect(await replay("s")).toMatchObject({ state: "running" });
});

test("a question waits while its client is silent, and not for ever", async () => {
  const { ask, replay, store, pass } = await stored();
  await ask("s", "q", "r");
  expect(await replay("s")).toMatchObject({ state: "asking", lastEvent: 2 });
  await pass(TTL_SECONDS - 30);
  expect(await store.answer("one", "q", "{}")).toEqual({ outcome: "waiting" });
  expect(await replay("s")).toMatchObject({ state: "asking" });
  await pass(60);
  expect(await store.answer("one", "r", "{}")).toEqual({ outcome: "unknown" });
});

test("a call whose question has expired before its stream is unanswered", async () => {
  const { ask, replay, store, database } = await stored();
  await ask("s", "q", "r");
  await database.query("UPDATE mcp_questions SET expires_at = now() WHERE question = 'q'");
  expect(await store.answer("one", "q", "{}")).toEqual({ outcome: "unknown" });
  expect(await replay("s")).toMatchObject({ state: "asking" });
  await database.query("UPDATE mcp_questions SET expires_at = now()");
  expect(await replay("s")).toMatchObject({ state: "unanswered" });
});

test("an answer is taken once, and the last one gets the call", async () => {
  const { ask, append, replay, store, pass } = await stored();
  await ask("s", "q", "r");
  expect(await store.answer("one", "q", '{"result":1}')).toEqual({ outcome: "waiting" });
  expect(await store.answer("one", "q", '{"result":2}')).toEqual({ outcome: "answered" });
  expect(await store.answer("one", "r", '{"result":3}')).toEqual({
    outcome: "complete",
    stream: "s",
    call: callOf("s"),
    lastEvent: 2,
    answers: { "key of q": { result: 1 }, "key of r": { result: 3 } },
  });
  for (const question of ["q", "r"])
    expect(await store.answer("one", question, "{}")).toEqual({ outcome: "answered" });
  expect(await store.answer("one", "nobody's", "{}")).toEqual({ outcome: "unknown" });
  expect(await replay("s")).toMatchObject({ state: "running" });
  // Whoever has taken them is gone.
  await pass(DETACHED_SECONDS + 5);
  expect(await replay("s")).toMatchObject({ state: "lost" });
  await append("s", texts("response"), { firstEvent: 3, isFinished: true });
  expect(await store.answer("one", "q", "{}")).toEqual({ outcome: "answered" });
});

test("the call may ask again under the same names, and is not lost while it does", async () => {
  const { ask, append, replay, store, pass } = await stored();
  await ask("s", "q");
  await store.answer("one", "q", "1");
  const asking = { call: callOf("s"), questions: [{ id: "r", key: "key of q" }] };
  expect(await append("s", texts("again"), { firstEvent: 2, asking })).toBe(true);
  // The statement that was sent again because its answer was lost.
  expect(await append("s", texts("again"), { firstEvent: 2, asking })).toBe(true);
  await pass(DETACHED_SECONDS + 5);
  expect(await replay("s")).toMatchObject({ state: "asking", lastEvent: 2 });
  expect(await store.answer("one", "q", "1")).toEqual({ outcome: "unknown" });
  expect(await store.answer("one", "r", "2")).toMatchObject({
    outcome: "complete",
    answers: { "key of q": 2 },
  });
});

test("of answers that come at once exactly one gets the call", async () => {
  const { ask, store, database } = await stored();
  for (let round = 0; round < 10; round++) {
    const ids = [`q${round}`, `r${round}`, `s${round}`];
    await ask(`stream ${round}`, ...ids);
    const held = await heldOpen(
      database,
      `SELECT FROM mcp_streams WHERE stream = 'stream ${round}' FOR UPDATE`,
    );
    const answers = [...ids, ...ids, ...ids].map((id, i) => store.answer("one", id, String(i)));
    await held.waitedFor();
    await held.release();
    const outcomes = (await Promise.all(answers)).map(({ outcome }) => outcome).toSorted();
    expect(outcomes).toEqual([
      "answered",
      "answered",
      "answered",
      "answered",
      "answered",
      "answered",
      "complete",
      "waiting",
      "waiting",
    ]);
  }
});

test("a call that is cancelled is asked nothing any more, and only that call", async () => {
  const { ask, append, replay, store } = await stored();
  await ask("s", "q", "r");
  await ask("t", "other q");
  await store.answer("one", "q", "{}");
  await store.cancel("one", "s");
  expect(await store.isCancelled("one", "s")).toBe(true);
  expect(await store.isCancelled("one", "t")).toBe(false);
  expect(await store.answer("one", "r", "{}")).toEqual({ outcome: "unknown" });
  expect(await replay("s")).toMatchObject({ state: "unanswered" });
  expect(await store.answer("one", "other q", "{}")).toMatchObject({ outcome: "complete" });
  // Nothing waits under this id.
  await append("v", texts("a"));
  await store.cancel("one", "v");
  expect(await replay("v")).toMatchObject({ state: "running" });
});

test.each([
  [1, "1"],
  ["1", 1],
  ["a", "a\\"],
  ["ab", "a"],
  [12, 1],
  ["\0", "\\u0000"],
  ["\ud800", "\ufffd"],
])("the id %j is not %j, whatever the call holds", async (id, other) => {
  const { store, replay } = await stored();
  const call = JSON.stringify({ id, method: "tools/call", params: { text: "\0\ud800" } });
  const asking = { call, questions: [{ id: "q", key: "k" }] };
  expect(
    await store.append("one", { stream: "s", firstEvent: 1, messages: ["1"], isFinished: false, asking }),
  ).toBe(true);
  await store.cancel("one", other);
  expect([await store.isCancelled("one", other), await store.isCancelled("one", id)]).toEqual([true, false]);
  expect(await replay("s")).toMatchObject({ state: "asking" });
  await store.cancel("one", id);
  expect(await replay("s")).toMatchObject({ state: "unanswered" });
});

test("a mark is made once, each owner has so many, and expired ones do not count", async () => {
  const { marks, database, pass } = await stored();
  const made = await Promise.all(Array.from({ length: 8 }, () => marks.make("m", "alice", 60)));
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(await marks.make("m", "bob", 60)).toBe(false);
  await database.query(
    `INSERT INTO mcp_marks (mark, owner, claim, expires_at)
     SELECT 'm' || i, 'alice', '', now() + interval '1 minute' FROM generate_series(1, $1::int) i`,
    [MARKS_PER_OWNER - 2],
  );
  // The last one, and the statement that is sent again because its answer was lost.
  const repeated = "SELECT mcp_make_mark('last', 'alice', 'claim', 60, $1) AS is_made";
  for (let times = 0; times < 2; times++)
    expect(await database.query(repeated, [MARKS_PER_OWNER])).toEqual([{ is_made: true }]);
  expect(await marks.make("one more", "alice", 60)).toBe(false);
  expect(await marks.make("one more", "bob", 60)).toBe(true);
  await pass(61);
  expect(await marks.make("and one more", "alice", 60)).toBe(true);
});
