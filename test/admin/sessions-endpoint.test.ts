// The operator's routes of the sessions by themselves. Over a database: sessions.test.ts.
import { Hono } from "hono";
import { expect, test } from "vitest";
import {
  endSessionRoute,
  endSessionsRoute,
  listSessionsRoute,
  sessionsEndpoint,
} from "../../src/admin/sessions-endpoint.ts";
import type { EndedSession, SessionsStore } from "../../src/admin/sessions-store.ts";
import type { Principal } from "../../src/auth/principal.ts";
import { AppError } from "../../src/http/errors.ts";
import { operations } from "../../src/http/openapi.ts";
import { logged } from "../support/captured-logs.ts";

const HANDLE = "0123abcd-4567-4abc-9def-0123456789ab";

/** The routes over a store that ends this session, and what the store was asked. */
function routes({ ended, isAnonymous = false }: { ended?: EndedSession; isAnonymous?: boolean } = {}) {
  const asked: unknown[] = [];
  const store: SessionsStore = {
    list: async (filter) => {
      asked.push(["list", filter]);
      return { sessions: [], next: HANDLE };
    },
    end: async (handle) => {
      asked.push(["end", handle]);
      return ended;
    },
    endAll: async (principal) => {
      asked.push(["endAll", principal]);
      return { ended: 3, hasMore: true };
    },
    find: () => Promise.reject(new Error("no route finds one")),
    countEndable: () => Promise.reject(new Error("no route counts them")),
  };
  const { list, end, endAll } = sessionsEndpoint({ store });
  const app = new Hono<{ Variables: { principal: Principal } }>()
    .use(async (c, next) => {
      if (!isAnonymous) c.set("principal", { name: "ops", label: "ops", scopes: ["admin"] });
      await next();
    })
    .get("/sessions", list)
    .delete("/sessions", endAll)
    .delete("/sessions/:handle", end)
    .onError((error, c) =>
      c.json({ code: error instanceof AppError ? error.code : "internal", message: error.message }, 400),
    );
  const ask = async (method: string, path: string) => {
    const response = await app.request(path, { method });
    const text = await response.text();
    return [response.status, text === "" ? null : (JSON.parse(text) as unknown)];
  };
  return { ask, asked };
}

const refusal = (message: string, code = "invalid_request") => [400, { code, message }];

test("a page is what the store finds for the parameters", async () => {
  const { ask, asked } = routes();
  expect(await ask("GET", "/sessions")).toEqual([200, { sessions: [], next: HANDLE }]);
  await ask(
    "GET",
    `/sessions?state=active&session=0a1b2c3d&client=x&after=${HANDLE}&limit=3&principal=alice`,
  );
  await ask("GET", "/sessions?issuer=i&subject=s");
  expect(asked).toEqual([
    ["list", { limit: 100, principal: undefined }],
    [
      "list",
      { state: "active", session: "0a1b2c3d", client: "x", after: HANDLE, limit: 3, principal: "alice" },
    ],
    ["list", { limit: 100, principal: '["i","s"]' }],
  ]);
});

test("to end one is 204 without a body, and the log says by whom", async () => {
  const { ask, asked } = routes({ ended: { session: "0a1b2c3d", principal: "alice" } });
  expect(await ask("DELETE", `/sessions/${HANDLE}`)).toEqual([204, null]);
  expect(asked).toEqual([["end", HANDLE]]);
  expect(logged("MCP sessions ended")).toEqual([
    expect.objectContaining({ level: "INFO", by: "ops", ended: 1, reason: "operator" }),
  ]);
});

test("one that is not there is not found, and nothing is logged", async () => {
  expect(await routes().ask("DELETE", `/sessions/${HANDLE}`)).toEqual(
    refusal("Session not found", "session_not_found"),
  );
  expect(logged("MCP sessions ended")).toEqual([]);
});

test("to end all of a principal says how many, and whether there are more", async () => {
  const { ask, asked } = routes();
  expect(await ask("DELETE", "/sessions?principal=alice")).toEqual([200, { ended: 3, has_more: true }]);
  expect(await ask("DELETE", "/sessions?issuer=i&subject=s")).toEqual([200, { ended: 3, has_more: true }]);
  expect(asked).toEqual([
    ["endAll", "alice"],
    ["endAll", '["i","s"]'],
  ]);
  expect(logged("MCP sessions ended")).toEqual([
    expect.objectContaining({ by: "ops", principal: "alice", ended: 3 }),
    expect.objectContaining({
      by: "ops",
      principal: expect.stringMatching(/^person:[0-9a-f]{8}$/),
      ended: 3,
    }),
  ]);
});

test.each([
  ["DELETE", "/sessions", "The parameter principal is required, or issuer and subject"],
  ["DELETE", "/sessions?issuer=i", "The parameters issuer and subject must be given together"],
  [
    "DELETE",
    "/sessions?principal=a&x=1",
    "The parameter x is not known; known are principal, issuer, subject",
  ],
  ["DELETE", `/sessions/${HANDLE}?x=1`, "The parameter x is not known; this route has none"],
  ["DELETE", "/sessions/x", "The parameter handle must be a handle, as GET /sessions gives them"],
  ["GET", "/sessions?after=x", "The parameter after must be a handle, as GET /sessions gives them"],
  ["GET", "/sessions?state=x", "The parameter state must be active or expired"],
])("%s %s is refused, and the store is not asked: %s", async (method, path, message) => {
  const { ask, asked } = routes();
  expect(await ask(method, path)).toEqual(refusal(message));
  expect(asked).toEqual([]);
});

test.each(["/sessions?principal=alice", `/sessions/${HANDLE}`])(
  "nothing is ended of which the log cannot say by whom: %s",
  async (path) => {
    const { ask, asked } = routes({ isAnonymous: true });
    expect(await ask("DELETE", path)).toEqual(refusal("The route has no authentication", "internal"));
    expect(asked).toEqual([]);
  },
);

test("each route says what it may refuse, and describes what it answers", () => {
  const ofStore = ["sessions_unavailable", "sessions_unusable"];
  const list = operations.get(listSessionsRoute);
  const one = operations.get(endSessionRoute);
  const all = operations.get(endSessionsRoute);
  expect([list?.refusals, one?.refusals, all?.refusals]).toEqual([
    ["invalid_request", ...ofStore],
    ["invalid_request", "session_not_found", ...ofStore],
    ["invalid_request", ...ofStore],
  ]);
  expect(list?.answers[200]?.schema?.parse({ sessions: [], next: null })).toEqual({
    sessions: [],
    next: null,
  });
  expect(one?.answers).toEqual({ 204: { description: "It is ended" } });
  expect(Object.keys(all?.answers ?? {})).toEqual(["200"]);
  const schema = all?.answers[200]?.schema;
  expect(schema?.parse({ ended: 3, has_more: true })).toEqual({ ended: 3, has_more: true });
  for (const wrong of [{ ended: -1, has_more: true }, { ended: 1 }, { has_more: true }])
    expect(schema?.safeParse(wrong).success).toBe(false);
});
