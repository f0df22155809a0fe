// What is done to one stream, as the database does it: to that stream alone, and at the very instant of an expiry.
import { beforeEach, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  for (const session of ["mine", "yours"])
    await database.query(
      "INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ($1, 'me', now() + interval '1 day')",
      [session],
    );
});
const LATER = "now() + interval '1 hour'";
const append = async (stream: string, first: number, messages: string, session = "mine") =>
  (
    await database.query(
      `SELECT mcp_append_events('${stream}', '${session}', ${first}, ARRAY[${messages}], false, 600, 64) AS taken`,
    )
  )[0]?.["taken"];
const add = (stream: string, session = "mine", expiry = LATER) =>
  `INSERT INTO mcp_streams (stream, session_id, expires_at) VALUES ('${stream}', '${session}', ${expiry})`;
const replay = (stream: string, max: number) =>
  `SELECT state FROM mcp_replay_stream('${stream}', 'mine', 0, true, 600, ${max}, 30)`;

test("events that are sent again are heard of when they are the same, of the same stream and session", async () => {
  expect(await append("one", 1, "'a', 'b'")).toBe(true);
  expect(await append("other", 1, "'c', 'd'")).toBe(true);
  expect(await append("one", 1, "'a', 'b'")).toBe(true);
  for (const messages of ["'b', 'a'", "'a', 'c'", "'c', 'd'"])
    expect([messages, await append("one", 1, messages)]).toEqual([messages, false]);
  expect(await append("hers", 1, "'x'", "yours")).toBe(true);
  expect(await append("one", 1, "'a', 'b'", "yours")).toBe(false);
  expect(
    await database.query("SELECT stream, event, message FROM mcp_stream_events ORDER BY stream, event"),
  ).toEqual([
    { stream: "hers", event: 1, message: "x" },
    { stream: "one", event: 1, message: "a" },
    { stream: "one", event: 2, message: "b" },
    { stream: "other", event: 1, message: "c" },
    { stream: "other", event: 2, message: "d" },
  ]);
});

test("a stream that is asked for before it begins lives as long as any", async () => {
  await database.query(replay("new", 64));
  expect(
    await database.query(
      "SELECT round(extract(epoch FROM expires_at - detached_at))::int AS lives FROM mcp_streams WHERE stream = 'new'",
    ),
  ).toEqual([{ lives: 600 }]);
});

test("only the session's own streams count towards its limit, and those that have not expired", async () => {
  const rows = [add("hers", "yours"), add("expires-now", "mine", "now()"), add("one")];
  expect(await atOneInstant(database, rows, replay("new", 2))).toBe("running");
  expect(await atOneInstant(database, [], replay("newer", 2))).toBe("expired");
});

test("a new stream makes room by those of its session that have ended and not expired, the oldest first", async () => {
  const rows = [
    add("hers", "yours"),
    add("expires-now", "mine", "now()"),
    ...["a", "b", "c"].map((name) => add(name)),
    "UPDATE mcp_streams SET finished_at = now() - interval '1 minute'",
    "UPDATE mcp_streams SET finished_at = now() - interval '2 minutes' WHERE stream = 'b'",
    ...["a", "b"].map((name) => `INSERT INTO mcp_stream_events VALUES ('${name}', 1, '${name}', ${LATER})`),
  ];
  const appended = "SELECT mcp_append_events('new', 'mine', 1, ARRAY['x'], false, 600, 3)";
  expect(await atOneInstant(database, rows, appended)).toBe(true);
  const left = (await database.query("SELECT stream FROM mcp_streams ORDER BY 1")).map(
    ({ stream }) => stream,
  );
  expect(left).toEqual(["a", "c", "expires-now", "hers", "new"]);
  expect(await database.query("SELECT message FROM mcp_stream_events ORDER BY 1")).toEqual([
    { message: "a" },
    { message: "x" },
  ]);
});

test("what runs makes no room, and goes on when there is none", async () => {
  const appended = (stream: string) =>
    `SELECT mcp_append_events('${stream}', 'mine', 1, ARRAY['x'], false, 600, 2)`;
  expect(await atOneInstant(database, [add("a"), add("b")], appended("new"))).toBe(false);
  expect(await atOneInstant(database, [], appended("a"))).toBe(true);
  expect(await database.query("SELECT stream FROM mcp_streams ORDER BY 1")).toEqual([
    { stream: "a" },
    { stream: "b" },
  ]);
});

test("a stream that goes on takes no other one's room", async () => {
  const rows = [add("a"), add("b"), "UPDATE mcp_streams SET finished_at = now() WHERE stream = 'b'"];
  const appended = "SELECT mcp_append_events('a', 'mine', 1, ARRAY['x'], false, 600, 1)";
  expect(await atOneInstant(database, rows, appended)).toBe(true);
  expect(await database.query("SELECT stream FROM mcp_streams ORDER BY 1")).toEqual([
    { stream: "a" },
    { stream: "b" },
  ]);
});

test("events live for their time from now, and nobody adds any to the stream of another session", async () => {
  const appended = "PERFORM mcp_append_events('one', 'mine', 1, ARRAY['x'], false, 600, 64)";
  const living = `SELECT (SELECT count(*) FROM mcp_streams WHERE expires_at = now() + interval '600 seconds')
    + (SELECT count(*) FROM mcp_stream_events WHERE expires_at = now() + interval '600 seconds')`;
  expect(await atOneInstant(database, [appended], living)).toBe(2);
  expect(await append("one", 2, "'y'", "yours")).toBe(false);
  expect(await database.query("SELECT last_event FROM mcp_streams")).toEqual([{ last_event: 1 }]);
});

