// What is done to one stream, as the database does it: to that stream alone, and at the very instant of an expiry.
import { beforeEach, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
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
  ];
  const appended = "SELECT mcp_append_events('new', 'mine', 1, ARRAY['x'], false, 600, 3)";
  expect(await atOneInstant(database, rows, appended)).toBe(true);
  const left = (await database.query("SELECT stream FROM mcp_streams ORDER BY 1")).map(
    ({ stream }) => stream,
  );
  expect(left).toEqual(["a", "c", "expires-now", "hers", "new"]);
});
