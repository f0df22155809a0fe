// What one statement of the handles does by itself, and with others at once.
import { expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { fire, REGULAR_CRON } from "../support/worker.ts";
import { stored, TTL_SECONDS } from "./stored.ts";

const TOUCH_SECONDS = 60;
const near = (time: Date | undefined, seconds: number) =>
  Math.abs(Number(time) - Date.now() - seconds * 1000) < 30_000;

test("what was kept is read again, and what is made twice is there once", async () => {
  const { store, make, database, totals } = await stored();
  const key = await make({ value: '{"n":1}' });
  await make({ key, value: '{"n":1}' });
  expect(await store.read(key, "alice")).toMatchObject({ kind: "cart", value: '{"n":1}', version: 1 });
  expect(await database.query("SELECT FROM mcp_handles")).toHaveLength(1);
  expect(await totals()).toEqual({ handles_made: 1 });
});

test("each change is one version more", async () => {
  const { store, make } = await stored();
  const key = await make();
  expect(await store.change(key, "alice", '"b"')).toMatchObject({ written: 2, value: '"b"', version: 2 });
  expect(await store.change(key, "alice", '"c"', 2)).toMatchObject({ written: 3, value: '"c"', version: 3 });
  // Of another version: it stays, and its version and value come back.
  for (const version of [1, 2, 4])
    expect(await store.change(key, "alice", '"d"', version)).toMatchObject({
      written: null,
      value: '"c"',
      version: 3,
    });
  expect(await store.read(key, "alice")).toMatchObject({ value: '"c"', version: 3 });
});

test("each verb is about one handle, whichever others its principal has", async () => {
  const { store, make, database } = await stored();
  const [first, key, last] = [
    await make({ value: "1" }),
    await make({ value: "2" }),
    await make({ value: "3" }),
  ];
  // They have other versions.
  for (const [other, value] of [
    [first, "1"],
    [last, "3"],
  ] as const)
    await store.change(other, "alice", value);
  // So long ago that a read writes.
  await database.query("UPDATE mcp_handles SET last_used_at = now() - interval '1 hour', created_at = now()");
  const others = () =>
    database.query("SELECT * FROM mcp_handles WHERE handle_hash <> $1 ORDER BY value", [key]);
  const before = await others();
  expect(before.map(({ handle_hash: hash }) => hash)).toEqual([first, last]);
  for (let times = 0; times < 2; times++)
    expect(await store.read(key, "alice")).toMatchObject({ value: "2" });
  expect(await store.change(key, "alice", '"b"', 1)).toMatchObject({ written: 2, value: '"b"', version: 2 });
  expect(await store.end(key, "alice")).toBe(true);
  expect(await others()).toEqual(before);
});

test("unknown, expired, ended and foreign are one answer, and nothing happens to them", async () => {
  const { store, make, pass, database } = await stored();
  const [expired, ended] = [await make({ ttlSeconds: 10 }), await make()];
  await pass(10);
  const foreign = await make({ owner: "bob" });
  expect(await store.end(ended, "alice")).toBe(true);
  const rows = await database.query("SELECT * FROM mcp_handles ORDER BY handle_hash");
  for (const key of ["unknown", expired, ended, foreign]) {
    expect(await store.read(key, "alice")).toBeUndefined();
    expect(await store.change(key, "alice", '"x"')).toBeUndefined();
    expect(await store.change(key, "alice", '"x"', 1)).toBeUndefined();
    expect(await store.end(key, "alice")).toBe(false);
  }
  expect(await database.query("SELECT * FROM mcp_handles ORDER BY handle_hash")).toEqual(rows);
  expect(await store.list("alice")).toEqual([]);
  expect(await store.list("bob")).toHaveLength(1);
});

test("what was ended is gone at once, and an operator ends whosever it is", async () => {
  const { store, make, database, totals } = await stored();
  const [own, other] = [await make({ value: '"mine"' }), await make({ owner: "bob" })];
  expect(await store.end(own, "alice")).toBe(true);
  expect(await store.end(other, undefined)).toBe(true);
  expect(await store.end(other, undefined)).toBe(false);
  expect(await store.read(other, "bob")).toBeUndefined();
  expect(await database.query("SELECT DISTINCT value, version FROM mcp_handles")).toEqual([
    { value: "null", version: 0 },
  ]);
  expect(await totals()).toEqual({ handles_made: 2, "handles_ended/client": 1, "handles_ended/operator": 1 });
  await fire(database.env(), REGULAR_CRON);
  expect(await database.query("SELECT FROM mcp_handles")).toEqual([]);
  // They were ended, and have not expired.
  expect(await totals()).not.toHaveProperty("handles_expired");
});

test("a statement that is sent again, because its answer was lost, changes nothing more", async () => {
  const { store, make, database, totals } = await stored();
  const key = await make();
  const change = (claim: string, value: string) =>
    database.query("SELECT written, value, version FROM mcp_change_handle($1, 'alice', $2, NULL, $3)", [
      key,
      value,
      claim,
    ]);
  expect(await change("first", "1")).toEqual([{ written: 2, value: "1", version: 2 }]);
  expect(await change("second", "2")).toEqual([{ written: 3, value: "2", version: 3 }]);
  // As it stands now; and which version it has made itself.
  expect(await change("first", "1")).toEqual([{ written: 2, value: "2", version: 3 }]);
  const ends = async (claim: string) =>
    (await database.query("SELECT mcp_end_handle($1, 'alice', $2) AS is_ended", [key, claim]))[0]?.[
      "is_ended"
    ];
  expect([await ends("end"), await ends("end"), await ends("another")]).toEqual([true, true, false]);
  expect(await totals()).toMatchObject({ "handles_ended/client": 1 });
  expect(await store.read(key, "alice")).toBeUndefined();
});

test("the names of the last 64 changes are kept", async () => {
  const { store, make, database } = await stored();
  const key = await make();
  for (let i = 0; i < 70; i++) await store.change(key, "alice", String(i));
  const [row] = await database.query("SELECT writes FROM mcp_handles");
  const versions = (row?.["writes"] as string[] | undefined)?.map((write) => Number(write.split("/")[1]));
  expect(versions).toEqual(Array.from({ length: 64 }, (_, i) => i + 8));
});

test("a use moves the expiry of a handle that slides, and of no other", async () => {
  const { store, make, pass } = await stored();
  const [fixed, sliding] = [await make(), await make({ isSliding: true })];
  await pass(TTL_SECONDS / 2);
  for (const use of [
    (key: string) => store.read(key, "alice"),
    (key: string) => store.change(key, "alice", '"b"'),
  ]) {
    expect(near((await use(fixed))?.expiresAt, TTL_SECONDS / 2)).toBe(true);
    expect(near((await use(sliding))?.expiresAt, TTL_SECONDS)).toBe(true);
  }
  await pass(TTL_SECONDS / 2 + 31);
  expect(await store.read(fixed, "alice")).toBeUndefined();
  expect(await store.read(sliding, "alice")).toBeDefined();
});

test("a read writes at most once in a minute, and in a tenth of a short life", async () => {
  const { store, make, pass, database } = await stored();
  const long = await make({ isSliding: true, ttlSeconds: 86_400 });
  const short = await make({ isSliding: true, ttlSeconds: 100 });
  const uses = async () => {
    for (const key of [long, short]) await store.read(key, "alice");
    const rows = await database.query(
      "SELECT last_used_at > now() - interval '5 seconds' AS is_new FROM mcp_handles ORDER BY sliding_seconds",
    );
    return rows.map(({ is_new: isNew }) => isNew);
  };
  await pass(8);
  expect(await uses()).toEqual([false, false]);
  await pass(3);
  expect(await uses()).toEqual([true, false]);
  await pass(TOUCH_SECONDS - 15);
  expect(await uses()).toEqual([true, false]);
  await pass(16);
  expect(await uses()).toEqual([true, true]);
});

test("a principal has so many: the least recently used one gives way, the dead ones before it", async () => {
  const { store, make, pass, database, totals } = await stored({ maxPerPrincipal: 3 });
  const first = await make();
  await pass(TOUCH_SECONDS + 10);
  const second = await make();
  await pass(TOUCH_SECONDS + 10);
  // It is used, so the second one is idle longer.
  await store.read(first, "alice");
  const [third, other] = [await make(), await make({ owner: "bob" })];
  expect(await totals()).toEqual({ handles_made: 4 });
  const fourth = await make();
  const isLive = async () => {
    const found = [];
    for (const [name, key] of Object.entries({ first, second, third, fourth }))
      if ((await store.read(key, "alice")) !== undefined) found.push(name);
    return found;
  };
  expect(await isLive()).toEqual(["first", "third", "fourth"]);
  expect(await totals()).toMatchObject({ "handles_ended/evicted": 1 });
  // A dead one gives way first, whenever it was used.
  await store.end(fourth, "alice");
  await make();
  expect(await isLive()).toEqual(["first", "third"]);
  await pass(TTL_SECONDS);
  await make();
  expect(await totals()).toEqual({
    handles_made: 7,
    "handles_ended/client": 1,
    "handles_ended/evicted": 1,
    handles_expired: 1,
  });
  expect(await store.read(other, "bob")).toBeUndefined();
  expect(await database.query("SELECT FROM mcp_handles WHERE owner = 'alice'")).toHaveLength(3);
});

test("makings at once leave no more than the limit, and each has its own", async () => {
  const { make, database, totals } = await stored({ maxPerPrincipal: 3 });
  await Promise.all(Array.from({ length: 12 }, () => make()));
  expect(await database.query("SELECT FROM mcp_handles")).toHaveLength(3);
  expect(await totals()).toEqual({ handles_made: 12, "handles_ended/evicted": 9 });
});

test("a making waits for another one of its principal, so that neither sees room that is taken", async () => {
  const { make, database } = await stored({ maxPerPrincipal: 1 });
  const held = await heldOpen(
    database,
    "SELECT mcp_make_handle('held', 'alice', 'cart', '1', 600, false, 1)",
  );
  await make({ owner: "bob" });
  const making = make();
  await Promise.race([held.waitedFor(), making]);
  await held.release();
  const key = await making;
  expect(await database.query("SELECT handle_hash FROM mcp_handles WHERE owner = 'alice'")).toEqual([
    { handle_hash: key },
  ]);
});

test("of changes of one version at once exactly one is made", async () => {
  const { store, make, database } = await stored();
  const key = await make();
  const held = await heldOpen(database, "SELECT FROM mcp_handles FOR UPDATE");
  const changes = Array.from({ length: 5 }, (_, i) => store.change(key, "alice", String(i), 1));
  await held.waitedFor();
  await held.release();
  const written = (await Promise.all(changes)).map((change) => change?.written);
  expect(written.filter((version) => version === 2)).toHaveLength(1);
  expect(written.filter((version) => version === null)).toHaveLength(4);
});

test.each([
  ["change", undefined],
  ["end", false],
] as const)("a handle that is ended while somebody wants to %s it stays ended", async (verb, answer) => {
  const { store, make, database } = await stored();
  const key = await make({ isSliding: true });
  const ending = await heldOpen(database, `SELECT mcp_end_handle('${key}', 'alice', 'x')`);
  const using = verb === "end" ? store.end(key, "alice") : store.change(key, "alice", "1");
  await ending.waitedFor();
  await ending.release();
  expect(await using).toBe(answer);
  expect(await store.read(key, "alice")).toBeUndefined();
  expect(await database.query("SELECT value, version FROM mcp_handles")).toEqual([
    { value: "null", version: 0 },
  ]);
});

test("a handle that is ended while it is read does not come back", async () => {
  const { store, make, pass, database } = await stored();
  const key = await make({ isSliding: true });
  await pass(TOUCH_SECONDS + 1);
  const ending = await heldOpen(database, `SELECT mcp_end_handle('${key}', 'alice', 'x')`);
  const reading = store.read(key, "alice");
  await ending.waitedFor();
  await ending.release();
  // What it was when the read began may be read.
  await reading;
  expect(await store.read(key, "alice")).toBeUndefined();
  expect(await database.query("SELECT expires_at <= now() AS is_dead, version FROM mcp_handles")).toEqual([
    { is_dead: true, version: 0 },
  ]);
});

test("a list has the live ones of a principal and of a kind, the last used first, at most 100", async () => {
  const { store, make, pass } = await stored();
  await make({ kind: "note" });
  await pass(5);
  await make();
  await pass(5);
  await make({ kind: "note" });
  await make({ owner: "bob" });
  expect((await store.list("alice")).map(({ kind }) => kind)).toEqual(["note", "cart", "note"]);
  expect(await store.list("alice", "cart")).toEqual([
    {
      kind: "cart",
      version: 1,
      createdAt: expect.any(Date),
      lastUsedAt: expect.any(Date),
      expiresAt: expect.any(Date),
    },
  ]);
  expect(await store.list("alice", "none")).toEqual([]);
  await Promise.all(Array.from({ length: 100 }, () => make()));
  expect(await store.list("alice")).toHaveLength(100);
});
