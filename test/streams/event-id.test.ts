// The ids of events: this session's are read as they were made, and no others.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { newStream, readEventId } from "../../src/streams/event-id.ts";

const NOW = new Date(1_800_000_000_000);
const requestIds = fc.oneof(
  fc.maxSafeInteger(),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("\0", "\ud800", "", "🙂"),
);
const sessionIds = fc.uuid();
const numbers = fc.nat({ max: 999_999_998 });

const made = async (requestId: string | number, session: string) => {
  const stream = await newStream(requestId, session, NOW);
  if (stream === undefined) throw new Error("The id is too long");
  return stream;
};

test("whatever the id of the request is, an id is read as it was made, by its session alone", async () => {
  await fc.assert(
    fc.asyncProperty(
      requestIds,
      sessionIds,
      sessionIds,
      numbers,
      async (requestId, session, other, event) => {
        fc.pre(session !== other);
        const { stream, eventId } = await made(requestId, session);
        const id = eventId(event);
        expect(id).toMatch(/^[\w.-]+$/);
        const read = await readEventId(id, session);
        expect(read).toMatchObject({ stream, requestId, event, since: NOW });
        expect(read?.eventId(event + 1)).toBe(eventId(event + 1));
        expect(await readEventId(id, other)).toBeUndefined();
      },
    ),
  );
});

test("an id with one character changed, left out or put in is of no stream, or of another event of the same", async () => {
  await fc.assert(
    fc.asyncProperty(
      requestIds,
      sessionIds,
      fc.nat(),
      fc.constantFrom("", ..."aA0_-.=+ ".split("")),
      fc.boolean(),
      async (requestId, session, at, character, isReplaced) => {
        const { stream, eventId } = await made(requestId, session);
        const id = eventId(7);
        const place = at % id.length;
        const changed =
          id.slice(0, place) + character + id.slice(place + (isReplaced || character === "" ? 1 : 0));
        fc.pre(changed !== id);
        const read = await readEventId(changed, session);
        expect([undefined, stream]).toContain(read?.stream);
        const isOther = read === undefined;
        expect(isOther || id.startsWith(changed.slice(0, -1)) || changed.startsWith(id.slice(0, -1))).toBe(
          true,
        );
        expect([undefined, requestId]).toContain(read?.requestId);
      },
    ),
    { numRuns: 500 },
  );
});

test("what nobody has made is of no stream", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.stringMatching(/^[\w-]{22}\.[\w-]{2,172}\.[\w-]{16}\.\d{1,9}$/),
      ),
      sessionIds,
      async (id, session) => {
        expect(await readEventId(id, session)).toBeUndefined();
      },
    ),
  );
});

test.each([
  ["x".repeat(126), true],
  ["x".repeat(127), false],
  ["é".repeat(63), true],
  ["é".repeat(64), false],
  ["\0".repeat(21), true],
  ["\0".repeat(22), false],
])(
  "an id of a request is repeated in each event up to 128 bytes of JSON: %j, %s",
  async (requestId, isRepeated) => {
    const stream = await newStream(requestId, "session", NOW);
    expect(stream !== undefined).toBe(isRepeated);
    const read = stream && (await readEventId(stream.eventId(1), "session"));
    expect(read?.requestId).toBe(isRepeated ? requestId : undefined);
  },
);

test("each part of an id has its length and its letters, and nothing is around it", async () => {
  const { eventId } = await made(7, "session");
  const id = eventId(123_456_789);
  expect(await readEventId(id, "session")).toMatchObject({ requestId: 7, event: 123_456_789 });
  const [stream = "", request = "", code = ""] = id.split(".");
  const others = [
    `x${id}`,
    ` ${id}`,
    `${id} `,
    `${id}0`,
    `${id}x`,
    `${eventId(1)}\n`,
    `${stream}.${request}.${code}.`,
    `${stream}.${request}.${code}.x`,
    `${stream}.${request}.${code}`,
    `${stream}.${request}..1`,
    `${stream}..${code}.1`,
    `.${request}.${code}.1`,
    `${stream.slice(1)}.${request}.${code}.1`,
    `${stream}${request}.${code}.1`,
  ];
  for (const other of others)
    expect([other, await readEventId(other, "session")]).toEqual([other, undefined]);
});

test("what has not the form of an id is of no stream, also without a session", async () => {
  for (const id of ["", "1", "..."]) expect(await readEventId(id, "")).toBeUndefined();
});
