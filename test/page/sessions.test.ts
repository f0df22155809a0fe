// The pages on which an operator finds sessions and ends them.
import { afterEach, describe, expect, test } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { at, HOUR } from "../support/cleanup.ts";
import { mcp, open, rowsOf } from "../support/mcp.ts";
import {
  addSessions,
  createDatabase,
  databaseRequests,
  keys,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";
import { type Operator, signIn } from "./operator.ts";

afterEach(() => setFaults());

const ADMIN_PAGE = { ADMIN_PAGE: "true" };
const HANDLE = /^\/admin\/sessions\/([0-9a-f-]{36})$/;
const ping = { method: "ping" };

async function start() {
  const database = await createDatabase();
  const env = database.env(ADMIN_PAGE);
  return { database, env, operator: await signIn(env) };
}

/** The paths of the sessions that a page lists. */
const listed = async (operator: Operator, query = "") => {
  const page = await operator.get(`/admin/sessions${query}`);
  expect(page.status).toBe(200);
  return page.links.filter((link) => HANDLE.test(link));
};

const insert = (
  { query }: TestDatabase,
  principal: string,
  count: number,
  more = "now() + interval '1 hour'",
) =>
  query(
    `INSERT INTO mcp_sessions (session_id, principal, expires_at)
     SELECT encode(sha256(convert_to($1 || i, 'UTF8')), 'hex'), $1, ${more} FROM generate_series(1, $2::int) i`,
    [principal, count],
  );

describe("the list", () => {
  test("shows each session once, page after page, in one statement each", async () => {
    const { database, operator } = await start();
    await insert(database, "alice", 120);
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let path: string | undefined = "/admin/sessions"; path !== undefined;) {
      const before = await databaseRequests();
      const page = await operator.get(path);
      expect((await databaseRequests()) - before).toBe(1);
      const found = page.links.filter((link) => HANDLE.test(link));
      sizes.push(found.length);
      seen.push(...found);
      path = page.links.find((link) => link.includes("after="));
    }
    expect(sizes).toEqual([50, 50, 20]);
    expect(new Set(seen).size).toBe(120);
  });

  test("is filtered by principal, state, client, and the name in the log", async () => {
    const { database, env, operator } = await start();
    await open(env);
    await open(env, { key: keys.bob });
    await addSessions(database, { theirs: at(new Date(), -HOUR) });
    expect(await listed(operator)).toHaveLength(3);
    expect(await listed(operator, "?principal=alice")).toHaveLength(1);
    expect(await listed(operator, "?state=active")).toHaveLength(2);
    expect(await listed(operator, "?state=expired")).toHaveLength(1);
    expect(await listed(operator, "?client=TEST%20cl")).toHaveLength(2);
    expect(await listed(operator, "?client=test%25")).toHaveLength(0);
    expect(await listed(operator, "?principal=alice&state=expired")).toHaveLength(0);
    const rows = await rowsOf(database);
    const mine = rows.find(({ principal }) => principal === "alice");
    const hash = keepSecret(String(mine?.["session_id"]));
    const page = await operator.get(`/admin/sessions?session=${hash.slice(0, 8)}`);
    expect(page.links.filter((link) => HANDLE.test(link))).toHaveLength(1);
    expect(page.text).toContain(hash.slice(0, 8));
    // A browser sends the fields that are not filled in, too.
    expect(
      await listed(operator, "?principal=+alice+&issuer=&subject=&state=&session=&client="),
    ).toHaveLength(1);
  });

  test("keeps its filter from page to page", async () => {
    const { database, operator } = await start();
    await insert(database, "alice & co", 60);
    await insert(database, "bob", 60);
    const first = await operator.get("/admin/sessions?principal=alice+%26+co&state=active");
    const next = first.links.find((link) => link.includes("after="));
    expect(next).toContain("principal=alice+%26+co&state=active");
    const second = await operator.get(next ?? "");
    expect(second.links.filter((link) => HANDLE.test(link))).toHaveLength(10);
    expect(second.html).toContain('value="alice &amp; co"');
  });

  test("finds the sessions of a person by issuer and subject", async () => {
    const { database, operator } = await start();
    await insert(database, '["https://issuer.example","u-1"]', 1);
    await insert(database, '["https://issuer.example","u-2"]', 1);
    const query = `?${new URLSearchParams({ issuer: "https://issuer.example", subject: "u-1" }).toString()}`;
    const page = await operator.get(`/admin/sessions${query}`);
    expect(page.links.filter((link) => HANDLE.test(link))).toHaveLength(1);
    expect(page.text).toContain("u-1 of https://issuer.example");
  });

  test("looks at 5000 rows at most, and then says that there may be more", async () => {
    const { database, operator } = await start();
    await insert(database, "alice", 5001);
    const page = await operator.get("/admin/sessions?state=expired");
    expect(page.text).toContain("None of the 5,000 that were looked at is like this");
    const last = await operator.get(page.links.find((link) => link.includes("after=")) ?? "");
    expect(last.text).toContain("No session is like this");
  });

  test.each([
    ["session=xyz", "session must be the 8 characters"],
    ["state=dead", "state must be active or expired"],
    ["issuer=a", "issuer and subject must be given together"],
    ["principal=a&issuer=b&subject=c", "principal must not stand beside issuer and subject"],
    ["client=%00", "client must be 1 to 128 characters"],
    ["after=7", "after must be a handle"],
  ])(
    "says what is wrong with ?%s, keeps what was typed, and does not ask the database",
    async (query, text) => {
      const { operator } = await start();
      const before = await databaseRequests();
      const page = await operator.get(`/admin/sessions?${query}`);
      expect(page.status).toBe(400);
      expect(page.text).toContain(text);
      expect((await databaseRequests()) - before).toBe(0);
      const typed = page.forms.find(({ action }) => action === "/admin/sessions")?.fields ?? {};
      const asked = Object.fromEntries(new URLSearchParams(query));
      const kept = Object.entries(asked).filter(([name]) => name in typed);
      expect(typed).toMatchObject(Object.fromEntries(kept));
    },
  );

  test("of another program is shown, whatever stands in its columns", async () => {
    const { database, operator } = await start();
    await database.query(
      `INSERT INTO mcp_sessions (session_id, capabilities, state, state_version, client_info, log_level, expires_at)
       VALUES ($1, '[1]', '"text"', 3, '{"name": 7}', repeat('<b>', 500000), 'infinity')`,
      [keepSecret("an id of theirs")],
    );
    const [path = ""] = await listed(operator);
    const page = await operator.get(path);
    expect(page.status).toBe(200);
    expect(page.text).toContain("another program");
    expect(page.text).toContain("0 keys, 6 bytes");
    expect(page.html).not.toContain("<b>");
    expect(page.html.length).toBeLessThan(20_000);
  });

  test.each([
    ["00000000-0000-0000-0000-000000000000", 404, "There is no session with this handle"],
    ["00000000-0000-0000-0000-000000000000/end", 404, "There is no session with this handle"],
    ["7", 400, "handle must be a handle"],
    ["..%2f..%2fsessions", 400, "handle must be a handle"],
  ])("that is not there, %s, is a page that says so", async (handle, status, text) => {
    const { operator } = await start();
    const page = await operator.get(`/admin/sessions/${handle}`);
    expect(page).toMatchObject({ status });
    expect(page.text).toContain(text);
    expect(page.headers.get("Content-Type")).toContain("text/html");
  });
});