const ask = (stream: string, first: number, keys: string) =>
  database.query(
    `SELECT mcp_append_events('${stream}', 'mine', ${first}, ARRAY['{}'], false, 600, 64, 'call of ${stream}',
       ARRAY(SELECT '${stream} ' || k FROM unnest(ARRAY[${keys}]) k), ARRAY[${keys}])`,
  );
const answer = async (question: string, claim = "claim", session = "mine") =>
  (
    await database.query(
      `SELECT outcome, call, last_event, answers::jsonb AS answers
         FROM mcp_answer_question('${question}', '${session}', '"to ${question}"', '${claim}')`,
    )
  )[0];
const nothing = { call: null, last_event: null, answers: null };

test("the last answer to a stream completes it, for the one who gave it, with the answers of that stream", async () => {
  await ask("one", 1, "'a', 'b'");
  await ask("other", 1, "'c', 'd'");
  expect(await answer("one a", "early")).toEqual({ outcome: "waiting", ...nothing });
  expect(await answer("one a", "again")).toEqual({ outcome: "answered", ...nothing });
  const complete = {
    outcome: "complete",
    call: "call of one",
    last_event: 1,
    answers: { a: "to one a", b: "to one b" },
  };
  expect(await answer("one b")).toEqual(complete);
  expect(await answer("one b")).toEqual(complete);
  expect(await answer("one b", "another")).toEqual({ outcome: "answered", ...nothing });
  for (const [question, session] of [
    ["one b", "yours"],
    ["unknown", "mine"],
  ] as const)
    expect(await answer(question, "claim", session)).toEqual({ outcome: "unknown", ...nothing });
  expect(await database.query("SELECT stream, taken_by FROM mcp_streams ORDER BY 1")).toEqual([
    { stream: "one", taken_by: "claim" },
    { stream: "other", taken_by: null },
  ]);
});

test.each([
  ["has ended", "finished_at = now()", "answered"],
  ["asks nothing any more", "call = NULL", "answered"],
  ["has expired", "expires_at = now()", "unknown"],
])("an answer to a stream that %s is told so, and not kept", async (_, change, outcome) => {
  await ask("one", 1, "'a'");
  await database.query(`UPDATE mcp_streams SET ${change}`);
  expect(await answer("one a")).toEqual({ outcome, ...nothing });
  expect(
    await database.query("SELECT answer, taken_by FROM mcp_questions JOIN mcp_streams USING (stream)"),
  ).toEqual([{ answer: null, taken_by: null }]);
});

test("answers to one stream are taken one after the other", async () => {
  await ask("one", 1, "'a'");
  const held = await heldOpen(database, "SELECT FROM mcp_streams FOR UPDATE");
  await database.query("UPDATE mcp_questions SET answer = '1'");
  const hurried = `SELECT set_config('lock_timeout', '200', true), mcp_answer_question('one a', 'mine', '2', 'claim')`;
  await expect(database.query(hurried)).rejects.toThrow("lock timeout");
  await held.release();
});

test("new questions of a stream take the place of its own, and it waits for their answers", async () => {
  await ask("one", 1, "'a'");
  await ask("other", 1, "'c'");
  await answer("one a");
  await ask("one", 2, "'b'");
  expect(await database.query("SELECT question FROM mcp_questions ORDER BY 1")).toEqual([
    { question: "one b" },
    { question: "other c" },
  ]);
  const waiting = "SELECT taken_by, detached_at FROM mcp_streams WHERE stream = 'one'";
  expect(await database.query(waiting)).toEqual([{ taken_by: null, detached_at: null }]);
});

test("an event keeps who has taken a stream, and that its client has left", async () => {
  await ask("one", 1, "'a'");
  await answer("one a");
  await append("one", 2, "'x'");
  expect(
    await database.query("SELECT taken_by, detached_at IS NOT NULL AS has_left, call FROM mcp_streams"),
  ).toEqual([{ taken_by: "claim", has_left: true, call: null }]);
  expect(await database.query("SELECT count(*)::int AS questions FROM mcp_questions")).toEqual([
    { questions: 1 },
  ]);
});

test("only a stream that runs is left by the client that asks for it, and only that one", async () => {
  await database.query(add("one"));
  await database.query(add("other"));
  await database.query(add("hers", "yours"));
  await database.query(add("ended"));
  await database.query("UPDATE mcp_streams SET finished_at = now() WHERE stream = 'ended'");
  await ask("asks", 1, "'a'");
  const states: Record<string, unknown> = {};
  for (const stream of ["one", "hers", "ended", "asks"])
    states[stream] = (await database.query(replay(stream, 64)))[0]?.["state"];
  expect(states).toEqual({ one: "running", hers: "expired", ended: "finished", asks: "asking" });
  expect(await database.query("SELECT stream FROM mcp_streams WHERE detached_at IS NOT NULL")).toEqual([
    { stream: "one" },
  ]);
  await database.query("UPDATE mcp_questions SET answer = '1'");
  expect((await database.query(replay("asks", 64)))[0]).toEqual({ state: "unanswered" });
  await database.query("UPDATE mcp_streams SET taken_by = 'claim' WHERE stream = 'asks'");
  expect((await database.query(replay("asks", 64)))[0]).toEqual({ state: "running" });
  await database.query("UPDATE mcp_streams SET expires_at = now() WHERE stream = 'one'");
  expect((await database.query(replay("one", 64)))[0]).toEqual({ state: "expired" });
});
