// What is read of a connection string, and what is said of a wrong one. At the doors: database-url.test.ts.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ConnectionStringError, passwordOf, readConnectionString } from "../../src/db/connection-string.ts";
import { HOST, refused, taken } from "../support/connection-strings.ts";

/** What the driver gets, or what is said. */
function urlOf(text: string): string {
  try {
    return readConnectionString(text).url;
  } catch (error) {
    return error instanceof ConnectionStringError ? error.message : String(error);
  }
}

test("each that is taken gives the driver its string", () => {
  expect(taken.map(([text]) => urlOf(text))).toEqual(taken.map(([, url]) => url));
});

test("each that is refused is told why", () => {
  const said = refused.map(([text, words]) => [text, urlOf(text).includes(words) ? words : urlOf(text)]);
  expect(said).toEqual(refused);
});

const MASKED = "has a placeholder for its password. Copy it again, with the password shown";

test("a placeholder of any program is none of somebody's passwords", () => {
  const placeholders =
    "*** **** npg_*** ••• a•••• ●●● … [a] [YOUR-PASSWORD] [my pass] <a> <your-password> <my pass> {PW} ${PW} {{pw}} {{}} " +
    "${{ pw }} $(PW) %PW% %P% %_1%";
  const words = placeholders.match(/\[[^\]]*\]|<[^>]*>|\$?\{\{[^}]*\}\}|\S+/g) ?? [];
  expect(words.length).toBe(22);
  expect(words.map((word) => [word, urlOf(`postgresql://role:${word}@${HOST}/db`)])).toEqual(
    words.map((word) => [word, MASKED]),
  );
  const passwords =
    "** a**b a***b -*** ***- <a.b> a<b> <b>c <> {a-b} x{ab} {ab}x {} x{{a}} {{a}}x {{{a}}} $(a-b) x$(ab) $(ab)x $() (ab) " +
    `endpoint=ab xendpoint=ab;c project=ab a"b a'b a\`b`;
  expect(passwords.split(" ").map((word) => readingOf(`postgresql://role:${word}@${HOST}/db`)[2])).toEqual(
    passwords.split(" "),
  );
});

test("a part that is left out or written in full is told apart", () => {
  const read = (text: string) => readConnectionString(text);
  const ipv6 = { host: "::1", port: 6543, url: "postgresql://role:pw@[::1]:6543/db" };
  expect(read("postgresql://role:pw@[::1]:6543/db")).toMatchObject(ipv6);
  expect(read("postgresql://role:pw@a.b/db?host=::1&port=6543")).toMatchObject(ipv6);
  expect(read("postgres://a.b:6543/db?user=role")).toEqual({
    url: "postgres://role@a.b:6543/db",
    host: "a.b",
    port: 6543,
    role: "role",
    password: undefined,
    database: "db",
    parameters: new Map(),
  });
  expect(read("postgresql://role:@a.b/db")).toMatchObject({ url: "postgresql://role@a.b/db", port: 5432 });
  expect(read("postgresql://role:pw@a.b:1/db?application_name=x%20y").parameters).toEqual(
    new Map([["application_name", "x y"]]),
  );
  for (const port of [1, 65_535]) expect(read(`postgresql://role:pw@a.b:${port}/db`)).toMatchObject({ port });
  const longest = `${"a".repeat(61)}.`.repeat(4) + "abcde";
  expect(longest.length).toBe(253);
  expect(read(`postgresql://role:pw@${longest}/db`).host).toBe(longest);
  const pooler = "postgresql://role:pw@ep-pooler-1-pooler.b/db?options=endpoint%3Dep-pooler-1";
  expect(read(pooler).url).toBe(pooler);
  expect(read(pooler.replace("1-pooler.", "1.")).host).toBe("ep-pooler-1.b");
  expect(passwordOf(read("postgresql://role:pw@a.b/db"))).toBe("pw");
  expect(() => passwordOf(read("postgresql://role@a.b/db"))).toThrow(/^names no password: postgresql:/);
});

const passwords = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });

test("every password comes back as it was, percent-encoded", () => {
  fc.assert(
    fc.property(
      passwords.filter((password) => !password.includes("\0")),
      (password) => {
        const text = `postgresql://role:x${encodeURIComponent(password)}@${HOST}/db`;
        expect(readConnectionString(text)).toMatchObject({ url: text, password: `x${password}`, host: HOST });
      },
    ),
  );
});

const hostile = fc.string({
  unit: fc.constantFrom(...Array.from("ab1/#?@:%[]\\ é&=;'\"`+.\n\t-_~{}|<>,$")),
  minLength: 1,
  maxLength: 12,
});

/** The place and the password that are read of a string, or what is said of it. */
function readingOf(text: string): string[] {
  try {
    const { host, role, password = "", database } = readConnectionString(text);
    return [host, role, password, database];
  } catch (error) {
    return [error instanceof ConnectionStringError ? error.message : String(error)];
  }
}

test("a password as it is, is read as what was typed or not at all", () => {
  fc.assert(
    fc.property(hostile, (typed) => {
      const password = `left${typed}right`;
      const reading = readingOf(`postgresql://role:${password}@${HOST}/db?sslmode=require`);
      const isRefused = reading.length === 1;
      expect(isRefused ? reading.join() : "has nothing").toMatch(/^(has|names|must) (?!.*(left|right))/);
      expect(isRefused ? [] : reading).toEqual(
        isRefused ? [] : [HOST, "role", decodeURIComponent(password), "db"],
      );
    }),
    { numRuns: 2000 },
  );
});
