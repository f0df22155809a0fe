// When a response counts as ended, and whether all of it was taken. Pure.
import { expect, test } from "vitest";
import { watched } from "../../src/streams/watched.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A response of these chunks, watched, and what is said of its end. */
function watching(...chunks: string[]) {
  const leaving = new AbortController();
  const ends: boolean[] = [];
  const cancelled: unknown[] = [];
  let hasEnded: () => void = () => {};
  const ended = new Promise<void>((resolve) => (hasEnded = resolve));
  const left = chunks.map(bytes);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = left.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    cancel: (reason) => void cancelled.push(reason),
  });
  const given = new Response(body, { status: 207, headers: { "X-Header": "kept" } });
  const response = watched(given, leaving.signal, (isTaken) => {
    ends.push(isTaken);
    hasEnded();
  });
  return { response, ends, ended, cancelled, leaving };
}

const readerOf = ({ body }: Response) => {
  if (body === null) throw new Error("There is no body");
  return body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
};
const textOf = ({ value }: { value?: Uint8Array | undefined }) => new TextDecoder().decode(value);
/** What is already decided comes first. */
const orOpen = async <T>(decided: Promise<T>) =>
  Promise.race([decided, new Promise<"open">((resolve) => setTimeout(() => resolve("open"), 0))]);

test("a response without a body is the same one, and has no end", () => {
  const given = new Response(null, { status: 202 });
  const leaving = new AbortController();
  const ends: boolean[] = [];
  expect(watched(given, leaving.signal, (isTaken) => ends.push(isTaken))).toBe(given);
  leaving.abort();
  expect(ends).toEqual([]);
});

test("its status and headers are the same, and each chunk comes as it was", async () => {
  const { response, ends } = watching("a", "bc");
  expect([response.status, response.headers.get("X-Header")]).toEqual([207, "kept"]);
  const reader = readerOf(response);
  expect([textOf(await reader.read()), textOf(await reader.read())]).toEqual(["a", "bc"]);
  expect(ends).toEqual([]);
});

test("it has ended when all of it is taken", async () => {
  const { response, ends, ended } = watching("a");
  const reader = readerOf(response);
  await reader.read();
  const last = reader.read().then(({ done }) => done);
  await ended;
  expect(await orOpen(last)).toBe(true);
  expect(ends).toEqual([true]);
});

test("it has ended when its client leaves", () => {
  const { ends, leaving } = watching("a");
  expect(ends).toEqual([]);
  leaving.abort();
  expect(ends).toEqual([false]);
});

test("it has ended when nobody takes the rest, and whoever makes the rest is told why", async () => {
  const { response, ends, cancelled } = watching("a", "b");
  const reader = readerOf(response);
  await reader.read();
  await reader.cancel("enough");
  expect(ends).toEqual([false]);
  expect(cancelled).toEqual(["enough"]);
});

test("it ends once: what is taken after its client has left is no other end", async () => {
  const { response, ends, leaving } = watching("a", "b");
  leaving.abort();
  expect(await response.text()).toBe("ab");
  expect(ends).toEqual([false]);
});

test("a client that leaves after the end is no other end, and nothing waits for it any more", async () => {
  const listening: string[] = [];
  const leaving = new AbortController();
  const signal = Object.assign(leaving.signal, {
    addEventListener: (type: string) => void listening.push(type),
    removeEventListener: (type: string) => void listening.splice(listening.indexOf(type), 1),
  });
  const ends: boolean[] = [];
  const response = watched(new Response("a"), signal, (isTaken) => ends.push(isTaken));
  expect(listening).toEqual(["abort"]);
  expect(await response.text()).toBe("a");
  expect(listening).toEqual([]);
  expect(ends).toEqual([true]);
});
