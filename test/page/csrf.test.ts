// A form is taken from this page alone: of its own origin, with the token of who sends it.
import { beforeAll, describe, expect, test, vi, afterEach } from "vitest";
import { createCsrf } from "../../src/page/csrf.ts";
import { createDatabase, databaseRequests, keys, type TestDatabase } from "../support/worker.ts";
import { ORIGIN, tokenIn, visitor, type Visitor } from "./browser-like.ts";

let database: TestDatabase;
let env: Env;
beforeAll(async () => {
  database = await createDatabase();
  // So that the form asks the database by itself.
  env = database.env({ ADMIN_PAGE: "true", HEALTH_MAX_AGE_SECONDS: "3600" });
});
afterEach(() => {
  vi.useRealTimers();
});

async function operator(key: string = keys.admin): Promise<Visitor> {
  const person = visitor(env);
  await person.signIn(key);
  return person;
}

const tokenOf = async (person: Visitor) => tokenIn(await (await person.get("/admin")).text());

/** Sends the form, and tells whether it did anything. */
async function ask(person: Visitor, csrf: string, headers: Record<string, string> = {}, type?: string) {
  const before = await databaseRequests();
  const more = type === undefined ? headers : { ...headers, "Content-Type": type };
  const { status } = await person.post("/admin/ask", { csrf }, { headers: more });
  return { status, asked: (await databaseRequests()) - before };
}

test("a form of the page is taken", async () => {
  const person = await operator();
  expect(await ask(person, await tokenOf(person))).toEqual({ status: 303, asked: 1 });
});

describe("nothing is done for a form", () => {
  test.each<[string, Record<string, string>]>([
    ["of another site", { Origin: "https://attacker.test", "Sec-Fetch-Site": "cross-site" }],
    ["of a neighbour", { Origin: "https://other.worker.test", "Sec-Fetch-Site": "same-site" }],
    ["of the same host without TLS", { Origin: "http://worker.test" }],
    ["of a page that hides where it is", { Origin: "null" }],
    ["of nobody", { Origin: "" }],
    ["whose browser says that another site sent it", { "Sec-Fetch-Site": "cross-site" }],
    ["whose browser says that a neighbour sent it", { "Sec-Fetch-Site": "same-site" }],
  ])("%s", async (_name, headers) => {
    const person = await operator();
    expect(await ask(person, await tokenOf(person), headers)).toEqual({ status: 403, asked: 0 });
  });

  test("of another type than browsers send", async () => {
    const person = await operator();
    const result = await ask(person, await tokenOf(person), {}, "text/plain");
    expect(result).toEqual({ status: 415, asked: 0 });
  });

  test("without a token, or with one that is made up or changed", async () => {
    const person = await operator();
    const own = await tokenOf(person);
    const [issued = "", signature = ""] = own.split(".");
    const wrong = [
      "",
      "0",
      own.slice(0, -1),
      `${own}0`,
      `${Number(issued) + 1}.${signature}`,
      `${issued}.${"0".repeat(64)}`,
      `99999999999.${signature}`,
      signature,
      "a".repeat(100_000),
    ];
    for (const csrf of wrong) expect(await ask(person, csrf)).toEqual({ status: 403, asked: 0 });
  });

  test("with the token of another person, of an earlier sign-in, or of who has not signed in", async () => {
    const person = await operator();
    const other = await operator(keys.health);
    const earlier = await operator();
    const anybody = tokenIn(await (await visitor(env).get("/admin/sign-in")).text());
    for (const csrf of [await tokenOf(other), await tokenOf(earlier), anybody])
      expect(await ask(person, csrf)).toEqual({ status: 403, asked: 0 });
    expect(await ask(other, await tokenOf(other))).toEqual({ status: 303, asked: 1 });
  });

  test("an hour after its page was made", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Math.floor(Date.now() / 1000) * 1000 });
    const anybody = visitor(env);
    const csrf = tokenIn(await (await anybody.get("/admin/sign-in")).text());
    vi.setSystemTime(Date.now() + 3_599_999);
    expect((await anybody.post("/admin/sign-in", { key: keys.admin, csrf })).status).toBe(303);
    vi.setSystemTime(Date.now() + 1);
    expect((await anybody.post("/admin/sign-in", { key: keys.admin, csrf })).status).toBe(403);
  });

  test("of the sign-in, from another origin: nobody is signed in as somebody else", async () => {
    const person = visitor(env);
    const response = await person.post(
      "/admin/sign-in",
      { key: keys.admin },
      { headers: { Origin: "https://attacker.test" } },
    );
    expect([response.status, person.cookie]).toEqual([403, undefined]);
  });

  test("of the sign-out, from another origin", async () => {
    const person = await operator();
    const headers = { Origin: "https://attacker.test" };
    expect((await person.post("/admin/sign-out", { csrf: await tokenOf(person) }, { headers })).status).toBe(
      403,
    );
    expect((await person.get("/admin")).status).toBe(200);
  });

  test("after the sign-in has ended: the person is told so, and their page is not opened by the form", async () => {
    const response = await visitor(env).post("/admin/ask", { csrf: "1.2" });
    expect(response.status).toBe(401);
    expect(await response.text()).toContain("Nothing was done");
  });
});

