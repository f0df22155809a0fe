// What the pages of sessions ask, and where they lead.
import { describe, expect, test } from "vitest";
import type { SessionDetail } from "../../src/admin/listed-session.ts";
import type { EndedSession, SessionsStore } from "../../src/admin/sessions-store.ts";
import { sessionsPages } from "../../src/page/sessions-endpoint.ts";
import { logged } from "../support/captured-logs.ts";
import { handlers, headingIn, readForm } from "./handler.ts";

const HANDLE = "0f0e0d0c-0b0a-4908-8706-050403020100";
const PATH = `/admin/sessions/${HANDLE}`;
const PERSON = '["https://issuer.example","alice"]';

const session: SessionDetail = {
  handle: HANDLE,
  session: "abcdef12",
  principal: "alice",
  state: "active",
  protocol_version: null,
  client_name: null,
  client_version: null,
  created_at: null,
  last_active: null,
  expires_at: null,
  ended_at: null,
  end_reason: null,
  log_level: null,
  capabilities: [],
  state_bytes: null,
  state_keys: 0,
  state_version: null,
};

interface Given {
  found?: SessionDetail[];
  ended?: EndedSession[];
  endedAll?: { ended: number; hasMore: boolean };
}

/** The pages, and what they have asked of the store. */
function pages({
  found = [session],
  ended = [session],
  endedAll = { ended: 3, hasMore: false },
}: Given = {}) {
  const asked: unknown[] = [];
  const answered =
    <T>(what: string, answer: T) =>
    (of: unknown) => {
      asked.push([what, of]);
      return Promise.resolve(answer);
    };
  const store: SessionsStore = {
    list: answered("list", { sessions: found, next: null }),
    find: answered("find", found[0]),
    countEndable: answered("count", 2),
    end: answered("end", ended[0]),
    endAll: answered("end all", endedAll),
  };
  const handler = sessionsPages({ store, readForm });
  const browser = handlers((app) =>
    app
      .get("/admin/sessions", handler.list)
      .get("/admin/sessions/end", handler.askToEndAll)
      .post("/admin/sessions/end", handler.endAll)
      .get("/admin/sessions/:handle", handler.one)
      .get("/admin/sessions/:handle/end", handler.askToEnd)
      .post("/admin/sessions/:handle/end", handler.end),
  );
  return { ...browser, asked };
}

describe("the list", () => {
  test("asks for 50 sessions, as its filter says", async () => {
    const { get, asked } = pages();
    const { status, body } = await get(
      `/admin/sessions?principal=alice&state=active&client=+cli+&session=abcdef12&after=${HANDLE}`,
    );
    expect([status, headingIn(body)]).toEqual([200, "Sessions"]);
    expect(body).toContain(`href="${PATH}"`);
    await get("/admin/sessions?principal=&client=");
    const filter = { principal: "alice", state: "active", client: "cli", session: "abcdef12", after: HANDLE };
    expect(asked).toEqual([
      ["list", { ...filter, limit: 50 }],
      ["list", { principal: undefined, limit: 50 }],
    ]);
  });

  test("asks by the issuer and the subject of a token for its bearer", async () => {
    const { get, asked } = pages();
    await get("/admin/sessions?issuer=https://issuer.example&subject=alice");
    expect(asked).toEqual([["list", { principal: PERSON, limit: 50 }]]);
    expect((await get("/admin/sessions?subject=alice")).status).toBe(400);
    expect(asked).toHaveLength(1);
  });
});

