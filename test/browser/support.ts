// A person with a browser, the client that sends them there, and the client's own address, to which they come back.
import { existsSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { OAuthClientProvider, OAuthTokens } from "@modelcontextprotocol/client";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

/** How long anything may take, on a machine that is busy with other tests. */
const PATIENCE_MS = 300_000;

/** The Chromium of the system. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  if (!existsSync(executablePath))
    throw new Error(
      "Chromium is not there: `apt-get install chromium`, or its path in the variable CHROMIUM",
    );
  // Its sandbox refuses to run as root, which is who tests in a container are.
  const browser = await chromium.launch({
    executablePath,
    chromiumSandbox: process.getuid?.() !== 0,
    timeout: PATIENCE_MS,
  });
  browser.on("context", (context) => context.setDefaultTimeout(PATIENCE_MS));
  return browser;
}

export interface Site {
  url: string;
  /** Answers what is asked for next, and tells where that was. */
  next(): Promise<URL>;
  close(): Promise<void>;
}

/** A web site of another origin: by default one page that says that the person is back. */
export async function startSite(
  answer: (url: URL, response: ServerResponse) => void = (_, response) =>
    response.end("<!doctype html><title>The client</title><h1>You are back</h1>"),
): Promise<Site> {
  const visits: URL[] = [];
  const waiting: ((url: URL) => void)[] = [];
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    response.setHeader("Content-Type", "text/html");
    answer(url, response);
    if (url.pathname === "/favicon.ico") return;
    const waiter = waiting.shift();
    if (waiter === undefined) visits.push(url);
    else waiter(url);
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The site has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    next() {
      const visit = visits.shift();
      if (visit !== undefined) return Promise.resolve(visit);
      const { promise, resolve } = Promise.withResolvers<URL>();
      waiting.push(resolve);
      return promise;
    },
    close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      return promise;
    },
  };
}

type SavedClient = Parameters<NonNullable<OAuthClientProvider["saveClientInformation"]>>[0];
type Discovered = Parameters<NonNullable<OAuthClientProvider["saveDiscoveryState"]>>[0];

/** What a client of the official SDK must remember, in memory. */
export class Remembered implements OAuthClientProvider {
  /** Where the person is to be sent. */
  page: URL | undefined;
  saved: OAuthTokens | undefined;
  #client: SavedClient | undefined;
  #discovered: Discovered | undefined;
  #verifier = "";
  readonly #redirectUrl: string;
  readonly #name: string;
  constructor(redirectUrl: string, name = "A test client") {
    this.#redirectUrl = redirectUrl;
    this.#name = name;
  }
  get redirectUrl() {
    return this.#redirectUrl;
  }
  get clientMetadata() {
    return {
      client_name: this.#name,
      redirect_uris: [this.#redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none",
    };
  }
  state() {
    return "a-state";
  }
  clientInformation() {
    return this.#client;
  }
  saveClientInformation(client: SavedClient) {
    this.#client = client;
  }
  tokens() {
    return this.saved;
  }
  saveTokens(tokens: OAuthTokens) {
    this.saved = tokens;
  }
  invalidateCredentials(what: "all" | "client" | "tokens" | "verifier" | "discovery") {
    if (what === "all" || what === "tokens") this.saved = undefined;
    if (what === "all" || what === "client") this.#client = undefined;
  }
  redirectToAuthorization(url: URL) {
    this.page = url;
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }
  saveDiscoveryState(discovered: Discovered) {
    this.#discovered = discovered;
  }
  discoveryState() {
    return this.#discovered;
  }
}

/** Types where the page has put the focus by itself, which Chromium does only some time after it has loaded the page. */
export async function typeKey(page: Page, key: string): Promise<void> {
  await page.locator("input:focus").waitFor();
  await page.keyboard.type(key);
}

/** Fills in a key and allows. */
export async function allowWith(page: Page, key: string): Promise<void> {
  await page.getByLabel("Your key").fill(key);
  await page.getByRole("button", { name: "Allow" }).click();
}

/** Waits until the person is at the client's site again, and tells with what. */
export async function isBack(page: Page, client: Site): Promise<URLSearchParams> {
  const { href, searchParams } = await client.next();
  await page.waitForURL(href);
  return searchParams;
}

/** No rule of axe-core is broken, as WCAG 2.2 AA and best practice have them. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate<axe.AxeResults>("axe.run()");
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => n.html).join()}`);
  expect(found, page.url()).toEqual([]);
  expect(passes.length).toBeGreaterThan(5);
}

/** Takes a picture of the whole page, to be looked at, in the folder SCREENSHOTS. Without that it takes none. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env["SCREENSHOTS"];
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