describe("ending one session", () => {
  test("is asked about first, then done, and leaves a trace of who and what", async () => {
    const { database, env, operator } = await start();
    const [mine, other] = [await open(env), await open(env, { key: keys.bob })];
    await mcp(env, ping, { session: mine });
    const [row] = await rowsOf(database);
    const [path = ""] = await listed(operator, "?principal=alice");
    const before = await databaseRequests();
    const question = await operator.get(`${path}/end`);
    expect((await databaseRequests()) - before).toBe(1);
    expect(question.text).toContain("alice");
    expect((await mcp(env, ping, { session: mine })).status).toBe(200);
    expect(logged("MCP sessions ended")).toEqual([]);

    const answer = await operator.submit(`${path}/end`, `${path}/end`);
    expect(answer).toMatchObject({ status: 303, location: path });
    expect((await mcp(env, ping, { session: mine })).status).toBe(404);
    expect((await mcp(env, ping, { session: other, key: keys.bob })).status).toBe(200);
    expect((await operator.get(path)).text).toContain("ended operator");
    const session = String(row?.["session_id"]).slice(0, 8);
    expect(logged("MCP sessions ended")).toEqual([
      expect.objectContaining({ by: "ops", principal: "alice", session, ended: 1, reason: "operator" }),
    ]);
  });

  test("that is ended or expired says so, and offers nothing to do", async () => {
    const { database, operator } = await start();
    await addSessions(database, { old: at(new Date(), -HOUR) });
    const [path = ""] = await listed(operator);
    const question = await operator.get(`${path}/end`);
    expect(question.text).toContain("not active any more");
    expect(question.forms.filter(({ action }) => action.endsWith("/end"))).toEqual([]);
    const { fields } = (await operator.get("/admin/sessions")).forms.find(({ method }) => method === "post")!;
    const late = await operator.post(`${path}/end`, fields);
    expect(late.status).toBe(404);
    expect(late.text).toContain("It was not ended");
    expect(logged("MCP sessions ended")).toEqual([]);
  });
});

