// How much a client wants a type.
import { expect, test } from "vitest";
import { acceptanceOf } from "../../src/http/accept.ts";

const STREAM = "text/event-stream";

test.each<[string | undefined, number, boolean]>([
  // Who says nothing takes anything.
  [undefined, 1, false],
  ["", 1, false],
  [" , ,", 1, false],
  ["*/*", 1, false],
  ["*", 1, false],
  ["*/*;q=0.3", 0.3, false],
  [STREAM, 1, true],
  ["TEXT/Event-Stream;q=0.5", 0.5, true],
  ["text/*;q=0.2", 0.2, true],
  // The most specific range counts, wherever it stands.
  [`text/*;q=0.2, ${STREAM};q=0.7, */*;q=0.9`, 0.7, true],
  ["*/*;q=0.9, text/*;q=0.2", 0.2, true],
  [`*/*, ${STREAM};q=0`, 0, true],
  ["text/html, application/json", 0, false],
])("%s: %d, named %s", (accept, quality, isNamed) => {
  expect(acceptanceOf(accept, STREAM)).toEqual({ quality, isNamed });
});
