// How much of a body is read, and which bodies are not read at all.
import { Hono } from "hono";
import { expect, test } from "vitest";
import { BODY_BYTES, isAnnouncedTooLarge, readBytes } from "../../src/http/body.ts";
import { AppError } from "../../src/http/errors.ts";

const app = new Hono()
  .post("/", async (c) => {
    const bytes = await readBytes(c);
    const [first, last] = [bytes.at(0), bytes.at(-1)];
    // A handler may read it again.
    return c.json({ length: bytes.length, first, last, again: (await c.req.text()).length });
  })
  .onError((error, c) => {
    if (!(error instanceof AppError)) throw error;
    return c.json({ refused: error.code });
  });

type Headers = Record<string, string>;

/** @param body chunks are sent as a stream, without the length */
async function post(body: string | Uint8Array[], headers: Headers = {}) {
  let isCancelled = false;
  const chunks = typeof body === "string" ? [] : body.slice();
  const stream = new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    cancel() {
      isCancelled = true;
    },
  });
  const text = typeof body === "string" ? body : stream;
  const length = typeof body === "string" ? { "Content-Length": String(body.length) } : {};
  const request = new Request("http://localhost/", {
    method: "POST",
    headers: { ...length, ...headers },
    body: text,
  });
  const response = await app.request(request);
  return { answer: await response.json(), isCancelled };
}

const refused = (code: string) => ({ refused: code });
const bytes = (length: number, byte: number) => new Uint8Array(length).fill(byte);

test("a mebibyte is read, and not one byte more", async () => {
  expect(BODY_BYTES).toBe(1_048_576);
  const read = { length: BODY_BYTES, again: BODY_BYTES };
  expect((await post("x".repeat(BODY_BYTES))).answer).toMatchObject(read);
  expect((await post("x".repeat(BODY_BYTES + 1))).answer).toEqual(refused("payload_too_large"));
  const half = bytes(BODY_BYTES / 2, 65);
  expect((await post([half, half])).answer).toMatchObject(read);
  expect((await post([half, half, bytes(1, 65)])).answer).toEqual(refused("payload_too_large"));
});

test("chunks are put together in their order", async () => {
  const { answer } = await post([bytes(2, 65), bytes(3, 66), bytes(1, 67)]);
  expect(answer).toEqual({ length: 6, first: 65, last: 67, again: 6 });
  expect((await post([])).answer).toEqual({ length: 0, again: 0 });
});

test("a stream is left at the first chunk beyond, also one that announces less", async () => {
  const endless = Array.from({ length: 100 }, () => bytes(BODY_BYTES / 4, 65));
  for (const headers of [{}, { "Content-Length": "5", "Transfer-Encoding": "chunked" }]) {
    const { answer, isCancelled } = await post(endless, headers);
    expect([answer, isCancelled]).toEqual([refused("payload_too_large"), true]);
  }
});

test("a length that is announced is believed when it is too large, and not when it is small", async () => {
  const announcing = (length: string) =>
    new Request("http://localhost/", { method: "POST", headers: { "Content-Length": length } });
  expect(["1048576", "1048577", "0", "x"].map((length) => isAnnouncedTooLarge(announcing(length)))).toEqual([
    false,
    true,
    false,
    false,
  ]);
  expect(isAnnouncedTooLarge(new Request("http://localhost/"))).toBe(false);
  const { answer, isCancelled } = await post("x", { "Content-Length": String(BODY_BYTES + 1) });
  expect([answer, isCancelled]).toEqual([refused("payload_too_large"), false]);
  const small = await post("x".repeat(BODY_BYTES + 1), { "Content-Length": "1" });
  expect(small.answer).toEqual(refused("payload_too_large"));
});

test("a compressed body is refused, whatever the coding is called; others are read", async () => {
  const answerTo = async (coding: string) => (await post("x", { "Content-Encoding": coding })).answer;
  const codings = [
    "gzip",
    "x-gzip",
    "compress",
    "x-compress",
    "deflate",
    "br",
    "zstd",
    "GZIP",
    "identity, gzip",
  ];
  for (const coding of codings) expect(await answerTo(coding)).toEqual(refused("unsupported_media_type"));
  for (const coding of ["identity", "gzipped", "xgzip", "y-gzip", "x-br", "deflates", "gzip x"])
    expect(await answerTo(coding)).toMatchObject({ length: 1 });
});