test("a refusal is a page of ours, with the id of the request", async () => {
  const person = await operator();
  const response = await person.post("/admin/ask", { csrf: "" }, { headers: { Origin: ORIGIN } });
  const body = await response.text();
  expect(response.headers.get("Content-Type")).toBe("text/html; charset=UTF-8");
  expect(body).toContain(response.headers.get("X-Request-Id") ?? "no id");
  // Who has signed in keeps their navigation.
  expect(body).toContain('href="/admin/connect"');
});

test("a form of more than a megabyte is refused by a page, whether its length is announced or not", async () => {
  const person = await operator();
  for (const headers of [{}, { "Content-Length": "2000000" }]) {
    const response = await person.post("/admin/ask", { csrf: "x".repeat(1_100_000) }, { headers });
    expect(response.status).toBe(413);
    expect(response.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect(await response.text()).not.toContain("undefined");
  }
});

describe("a token", () => {
  const ISSUED = 1_790_000_000;
  /** The tokens of a deployment, at a time in milliseconds since 1970. */
  const tokens = (ms = ISSUED * 1000, secret = "the-secret") =>
    createCsrf({ secret, now: () => new Date(ms) });

  test("is when it was made, in whole seconds, and 64 hex digits", async () => {
    const csrf = tokens(ISSUED * 1000 + 999);
    const token = await csrf.tokenFor("ann");
    expect(token).toMatch(/^1790000000\.[0-9a-f]{64}$/);
    expect(await csrf.tokenFor("ann")).toBe(token);
    expect(await csrf.tokenFor("bob")).not.toBe(token);
    expect(await csrf.isTokenOf(token, "ann")).toBe(true);
  });

  test("is of its subject and of its deployment alone", async () => {
    const token = await tokens().tokenFor("ann");
    expect(await tokens().isTokenOf(token, "ann")).toBe(true);
    expect(await tokens().isTokenOf(token, "bob")).toBe(false);
    expect(await tokens(undefined, "another").isTokenOf(token, "ann")).toBe(false);
  });

  test.each([
    [0, true],
    [3_599_999, true],
    [3_600_000, false],
    [86_400_000, false],
  ])("that is %d ms old is taken: %s", async (ageMs, isTaken) => {
    const token = await tokens().tokenFor("ann");
    expect(await tokens(ISSUED * 1000 + ageMs).isTokenOf(token, "ann")).toBe(isTaken);
  });

  test("is taken as it was made, and with nothing before it, in it or after it", async () => {
    const csrf = tokens();
    const token = await csrf.tokenFor("ann");
    const [issued = "", signature = ""] = token.split(".");
    const changed = [
      ` ${token}`,
      `x${token}`,
      `0${token}`,
      `${token} `,
      `${token}0`,
      `${token}\n`,
      token.slice(0, -1),
      token.toUpperCase(),
      `${issued}${signature}`,
      `${issued}-${signature}`,
      `.${signature}`,
      `${issued}.`,
      `${"0".repeat(12)}${token}`,
      `${ISSUED + 1}.${signature}`,
      "",
    ];
    for (const text of changed) expect([text, await csrf.isTokenOf(text, "ann")]).toEqual([text, false]);
  });

  test("may have a time of one digit to twelve", async () => {
    for (const seconds of [0, 7, 999_999_999_999]) {
      const csrf = tokens(seconds * 1000);
      expect(await csrf.isTokenOf(await csrf.tokenFor("ann"), "ann")).toBe(true);
    }
    // In the first hour of 1970 no token is one, either.
    expect(await tokens(0).isTokenOf("", "ann")).toBe(false);
    const late = tokens(1_000_000_000_000 * 1000);
    expect(await late.isTokenOf(await late.tokenFor("ann"), "ann")).toBe(false);
  });
});
