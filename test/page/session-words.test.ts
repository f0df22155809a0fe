// How sessions are written: in the list, on their own pages, and in the questions before they are ended.
import { expect, test } from "vitest";
import type { SessionDetail } from "../../src/admin/listed-session.ts";
import { endAllQuestion, endedAll, endQuestion, sessionPage } from "../../src/page/session-page.ts";
import { clientOf, nameOf, pathOfPrincipal, principalOf, stateOf } from "../../src/page/session-words.ts";
import { type SessionsData, sessionsPage } from "../../src/page/sessions-page.ts";
import type { Html } from "../../src/page/elements.ts";
import { htmlOf, readPart } from "./part.ts";

const HANDLE = "0b9f5a8e-3f2a-5c1d-8e77-2f6a1c9d4b30";

const sessionOf = (changes: Partial<SessionDetail> = {}): SessionDetail => ({
  handle: HANDLE,
  session: "1a2b3c4d",
  principal: "alice",
  state: "active",
  protocol_version: "2025-11-25",
  client_name: "cli",
  client_version: "1.2.3",
  created_at: "2026-11-25T01:00:00.000Z",
  last_active: "2026-11-25T02:00:00.000Z",
  expires_at: "2026-11-25T03:00:00.000Z",
  ended_at: null,
  end_reason: null,
  log_level: null,
  capabilities: [],
  state_bytes: null,
  state_keys: 0,
  state_version: null,
  ...changes,
});

const textOf = async (part: Html) => (await readPart(part)).text;

test("a session is called as in the logs; one of another program by its handle", async () => {
  expect(await textOf(nameOf(sessionOf()))).toBe("1a2b3c4d");
  expect(await textOf(nameOf(sessionOf({ session: null })))).toBe("handle 0b9f5a8e");
});

test("it is of a key, of a person and their issuer, or of another program", async () => {
  const issuer = "https://issuer.example";
  expect(await textOf(principalOf({ principal: "alice" }))).toBe("alice");
  expect(await textOf(principalOf({ principal: null }))).toBe("another program");
  expect(await textOf(principalOf({ principal: "[…]", issuer, subject: "carol" }))).toBe(
    "carol of https://issuer.example",
  );
  expect(await textOf(principalOf({ principal: "p", issuer, subject: undefined }))).toBe("p");
  expect(await textOf(principalOf({ principal: "p", issuer: undefined, subject: "carol" }))).toBe("p");
});

test("only a name that can be asked for leads somewhere", () => {
  expect(pathOfPrincipal("a b")).toBe("/admin/sessions?principal=a+b");
  expect(pathOfPrincipal("a", "/admin/tasks")).toBe("/admin/tasks?principal=a");
  for (const name of [null, undefined, "", "a\nb", "x".repeat(513)])
    expect(pathOfPrincipal(name)).toBeUndefined();
});

test("a client has a name, a version, both or neither", async () => {
  const client = (name: string | null, version: string | null) =>
    textOf(clientOf(sessionOf({ client_name: name, client_version: version })));
  expect(await client("cli", "1.2.3")).toBe("cli 1.2.3");
  expect(await client("cli", null)).toBe("cli");
  expect(await client(null, "1.2.3")).toBe("1.2.3");
  expect(await client(null, null)).toBe("not known");
  expect(await client("cli", "1".repeat(25))).toBe(`cli ${"1".repeat(24)}…`);
});

test("it is active, expired, or ended and why", async () => {
  const time = "2026-11-25T02:30:00.000Z";
  const state = async (changes: Partial<SessionDetail>) => htmlOf(stateOf(sessionOf(changes)));
  expect(await state({})).toBe('<span class="badge good">active</span>');
  expect(await state({ state: "expired" })).toBe('<span class="badge plain">expired</span>');
  expect(await state({ state: "expired", ended_at: time })).toContain("ended</span> ");
  expect(await state({ state: "expired", ended_at: time, end_reason: "client" })).toContain(
    "ended</span> <bdi>client<",
  );
  expect(await state({ state: "expired", end_reason: "client" })).toContain("ended</span> <bdi>client<");
});

test("the page of one tells all of it, and what can be done", async () => {
  const { text, links } = await readPart(
    sessionPage(
      sessionOf({
        log_level: "warning",
        capabilities: ["roots", "sampling"],
        state_bytes: 1234,
        state_keys: 2,
        state_version: 1001,
      }),
    ),
  );
  expect(text).toMatch(
    new RegExp(
      [
        "^Name in the log 1a2b3c4d",
        "State active",
        "Principal alice",
        "Client cli 1.2.3",
        "MCP revision 2025-11-25",
        "Opened 2026-11-25 01:00:00 UTC",
        "Last used 2026-11-25 02:00:00 UTC",
        "Expires 2026-11-25 03:00:00 UTC",
        "Level of its log warning",
        "What its client can do roots ?, sampling",
        "Its document 2 keys, 1,234 bytes, written 1,001 times",
        `Handle ${HANDLE}`,
      ].join(" ?"),
    ),
  );
  expect(links).toEqual([
    `/admin/sessions/${HANDLE}/end`,
    "/admin/sessions?principal=alice",
    "/admin/sessions/end?principal=alice",
  ]);
});

test("the page of an ended one says when, and does not end it again", async () => {
  const ended = sessionOf({
    state: "expired",
    principal: null,
    protocol_version: null,
    ended_at: "2026-11-25T02:30:00.000Z",
    end_reason: "operator",
    state_bytes: 2,
    state_keys: 1,
  });
  const { text, links } = await readPart(sessionPage(ended));
  expect(text).toContain("MCP revision none");
  expect(text).toContain("Expired 2026-11-25 03:00:00 UTC Ended 2026-11-25 02:30:00 UTC");
  expect(text).toContain("What its client can do nothing");
  expect(text).toContain("Its document 1 key, 2 bytes Handle");
  expect(links).toEqual([]);
});

