// The keys of an issuer: when they are fetched, from where, and what is no answer. With an issuer of its own: test/e2e/key-set.test.ts.
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createKeySet, fetchBounded, type Fetch, Unreachable } from "../../src/auth/key-set.ts";
import { newKey, NOW, type SigningKey } from "../support/tokens.ts";

const MAX_BYTES = 262_144;

const failureOf = async (work: Promise<unknown>) =>
  work.then(
    () => "no failure",
    (error: unknown) => (error instanceof Unreachable ? error.source : error),
  );

describe("a bounded answer", () => {
  const inParts = (...parts: string[]) =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
          controller.close();
        },
      }),
    );
  const fetched = (response: Response) => fetchBounded(async () => response, "keys", "https://a.example/");

  test("is asked for as it should be, follows no redirect, and has a deadline", async () => {
    const asked: [string, RequestInit][] = [];
    const fetch: Fetch = async (url, init) => {
      asked.push([url, init]);
      return new Response("answer", { status: 404 });
    };
    const response = await fetchBounded(fetch, "keys", "https://a.example/", { headers: { A: "b" } });
    expect([response.status, await response.text()]).toEqual([404, "answer"]);
    expect(asked).toEqual([
      ["https://a.example/", { headers: { A: "b" }, redirect: "manual", signal: expect.any(AbortSignal) }],
    ]);
  });

  test("is read as a whole, in any number of parts, also none", async () => {
    expect(await (await fetched(inParts("one ", "two ", "three"))).text()).toBe("one two three");
    expect(await (await fetched(new Response(null))).text()).toBe("");
  });

  test("has 256 KiB at most", async () => {
    const half = "x".repeat(MAX_BYTES / 2);
    expect((await (await fetched(inParts(half, half))).text()).length).toBe(MAX_BYTES);
    expect(await failureOf(fetched(inParts(half, half, "x")))).toBe("keys");
    expect(await failureOf(fetched(inParts(`${half}${half}x`)))).toBe("keys");
  });

  test("that does not come, or breaks off, is none, and says nothing of why", async () => {
    const broken = new Response(
      new ReadableStream({
        pull() {
          throw new TypeError("a secret");
        },
      }),
    );
    const failed = await fetched(broken).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Unreachable);
    expect(failed).toMatchObject({ name: "Unreachable", message: "No usable answer: keys", source: "keys" });
    const refused = fetchBounded(() => Promise.reject(new TypeError("no")), "metadata", "https://a.example/");
    expect(await failureOf(refused)).toBe("metadata");
  });
});

