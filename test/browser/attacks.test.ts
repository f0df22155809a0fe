// What others try at the page of examples/sign-in, with a real Chromium where the browser is what protects.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { askingUrl, register, type SignIn, startSignIn } from "./sign-in.ts";
import { allowWith, expectAccessible, isBack, openBrowser, type Site, startSite } from "./support.ts";

let signIn: SignIn;
let client: Site;
let browser: Browser;
let redirectUri: string;
let clientId: string;
let asking: string;
beforeAll(async () => {
  [signIn, client, browser] = await Promise.all([startSignIn(), startSite(), openBrowser()]);
  redirectUri = `${client.url}/callback`;
  clientId = await register(signIn.url, redirectUri);
  asking = askingUrl(signIn.url, { clientId, redirectUri });
});
afterAll(async () => {
  await Promise.all([browser?.close(), client?.close(), signIn?.close()]);
});

let context: BrowserContext;
let page: Page;
beforeEach(async () => {
  context = await browser.newContext();
  page = await context.newPage();
});
afterEach(() => context.close());

const heading = () => page.getByRole("heading").innerText();
const handleOf = (asked: Page) => asked.locator("[name=handle]").inputValue();

/** Makes the form on a page send another handle than its own. */
const forge = (asked: Page, handle: string) =>
  asked.evaluate(`document.querySelector("[name=handle]").value = ${JSON.stringify(handle)}`);

describe("an address to be sent back to that is not registered", () => {
  test.each(["https://evil.example/callback", "the client's own, with more", "javascript:alert(1)//"])(
    "stays on a page that says so: %s",
    async (other) => {
      const target = other.startsWith("the client's") ? `${redirectUri}/more` : other;
      const response = await page.goto(askingUrl(signIn.url, { clientId, redirectUri: target }));
      expect(response?.status()).toBe(400);
      expect(await heading()).toBe("You are not signed in");
      expect(await page.locator("main a, main form").count()).toBe(0);
      expect(new URL(page.url()).origin).toBe(signIn.url);
    },
  );
});

