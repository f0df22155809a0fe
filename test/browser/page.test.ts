// The page of examples/sign-in, as a person with Chromium meets it.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { askingUrl, redeem, register, type SignIn, startSignIn } from "./sign-in.ts";
import {
  allowWith,
  expectAccessible,
  isBack,
  keepPicture,
  openBrowser,
  type Site,
  startSite,
  typeKey,
} from "./support.ts";

let signIn: SignIn;
let client: Site;
let browser: Browser;
let redirectUri: string;
beforeAll(async () => {
  [signIn, client, browser] = await Promise.all([startSignIn(), startSite(), openBrowser()]);
  redirectUri = `${client.url}/callback`;
});
afterAll(async () => {
  await Promise.all([browser?.close(), client?.close(), signIn?.close()]);
});

// Each test comes from an address of its own, so that what is counted for one does not matter to another.
let address = 0;
let context: BrowserContext;
let page: Page;
beforeEach(async () => {
  address += 1;
  context = await browser.newContext({
    extraHTTPHeaders: { "CF-Connecting-IP": `203.0.113.${address}` },
  });
  page = await context.newPage();
});
afterEach(() => context.close());

/** Opens the page on which a client, registered for this, asks. */
async function beAsked(more: Record<string, string | undefined> = {}, name?: string): Promise<string> {
  const clientId = await register(signIn.url, redirectUri, name);
  await page.goto(askingUrl(signIn.url, { clientId, redirectUri, ...more }));
  return clientId;
}

const alert = () => page.getByRole("alert");

