// What the pages of handles and tasks ask, and where they lead.
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { handlesFilter } from "../../src/admin/kept-filter.ts";
import type { HandleFilter } from "../../src/admin/kept-store.ts";
import type { ListedHandle } from "../../src/admin/listed-kept.ts";
import { handleWords } from "../../src/page/handle-words.ts";
import { keptPages } from "../../src/page/kept-endpoint.ts";
import { logged } from "../support/captured-logs.ts";
import { handlers, headingIn, readForm } from "./handler.ts";

const KEY = `0123456789${"ab".repeat(27)}`;

const row: ListedHandle = {
  key: KEY,
  principal: "alice",
  state: "active",
  version: 3,
  created_at: null,
  expires_at: null,
  handle: "01234567",
  kind: "cart",
  is_ended: false,
  value_bytes: 11,
  sliding_seconds: null,
  last_used_at: null,
};

/** The pages of handles, and what they have asked of the store. */
function pages({ found = [row], owner = ["alice"] }: { found?: ListedHandle[]; owner?: string[] } = {}) {
  const asked: HandleFilter[] = [];
  const keys: string[] = [];
  const { list, one, askToEnd, end } = keptPages({
    what: "handle",
    words: handleWords,
    query: z.object(handlesFilter),
    store: {
      list(filter) {
        asked.push(filter);
        return Promise.resolve({ rows: found, next: null });
      },
      find(key) {
        keys.push(`find ${key}`);
        return Promise.resolve(found[0]);
      },
      end(key) {
        keys.push(`end ${key}`);
        const [principal] = owner;
        return Promise.resolve(principal === undefined ? undefined : { principal });
      },
    },
    readForm,
  });
  const browser = handlers((app) =>
    app
      .get("/admin/handles", list)
      .get("/admin/handles/:key", one)
      .get("/admin/handles/:key/end", askToEnd)
      .post("/admin/handles/:key/end", end),
  );
  return { ...browser, asked, keys };
}

describe("the list", () => {
  test("asks for 50 rows, as its filter says", async () => {
    const { get, asked } = pages();
    const { status, body } = await get(
      `/admin/handles?principal=+alice+&state=active&kind=cart&handle=01234567&after=${KEY}`,
    );
    expect([status, headingIn(body)]).toEqual([200, "Handles"]);
    expect(body).toContain(`<a href="/admin/handles/${KEY}"><code>01234567</code></a>`);
    await get("/admin/handles?principal=&state=");
    const filter = { principal: "alice", state: "active", kind: "cart", handle: "01234567", after: KEY };
    expect(asked).toEqual([
      { ...filter, limit: 50 },
      { principal: undefined, limit: 50 },
    ]);
  });

  test("asks by the issuer and the subject of a token for its bearer", async () => {
    const { get, asked } = pages();
    await get("/admin/handles?issuer=https://issuer.example&subject=alice");
    expect(asked).toMatchObject([{ principal: '["https://issuer.example","alice"]', limit: 50 }]);
    const { status, body } = await get("/admin/handles?issuer=https://issuer.example");
    expect(status).toBe(400);
    expect(body).toContain("The parameters issuer and subject must be given together.");
    expect(asked).toHaveLength(1);
  });
});

describe("a row", () => {
  test("has its name in the log as its title", async () => {
    const { get, keys } = pages();
    const { status, body } = await get(`/admin/handles/${KEY}`);
    expect([status, headingIn(body)]).toEqual([200, "Handle 01234567"]);
    expect(body).toContain(`<dd><code>${KEY}</code></dd>`);
    expect(keys).toEqual([`find ${KEY}`]);
  });

  test("is asked about before it is ended", async () => {
    const { get, keys } = pages();
    const { status, body } = await get(`/admin/handles/${KEY}/end`);
    expect([status, headingIn(body)]).toEqual([200, "End this handle?"]);
    expect(body).toContain(`action="/admin/handles/${KEY}/end"`);
    expect(keys).toEqual([`find ${KEY}`]);
    expect(logged("MCP handle ended")).toEqual([]);
  });

  test("is ended by its form, which leads back to it and leaves a trace", async () => {
    const { post, keys } = pages({ owner: ['["https://issuer.example","alice"]'] });
    expect(await post(`/admin/handles/${KEY}/end`)).toMatchObject({
      status: 303,
      location: `/admin/handles/${KEY}`,
    });
    expect(keys).toEqual([`end ${KEY}`]);
    const [line, ...others] = logged("MCP handle ended");
    expect(line).toMatchObject({ by: "ops", handle: "01234567", reason: "operator" });
    expect(line?.["principal"]).toMatch(/^person:[0-9a-f]{8}$/);
    expect(others).toEqual([]);
  });

  test("is not ended by a form that is refused", async () => {
    const { post, keys } = pages();
    expect(await post(`/admin/handles/${KEY}/end`, { refused: "" })).toMatchObject({ status: 403 });
    expect(keys).toEqual([]);
  });
});

describe("a row that is not there", () => {
  const none = () => pages({ found: [], owner: [] });

  test("is not found", async () => {
    const { get } = none();
    const body = "handle_not_found: There is no handle with this key";
    expect(await get(`/admin/handles/${KEY}`)).toMatchObject({ status: 404, body });
    expect(await get(`/admin/handles/${KEY}/end`)).toMatchObject({ status: 404, body });
  });

  test("was not ended, and leaves no trace", async () => {
    const { post } = none();
    expect(await post(`/admin/handles/${KEY}/end`)).toMatchObject({
      status: 404,
      body: "handle_not_found: It was not ended: it had ended before",
    });
    expect(logged("MCP handle ended")).toEqual([]);
  });

  test("is not asked for by what is no key", async () => {
    const { get, keys } = pages();
    expect(await get("/admin/handles/7")).toMatchObject({
      status: 400,
      body: "invalid_request: The parameter key must be a key, as the list gives them",
    });
    expect(keys).toEqual([]);
  });
});