describe("a session", () => {
  test("has its name in the log as its title; one of another program the beginning of its handle", async () => {
    const { get, asked } = pages();
    const { status, body } = await get(PATH);
    expect([status, headingIn(body)]).toEqual([200, "Session abcdef12"]);
    expect(asked).toEqual([["find", HANDLE]]);
    const other = pages({ found: [{ ...session, session: null }] });
    expect(headingIn((await other.get(PATH)).body)).toBe("Session 0f0e0d0c");
  });

  test("is asked about before it is ended", async () => {
    const { get, asked } = pages();
    const { status, body } = await get(`${PATH}/end`);
    expect([status, headingIn(body)]).toEqual([200, "End this session?"]);
    expect(body).toContain(
      `action="${PATH}/end" class="row"><input type="hidden" name="csrf" value="the-token" />`,
    );
    expect(asked).toEqual([["find", HANDLE]]);
  });

  test("is ended by its form, which leads back to it and leaves a trace", async () => {
    const { post, asked } = pages();
    expect(await post(`${PATH}/end`)).toMatchObject({ status: 303, location: PATH });
    expect(asked).toEqual([["end", HANDLE]]);
    expect(logged("MCP sessions ended")).toEqual([
      expect.objectContaining({
        by: "ops",
        principal: "alice",
        session: "abcdef12",
        ended: 1,
        reason: "operator",
      }),
    ]);
  });

  test("of a person is logged by the label of the person", async () => {
    await pages({ ended: [{ session: "abcdef12", principal: PERSON }] }).post(`${PATH}/end`);
    expect(logged("MCP sessions ended")[0]?.["principal"]).toMatch(/^person:[0-9a-f]{8}$/);
  });

  test("of another program is logged without what it does not have", async () => {
    await pages({ ended: [{ session: null, principal: null }] }).post(`${PATH}/end`);
    const [line] = logged("MCP sessions ended");
    expect(line).toMatchObject({ by: "ops", ended: 1 });
    expect(line).not.toHaveProperty("principal");
    expect(line).not.toHaveProperty("session");
  });

  test("that is not there is not found, and was not ended", async () => {
    const { get, post } = pages({ found: [], ended: [] });
    const body = "session_not_found: There is no session with this handle";
    expect(await get(PATH)).toMatchObject({ status: 404, body });
    expect(await get(`${PATH}/end`)).toMatchObject({ status: 404, body });
    expect(await post(`${PATH}/end`)).toMatchObject({
      status: 404,
      body: "session_not_found: It was not ended: no active session has this handle",
    });
    expect(logged("MCP sessions ended")).toEqual([]);
  });

  test("is not asked for by what is no handle, nor ended by a form that is refused", async () => {
    const { get, post, asked } = pages();
    expect(await get("/admin/sessions/7")).toMatchObject({
      status: 400,
      body: "invalid_request: The parameter handle must be a handle, as GET /sessions gives them",
    });
    expect(await post("/admin/sessions/7/end")).toMatchObject({ status: 400 });
    expect(await post(`${PATH}/end`, { refused: "" })).toMatchObject({ status: 403 });
    expect(asked).toEqual([]);
  });
});

describe("all sessions of a principal", () => {
  test("are counted before they are ended", async () => {
    const { get, asked } = pages();
    const { status, body } = await get("/admin/sessions/end?principal=alice");
    expect([status, headingIn(body)]).toEqual([200, "End all sessions of a principal?"]);
    expect(body).toContain("This ends <strong>2</strong> active sessions of <bdi>alice</bdi>.");
    expect(body).toContain('<input type="hidden" name="principal" value="alice" />');
    expect(asked).toEqual([["count", "alice"]]);
  });

  test("are ended by the form, which says how many and leaves a trace", async () => {
    const { post, asked } = pages({ endedAll: { ended: 1000, hasMore: true } });
    const { status, body } = await post("/admin/sessions/end", { principal: PERSON });
    expect([status, headingIn(body)]).toEqual([200, "Sessions are ended"]);
    expect(body).toContain("Ended: <strong>1,000</strong> of");
    expect(body).toContain('name="csrf" value="the-token" /><input type="hidden" name="principal"');
    expect(asked).toEqual([["end all", PERSON]]);
    const [line] = logged("MCP sessions ended");
    expect(line).toMatchObject({ by: "ops", ended: 1000, reason: "operator" });
    expect(line?.["principal"]).toMatch(/^person:[0-9a-f]{8}$/);
  });

  test("are not ended without their principal, nor by a form that is refused", async () => {
    const { get, post, asked } = pages();
    expect((await get("/admin/sessions/end")).status).toBe(400);
    expect((await post("/admin/sessions/end")).status).toBe(400);
    expect((await post("/admin/sessions/end", { principal: "alice", refused: "" })).status).toBe(403);
    expect(asked).toEqual([]);
  });
});