describe("a person who is asked", () => {
  test("sees who asks, what for, and where they are sent back to", async () => {
    await beAsked({ scope: "mcp admin openid" }, "Notebook");
    const text = await page.locator("main").innerText();
    expect(text).toContain("Allow Notebook to use 127.0.0.1:8787?");
    expect(text).toContain("Nobody has checked this name");
    expect(text).toContain(new URL(redirectUri).host);
    expect(text).toContain("a program on your own computer");
    expect(await page.getByRole("listitem").allInnerTexts()).toEqual([
      "Use the tools of this server, and what your own sessions keep mcp",
      "See and end the sessions of everybody, and delete expired ones admin",
    ]);
  });

  test("comes back with a code, once for one token, after they have typed a key", async () => {
    const clientId = await beAsked();
    await allowWith(page, ` ${signIn.keys.alice} `);
    const answer = await isBack(page, client);
    expect(answer.get("state")).toBe("a-state");
    expect(answer.get("iss")).toBe(signIn.url);
    expect(await page.getByRole("heading").innerText()).toBe("You are back");

    const code = answer.get("code") ?? "";
    const first = await redeem(signIn.url, { code, clientId, redirectUri });
    expect(first).toMatchObject({ status: 200, body: { token_type: "bearer", scope: "mcp" } });
    const again = await redeem(signIn.url, { code, clientId, redirectUri });
    expect(again).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  });

  test("can do it with the keyboard alone", async () => {
    await beAsked();
    await page.keyboard.press("Tab");
    await typeKey(page, signIn.keys.alice);
    await page.keyboard.press("Enter");
    expect((await isBack(page, client)).has("code")).toBe(true);
  });

  test("denies, with or without a key, and the client is told", async () => {
    await beAsked();
    await page.getByLabel("Your key").fill(signIn.keys.alice);
    await page.getByRole("button", { name: "Deny" }).click();
    expect(Object.fromEntries(await isBack(page, client))).toEqual({
      error: "access_denied",
      state: "a-state",
      iss: signIn.url,
    });
  });

  test.each([
    ["a wrong key", "0123456789abcdefghijklmnopqrstuv", "This is not a key of this server"],
    ["the key of somebody without the scope mcp", "monitor", "does not have the scope mcp"],
    ["no key", "", "Type your key."],
  ])("is asked once more after %s, and told what was wrong", async (_, key, problem) => {
    await beAsked();
    await allowWith(page, key === "monitor" ? signIn.keys.monitor : key);
    await alert().waitFor();
    expect(await alert().innerText()).toContain(problem);
    expect(await page.title()).toMatch(/^Error: /);
    expect(await page.evaluate("document.activeElement.getAttribute('role')")).toBe("alert");
    const field = page.getByLabel("Your key");
    expect(await field.getAttribute("aria-invalid")).toBe("true");
    expect(await field.inputValue()).toBe("");
    expect(await page.locator("#problem").innerText()).toContain(problem);

    await allowWith(page, signIn.keys.alice);
    expect((await isBack(page, client)).has("code")).toBe(true);
  });

  test("does not end what the same client has got before: people share a name, and a client", async () => {
    const clientId = await register(signIn.url, redirectUri);
    const signedIn = async () => {
      await page.goto(askingUrl(signIn.url, { clientId, redirectUri }));
      await allowWith(page, signIn.keys.alice);
      const code = (await isBack(page, client)).get("code") ?? "";
      return (await redeem(signIn.url, { code, clientId, redirectUri })).body;
    };
    const first = await signedIn();
    await signedIn();
    const refreshed = await fetch(`${signIn.url}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: String(first["refresh_token"]),
        client_id: clientId,
      }),
    });
    expect(refreshed.status).toBe(200);
  });

  test("gives no more than the key has, whatever is asked for", async () => {
    const scopes = async (key: string, scope: string) => {
      const clientId = await beAsked({ scope });
      await allowWith(page, key);
      const answer = await isBack(page, client);
      const code = answer.get("code");
      if (code === null) return answer.get("error");
      return (await redeem(signIn.url, { code, clientId, redirectUri })).body["scope"];
    };
    expect(await scopes(signIn.keys.alice, "mcp admin")).toBe("mcp");
    expect(await scopes(signIn.keys.operator, "mcp admin metrics")).toBe("mcp admin");
    expect(await scopes(signIn.keys.operator, "mcp")).toBe("mcp");
    expect(await scopes(signIn.keys.operator, "openid")).toBe("mcp");
    expect(await scopes(signIn.keys.alice, "admin")).toBe("access_denied");
  });

  test("reads a client's name as text, short and without marks that turn it around", async () => {
    const name = `<img src=x onerror=alert(1)>\u202E${"x".repeat(200)}`;
    await beAsked({}, name);
    expect(await page.locator("img").count()).toBe(0);
    const heading = await page.getByRole("heading").innerText();
    expect(heading).toMatch(/^Allow <img src=x onerror=alert\(1\)>x+… to use/);
    expect(heading.length).toBeLessThan(130);
  });
});

test("its metadata has what clients look for", async () => {
  const response = await fetch(`${signIn.url}/.well-known/oauth-authorization-server`);
  expect(await response.json()).toMatchObject({
    issuer: signIn.url,
    authorization_endpoint: `${signIn.url}/authorize`,
    registration_endpoint: `${signIn.url}/oauth/register`,
    code_challenge_methods_supported: ["S256"],
    // claude.ai takes a metadata document for its id only with both of these.
    client_id_metadata_document_supported: true,
    token_endpoint_auth_methods_supported: expect.arrayContaining(["none"]),
    authorization_response_iss_parameter_supported: true,
    grant_types_supported: ["authorization_code", "refresh_token"],
  });
});

describe("what is seen", () => {
  test.each([
    ["light", { colorScheme: "light", viewport: { width: 1280, height: 900 } }],
    ["dark", { colorScheme: "dark", viewport: { width: 1280, height: 900 } }],
    ["narrow", { colorScheme: "light", viewport: { width: 320, height: 640 } }],
  ] as const)("has nothing that axe-core finds: %s", async (look, { colorScheme, viewport }) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    const expectGood = async (name: string) => {
      await expectAccessible(page);
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name).toBe(true);
      await keepPicture(page, `${name}-${look}`);
    };
    await page.goto(signIn.url);
    await expectGood("start");
    await beAsked(
      { scope: "mcp health metrics admin" },
      "A client with a rather long name, of somebody.example",
    );
    await expectGood("asked");
    await page.getByLabel("Your key").focus();
    await expectGood("focus");
    await allowWith(page, "a-wrong-key");
    await alert().waitFor();
    await expectGood("wrong-key");
    // With no content a browser stays where it is, and the way back can be looked at.
    await page.route(`${client.url}/**`, (route) => route.fulfill({ status: 204 }));
    await allowWith(page, signIn.keys.alice);
    await page.getByRole("heading", { name: "Going back" }).waitFor();
    expect(await page.getByRole("link").getAttribute("href")).toMatch(`${redirectUri}?code=`);
    await expectGood("going-back");
    await page.goto(askingUrl(signIn.url, { clientId: "nobody", redirectUri }));
    await expectGood("refused");
  });
});