test.each([
  ["no challenge", { code_challenge: undefined, code_challenge_method: undefined }],
  ["a plain one", { code_challenge_method: "plain" }],
])("PKCE with %s is refused, and the client is told", async (_, more) => {
  const confidential = await fetch(`${signIn.url}/oauth/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ redirect_uris: [redirectUri] }),
  });
  const { client_id: id }: { client_id: string } = JSON.parse(await confidential.text());
  for (const each of [clientId, id]) {
    await page.goto(askingUrl(signIn.url, { clientId: each, redirectUri, ...more }));
    const answer = await isBack(page, client);
    expect(answer.get("error")).toBe("invalid_request");
    expect(answer.has("code")).toBe(false);
  }
});

describe("a form that is not the person's own", () => {
  test.each(["127.0.0.1", "localhost"])(
    "is refused from a page of %s, even with its handle",
    async (host) => {
      await page.goto(asking);
      const handle = await handleOf(page);
      // Another port of this host is the same site: the browser sends the cookie with the form.
      const attacker = await startSite((_, response) =>
        response.end(
          `<form method="post" action="${asking.replaceAll("&", "&amp;")}"><input name="handle" value="${handle}">` +
            `<input name="key" value="${signIn.keys.alice}"><button name="decision" value="allow">Win</button></form>`,
        ),
      );
      try {
        await page.goto(attacker.url.replace("127.0.0.1", host));
        const answered = page.waitForResponse((response) => response.request().method() === "POST");
        await page.getByRole("button").click();
        expect((await answered).status()).toBe(403);
        expect(await heading()).toBe("You are not signed in");
        await expectAccessible(page);
      } finally {
        await attacker.close();
      }
      // It has not been used up: in the page itself it still is good.
      await page.goto(asking);
      await forge(page, handle);
      await allowWith(page, signIn.keys.alice);
      expect((await isBack(page, client)).has("code")).toBe(true);
    },
  );

  test("is refused in another browser than the one that was asked", async () => {
    const other = await browser.newContext();
    try {
      const theirs = await other.newPage();
      await theirs.goto(asking);
      await page.goto(asking);
      await forge(page, await handleOf(theirs));
      await allowWith(page, signIn.keys.alice);
      expect(await page.getByText("not started in this browser").count()).toBe(1);
    } finally {
      await other.close();
    }
  });

  test("is refused the second time, whether it was allowed, denied or had a wrong key", async () => {
    for (const [button, key] of [
      ["Allow", signIn.keys.alice],
      ["Deny", ""],
      ["Allow", "a-wrong-key"],
    ] as const) {
      await page.goto(asking);
      const handle = await handleOf(page);
      const cookies = await context.cookies();
      await page.getByLabel("Your key").fill(key);
      await page.getByRole("button", { name: button }).click();
      if (key === "a-wrong-key") await page.getByRole("alert").waitFor();
      else await isBack(page, client);
      // The browser forgets the cookie as well. Here it does not.
      await context.addCookies(cookies);
      await page.goto(asking);
      await forge(page, handle);
      await allowWith(page, signIn.keys.alice);
      expect(await page.locator("main").innerText()).toContain("expired or was already used");
      await page.getByRole("link", { name: "Start again" }).click();
      await page.getByLabel("Your key").waitFor();
    }
  });
});

test("no other page can show it in a frame", async () => {
  const attacker = await startSite((_, response) =>
    response.end(`<iframe src="${asking.replaceAll("&", "&amp;")}"></iframe>`),
  );
  try {
    const refused = page.waitForEvent("console", (message) => message.text().includes("frame-ancestors"));
    await page.goto(attacker.url);
    await refused;
    expect(await page.frameLocator("iframe").getByLabel("Your key").count()).toBe(0);
  } finally {
    await attacker.close();
  }
});

test("every page says what browsers must not do with it", async () => {
  for (const url of [signIn.url, asking, askingUrl(signIn.url, { clientId: "nobody", redirectUri })]) {
    const headers = (await page.goto(url))?.headers() ?? {};
    expect(headers["content-security-policy"]).toMatch(
      /^default-src 'none'; style-src 'nonce-[^']{20,}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    expect(await page.locator("script").count()).toBe(0);
  }
});

test("the cookie is the page's alone, and holds nothing that can be used without the form", async () => {
  await page.goto(asking);
  const cookies = await context.cookies();
  expect(cookies).toEqual([
    expect.objectContaining({ name: expect.stringMatching(/^__Host-/), httpOnly: true, secure: true }),
  ]);
  expect(cookies[0]?.value).not.toContain(await handleOf(page));
});

test("a key is in no address, in no page and in no history", async () => {
  await page.goto(asking);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await allowWith(page, "a-wrong-key-that-is-long-enough");
  await page.getByRole("alert").waitFor();
  expect(await page.content()).not.toContain("a-wrong-key");
  await allowWith(page, signIn.keys.alice);
  await isBack(page, client);
  // Through all that the browser would show again: none of it is the answer to a form, which it would send again.
  for (const _ of ["after the wrong key", "before it"]) {
    await page.goBack();
    expect(await page.getByLabel("Your key").inputValue()).toBe("");
    expect(await page.content()).not.toContain(signIn.keys.alice);
  }
  expect(asked.join("\n")).not.toMatch(new RegExp(`a-wrong-key|${signIn.keys.alice}`));
});

test("a client that says who it is by an address that nobody can read gets no further", async () => {
  const response = await page.goto(
    askingUrl(signIn.url, { clientId: "https://client.invalid/me", redirectUri }),
  );
  expect(response?.status()).toBe(400);
  expect(await page.locator("main").innerText()).toContain("What your client says of itself cannot be read");
});

test("a code that was intercepted is worth nothing without the client's secret of this request", async () => {
  await page.goto(asking);
  await allowWith(page, signIn.keys.alice);
  const code = (await isBack(page, client)).get("code") ?? "";
  const response = await fetch(`${signIn.url}/oauth/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code,
      client_id: clientId,
      redirect_uri: redirectUri,
      code_verifier: "x".repeat(43),
    }),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: "invalid_grant" });
});