describe("the keys of an issuer", () => {
  const ISSUER = "https://issuer.example/tenant";
  const OAUTH = "https://issuer.example/.well-known/oauth-authorization-server/tenant";
  const OPENID = "https://issuer.example/tenant/.well-known/openid-configuration";
  const KEYS = "https://issuer.example/keys";

  let one: SigningKey;
  let two: SigningKey;
  beforeAll(async () => {
    [one, two] = await Promise.all([newKey("one"), newKey("two")]);
  });
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
  const setOf = (...keys: SigningKey[]) => ({ keys: keys.map(({ jwk }) => jwk) });

  /** The keys of an issuer that answers with these pages; the test may change them. */
  function keysOver(pages: Record<string, () => Response>, address?: string) {
    const asked: string[] = [];
    const accepted: (string | null)[] = [];
    const fetch: Fetch = async (url, { headers }) => {
      asked.push(url);
      accepted.push(new Headers(headers).get("Accept"));
      return pages[url]?.() ?? new Response(null, { status: 404 });
    };
    const keys = createKeySet(ISSUER, address, { fetch, now: () => new Date() });
    const find = async (kid: string) => {
      asked.length = 0;
      const token = { payload: "", signature: "" };
      return failureOf(Promise.resolve(keys({ alg: "ES256", kid }, token)));
    };
    return { find, asked, accepted };
  }
  const metadata =
    (issuer = ISSUER, uri = KEYS) =>
    () =>
      Response.json({ issuer, jwks_uri: uri });

  test("are where its metadata says, in the form of OAuth or else of OpenID, and are kept", async () => {
    const oauth = keysOver({ [OAUTH]: metadata(), [KEYS]: () => Response.json(setOf(one)) });
    expect([await oauth.find("one"), oauth.asked]).toEqual(["no failure", [OAUTH, KEYS]]);
    expect(oauth.accepted[0]).toBe("application/json");
    expect([await oauth.find("one"), oauth.asked]).toEqual(["no failure", []]);
    const openid = keysOver({ [OPENID]: metadata(), [KEYS]: () => Response.json(setOf(one)) });
    expect([await openid.find("one"), openid.asked]).toEqual(["no failure", [OAUTH, OPENID, KEYS]]);
  });

  test("are where the operator says, and then no metadata is asked for", async () => {
    const { find, asked } = keysOver({ [KEYS]: () => Response.json(setOf(one)) }, KEYS);
    expect([await find("one"), asked]).toEqual(["no failure", [KEYS]]);
  });

  test.each<[string, () => Response]>([
    [
      "with another status than 200",
      () => Response.json({ issuer: ISSUER, jwks_uri: `${KEYS}/other` }, { status: 500 }),
    ],
    ["of another issuer", metadata(`${ISSUER}/other`)],
    ["with keys at an address without TLS", metadata(ISSUER, "http://issuer.example/keys")],
    ["without keys", () => Response.json({ issuer: ISSUER })],
    ["that is no JSON", () => new Response("<html>")],
  ])("metadata %s is passed over", async (_, page) => {
    const pages = { [OAUTH]: page, [KEYS]: () => Response.json(setOf(one)) };
    const { find, asked } = keysOver({ ...pages, [OPENID]: metadata() });
    expect([await find("one"), asked]).toEqual(["no failure", [OAUTH, OPENID, KEYS]]);
    expect(await keysOver(pages).find("one")).toBe("metadata");
  });

  test.each<[string, () => Response]>([
    ["an error", () => Response.json({ keys: [] }, { status: 500 })],
    ["a list", () => Response.json([])],
    ["a key without its kind", () => Response.json({ keys: [{ kid: "one" }] })],
    ["no JSON", () => new Response("<html>")],
  ])(
    "%s in place of the keys is no answer, and the issuer is left alone for five seconds",
    async (_, page) => {
      const { find, asked } = keysOver({ [KEYS]: page }, KEYS);
      expect([await find("one"), asked]).toEqual(["keys", [KEYS]]);
      expect([await find("one"), asked]).toEqual(["keys", []]);
      pass(4999);
      expect([await find("one"), asked]).toEqual(["keys", []]);
      pass(1);
      expect([await find("one"), asked]).toEqual(["keys", [KEYS]]);
    },
  );

  test("keys that an error carries are not used", async () => {
    const page = () => Response.json(setOf(one), { status: 500 });
    expect(await keysOver({ [KEYS]: page }, KEYS).find("one")).toBe("keys");
  });

  test("keys that have moved are looked for again", async () => {
    const moved = `${KEYS}/moved`;
    const pages: Record<string, () => Response> = {
      [OAUTH]: metadata(),
      [moved]: () => Response.json(setOf(one)),
    };
    const { find, asked } = keysOver(pages);
    expect([await find("one"), asked]).toEqual(["keys", [OAUTH, KEYS]]);
    pages[OAUTH] = metadata(ISSUER, moved);
    pass(5000);
    expect([await find("one"), asked]).toEqual(["no failure", [OAUTH, moved]]);
  });

  test("a key that is not there is looked for after 30 seconds, and not before", async () => {
    const pages = { [KEYS]: () => Response.json(setOf(one)) };
    const { find, asked } = keysOver(pages, KEYS);
    await find("one");
    pages[KEYS] = () => Response.json(setOf(one, two));
    pass(29_999);
    expect([await find("two"), asked]).toEqual(["new_keys", []]);
    // Those that are there stay.
    expect([await find("one"), asked]).toEqual(["no failure", []]);
    pass(1);
    expect([await find("two"), asked]).toEqual(["no failure", [KEYS]]);
  });

  test("a key that nobody has is the token's fault once the issuer has been asked", async () => {
    const { find, asked } = keysOver({ [KEYS]: () => Response.json(setOf(one)) }, KEYS);
    await find("one");
    pass(30_000);
    expect(await find("three")).toMatchObject({ code: "ERR_JWKS_NO_MATCHING_KEY" });
    expect(asked).toEqual([KEYS]);
  });

  test("keys that are good stay while the issuer is down, whatever a made-up key has caused", async () => {
    const pages: Record<string, () => Response> = {
      [OAUTH]: metadata(),
      [KEYS]: () => Response.json(setOf(one)),
    };
    const { find, asked } = keysOver(pages);
    await find("one");
    pages[KEYS] = () => new Response(null, { status: 500 });
    pass(30_000);
    expect([await find("two"), asked]).toEqual(["keys", [KEYS]]);
    expect([await find("one"), asked]).toEqual(["no failure", []]);
  });

  test("keys are fetched again after ten minutes", async () => {
    const { find, asked } = keysOver({ [KEYS]: () => Response.json(setOf(one)) }, KEYS);
    await find("one");
    pass(599_999);
    expect([await find("one"), asked]).toEqual(["no failure", []]);
    pass(1);
    expect([await find("one"), asked]).toEqual(["no failure", [KEYS]]);
  });
});