describe("ending all sessions of a principal", () => {
  test("says how many first, ends them, and leaves a trace", async () => {
    const { database, operator } = await start();
    await insert(database, "alice", 12);
    await insert(database, "alice's", 3);
    await insert(database, "alice2", 1, "now() - interval '1 hour'");
    const path = "/admin/sessions/end?principal=alice";
    const before = await databaseRequests();
    const question = await operator.get(path);
    expect((await databaseRequests()) - before).toBe(1);
    expect(question.text).toContain("This ends 12 active sessions of alice.");

    const { fields } = question.forms.find(({ action }) => action === "/admin/sessions/end")!;
    const again = await databaseRequests();
    const answer = await operator.post("/admin/sessions/end", fields);
    expect((await databaseRequests()) - again).toBe(1);
    expect(answer.text).toContain("Ended: 12 of alice");
    expect(answer.text).not.toContain("More remain");
    expect(await listed(operator, "?state=active")).toHaveLength(3);
    expect((await operator.get(path)).text).toContain("alice has no active session");
    expect(logged("MCP sessions ended")).toEqual([
      expect.objectContaining({ by: "ops", principal: "alice", ended: 12, reason: "operator" }),
    ]);
  });

  test("of one that has more than 10,000 ends 10,000, says that more remain, and goes on", async () => {
    const { database, operator } = await start();
    await insert(database, "alice", 10_001);
    const path = "/admin/sessions/end?principal=alice";
    expect((await operator.get(path)).text).toContain(
      "This ends 10,000 of more than that many active sessions",
    );
    const first = await operator.submit(path, "/admin/sessions/end");
    expect(first.text).toContain("Ended: 10,000 of alice. More remain");
    const { fields } = first.forms.find(({ action }) => action === "/admin/sessions/end")!;
    expect((await operator.post("/admin/sessions/end", fields)).text).toContain("Ended: 1 of alice.");
  });

  test("of nobody is refused", async () => {
    const { operator } = await start();
    expect((await operator.get("/admin/sessions/end")).status).toBe(400);
    const { fields } = (await operator.get("/admin/sessions")).forms.find(({ method }) => method === "post")!;
    expect((await operator.post("/admin/sessions/end", fields)).status).toBe(400);
    expect(await operator.post("/admin/sessions/end", { ...fields, principal: "" })).toMatchObject({
      status: 400,
    });
  });
});

describe("nobody else", () => {
  test("can send these forms: not from another site, not without the token, not with somebody else's", async () => {
    const { database, env, operator } = await start();
    await insert(database, "alice", 2);
    const [path = ""] = await listed(operator);
    const { fields } = (await operator.get("/admin/sessions/end?principal=alice")).forms.at(-1)!;
    const other = await signIn(env);
    const theirs = (await other.get("/admin/sessions/end?principal=alice")).forms.at(-1)!;
    for (const [to, sent] of [
      ["/admin/sessions/end", fields],
      [`${path}/end`, fields],
    ] as const) {
      const foreign = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };
      expect((await operator.post(to, sent, foreign)).status).toBe(403);
      expect((await operator.post(to, { ...sent, csrf: "" })).status).toBe(403);
      expect((await operator.post(to, { ...sent, csrf: theirs.fields["csrf"] ?? "" })).status).toBe(403);
      expect((await operator.post(to, sent, { Cookie: "" })).status).toBe(401);
    }
    expect(await listed(operator, "?state=active")).toHaveLength(2);
  });

  test("can see these pages: a key with the scope health gets 403, and nothing of them", async () => {
    const { database, env, operator } = await start();
    await insert(database, "alice", 2);
    const [path = ""] = await listed(operator);
    const monitor = await signIn(env, keys.health);
    const before = await databaseRequests();
    for (const to of ["/admin/sessions", "/admin/sessions/end?principal=alice", path, `${path}/end`]) {
      const page = await monitor.get(to);
      expect(page.status).toBe(403);
      expect(page.text).not.toContain("alice");
    }
    const { fields } = (await monitor.get("/admin")).forms.at(-1)!;
    for (const to of ["/admin/sessions/end", `${path}/end`])
      expect((await monitor.post(to, { ...fields, principal: "alice" })).status).toBe(403);
    expect((await databaseRequests()) - before).toBeLessThanOrEqual(1);
    expect(await listed(operator, "?state=active")).toHaveLength(2);
  });
});

test("while the database cannot be asked each page says why, and nothing is ended", async () => {
  const { database, operator } = await start();
  await insert(database, "alice", 1);
  const [path = ""] = await listed(operator);
  const { fields } = (await operator.get("/admin/sessions/end?principal=alice")).forms.at(-1)!;
  await setFaults({ fault: { kind: "quota" } });
  for (const to of ["/admin/sessions", "/admin/sessions/end?principal=alice", path, `${path}/end`]) {
    const page = await operator.get(to);
    expect(page.status).toBe(503);
    expect(page.text).toContain("quota_exceeded");
  }
  expect((await operator.post("/admin/sessions/end", fields)).status).toBe(503);
  expect(logged("MCP sessions ended")).toEqual([]);
});
