// How much one address can ask of examples/sign-in.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askingUrl, register, type SignIn, startSignIn } from "./sign-in.ts";
import { allowWith, expectAccessible, openBrowser } from "./support.ts";

// Nothing answers there: nobody gets that far.
const REDIRECT_URI = "http://127.0.0.1:9/callback";

let signIn: SignIn;
let browser: Browser;
let asking: string;
beforeAll(async () => {
  [signIn, browser] = await Promise.all([startSignIn({ isLimited: true }), openBrowser()]);
  const clientId = await register(signIn.url, REDIRECT_URI);
  asking = askingUrl(signIn.url, { clientId, redirectUri: REDIRECT_URI });
});
afterAll(async () => {
  await Promise.all([browser?.close(), signIn?.close()]);
});

/** The form as a program sends it, from the address that Cloudflare would see. */
function send(fields: Record<string, string>, from: string): Promise<Response> {
  return fetch(`${signIn.url}/authorize`, {
    method: "POST",
    redirect: "manual",
    headers: { Origin: signIn.url, "CF-Connecting-IP": from },
    body: new URLSearchParams({ decision: "allow", ...fields }),
  });
}

/** As many keys as one address may try in a minute. */
async function tryAllKeys(from: string): Promise<void> {
  let tries = 0;
  let last: Response;
  // At most one new minute begins meanwhile.
  do {
    last = await send({ handle: "x", key: "a-wrong-key" }, from);
    tries += 1;
  } while (last.status !== 429 && tries < 30);
  expect(last.status).toBe(429);
  expect(last.headers.get("Retry-After")).toBe("60");
  // Ten may be tried. The page may have used one of them.
  expect(tries).toBeGreaterThan(9);
  expect(await last.text()).not.toContain("a-wrong-key");
  expect((await send({ handle: "x", key: "a-wrong-key" }, "198.51.100.8")).status).toBe(400);
}

test("one address can try few keys in a minute, whatever else it sends, and others can still", async () => {
  const from = "198.51.100.7";
  const page = await browser.newPage({ extraHTTPHeaders: { "CF-Connecting-IP": from } });
  let status = 0;
  // A new minute may begin before the page is sent, and a second one does not.
  for (let round = 0; status !== 429 && round < 2; round++) {
    await tryAllKeys(from);
    await page.goto(asking);
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await allowWith(page, signIn.keys.alice);
    status = (await answered).status();
  }
  expect(status).toBe(429);
  expect(await page.getByRole("heading").innerText()).toBe("Too many attempts");
  await expectAccessible(page);
});

test("one address can open few pages and register few clients in a minute: each is stored", async () => {
  for (const [path, method] of [
    [asking.slice(signIn.url.length), "GET"],
    ["/oauth/register", "POST"],
  ] as const) {
    const from = method === "GET" ? "198.51.100.20" : "198.51.100.21";
    let status = 0;
    let tries = 0;
    // At most one new minute begins meanwhile.
    for (; status !== 429 && tries < 130; tries++) {
      const response = await fetch(`${signIn.url}${path}`, { method, headers: { "CF-Connecting-IP": from } });
      status = response.status;
      await response.body?.cancel();
    }
    expect(status, path).toBe(429);
    expect(tries, path).toBeGreaterThan(60);
  }
});

test("a form is refused when it is longer than any of the page", async () => {
  const response = await send({ key: "x".repeat(10_000) }, "198.51.100.2");
  expect(response.status).toBe(413);
});