test("an active one that never expires says never; an expired one whose time is not known does not", async () => {
  expect(await textOf(sessionPage(sessionOf({ expires_at: null })))).toContain("Expires never");
  expect(await textOf(sessionPage(sessionOf({ expires_at: null, state: "expired" })))).toContain(
    "Expired not known",
  );
  expect(await textOf(sessionPage(sessionOf()))).toContain("Its document empty");
});

test("before one is ended, the page asks, and says what becomes of it", async () => {
  const { text, forms, links } = await readPart(endQuestion(sessionOf(), "token"));
  expect(text).toContain(
    "Session 1a2b3c4d Principal alice Client cli 1.2.3 Last used 2026-11-25 02:00:00 UTC",
  );
  expect(text).toContain("gets 404");
  expect(forms).toEqual([
    { method: "post", action: `/admin/sessions/${HANDLE}/end`, fields: { csrf: "token" } },
  ]);
  expect(links).toEqual([`/admin/sessions/${HANDLE}`]);
});

test("of one that is over there is no question", async () => {
  const { text, forms } = await readPart(endQuestion(sessionOf({ state: "expired" }), "token"));
  expect(text).toMatch(/^It is not active any more: expired ?\. The session/);
  expect(forms).toEqual([]);
});

const endAll = (endable: number) => readPart(endAllQuestion({ principal: "alice", endable, csrf: "token" }));

test("before all are ended, the page says how many", async () => {
  expect((await endAll(0)).text).toMatch(/^alice has no active session\. Its sessions/);
  expect((await endAll(0)).forms).toEqual([]);
  expect((await endAll(1)).text).toMatch(/^This ends 1 active session of alice ?\./);
  expect((await endAll(2)).text).toMatch(/^This ends 2 active sessions of alice ?\./);
  expect((await endAll(1000)).text).toMatch(/^This ends 1,000 active sessions/);
  expect((await endAll(10_000)).text).toMatch(/^This ends 10,000 active sessions/);
  expect((await endAll(10_001)).text).toMatch(
    /^This ends 10,000 of more than that many active sessions of alice/,
  );
  expect((await endAll(1)).forms).toEqual([
    { method: "post", action: "/admin/sessions/end", fields: { csrf: "token", principal: "alice" } },
  ]);
  expect((await endAll(1)).links).toEqual(["/admin/sessions?principal=alice"]);
});

test("afterwards it says how many were ended, and goes on where more remain", async () => {
  const of = (hasMore: boolean) =>
    readPart(endedAll({ principal: "alice", ended: 10_000, hasMore, csrf: "token" }));
  const more = await of(true);
  expect(more.text).toMatch(/^Ended: 10,000 of alice ?\. More remain\./);
  expect(more.forms).toHaveLength(1);
  const all = await of(false);
  expect(all.text).toMatch(/Its sessions$/);
  expect(all.forms).toEqual([]);
});

const listOf = (data: Partial<SessionsData>) =>
  readPart(
    sessionsPage({ query: {}, found: { sessions: [sessionOf()], next: null }, lookedAt: 10_000, ...data }),
  );

test("the list leads to each session, to its principal, and to its end", async () => {
  const { text, links, forms } = await listOf({});
  expect(text).toContain(
    "1a2b3c4d alice cli 1.2.3 active 2026-11-25 02:00:00 UTC 2026-11-25 03:00:00 UTC End…",
  );
  expect(links).toEqual([
    "/admin/sessions",
    `/admin/sessions/${HANDLE}`,
    "/admin/sessions?principal=alice",
    `/admin/sessions/${HANDLE}/end`,
  ]);
  expect(Object.keys(forms[0]?.fields ?? {})).toEqual([
    "principal",
    "client",
    "session",
    "issuer",
    "subject",
  ]);
});

test("one that is over has no end in the list; one that never expires says never", async () => {
  const sessions = [sessionOf({ state: "expired" }), sessionOf({ expires_at: null })];
  const { text, links } = await listOf({ found: { sessions, next: null } });
  expect(text).toContain("never");
  expect(links.filter((path) => path.endsWith("/end"))).toHaveLength(1);
});

test("the next page is of the same list", async () => {
  const query = { principal: "alice", state: "active" };
  const { links } = await listOf({ query, found: { sessions: [sessionOf()], next: HANDLE } });
  expect(links).toContain(`/admin/sessions?principal=alice&state=active&after=${HANDLE}`);
  expect(links).toContain("/admin/sessions/end?principal=alice");
});

test("an empty list says whether that is all", async () => {
  const empty = async (next: string | null) => (await listOf({ found: { sessions: [], next } })).text;
  expect(await empty(null)).toContain("No session is like this.");
  expect(await empty(HANDLE)).toContain("None of the 10,000 that were looked at is like this.");
});

test("what was filled in stands in the form, also when it cannot be asked for", async () => {
  const query = { principal: "p", client: "c", session: "s", state: "expired", subject: "who" };
  const { html, forms, links } = await listOf({ query, found: undefined });
  expect(forms[0]?.fields).toEqual({ principal: "p", client: "c", session: "s", issuer: "", subject: "who" });
  expect(html).toContain("<option selected>expired<");
  expect(html).toContain("<details open>");
  expect(links).toEqual(["/admin/sessions"]);
  expect((await listOf({ query: { issuer: "i" } })).html).toContain("<details open>");
  expect((await listOf({})).html).not.toContain("<details open>");
});
