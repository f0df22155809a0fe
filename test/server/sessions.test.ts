// A test of the author's room, to copy: what a client is told of its sessions, and what it may not write.
import { expect, test } from "vitest";
import worker from "../../src/index.ts";
import { openClient, type TestClient } from "../support/client.ts";
import { clearWeb, createIssuer } from "../support/issuer.ts";

const TIME = /^\d{4}-\d\d-\d\dT.*Z$/;
const times = {
  created_at: expect.stringMatching(TIME),
  last_active: expect.stringMatching(TIME),
  expires_at: expect.stringMatching(TIME),
};

test("a session knows itself among the others of its key, and ends them", async () => {
  const client = await openClient(worker);
  const info = await client.call("session_info");
  expect(info).toEqual({
    session: expect.stringMatching(/^[0-9a-f]{8}$/),
    principal: "alice",
    protocol_version: "2025-11-25",
    client_info: { name: "test", version: "1" },
    capabilities: {},
    log_level: null,
    is_degraded: false,
    ...times,
  });
  const own = { session: info["session"], client: "test", is_current: true, ...times };
  expect(await client.call("list_my_sessions")).toEqual({ sessions: [own] });
  const other = await client.openAnother();
  const { session } = await other.call("session_info");
  const { sessions } = (await client.call("list_my_sessions")) as { sessions: object[] };
  expect(sessions).toHaveLength(2);
  expect(sessions).toEqual(expect.arrayContaining([own, { ...own, session, is_current: false }]));
  expect(await client.call("end_my_other_sessions")).toEqual({ ended: 1 });
  await expect(other.call("session_info")).rejects.toThrow("Session not found");
  expect(await client.call("list_my_sessions")).toEqual({ sessions: [own] });
});

test("an answer is there as text, too, for clients that read no structured content", async () => {
  const client = await openClient(worker);
  const answer = await client.request("tools/call", { name: "session_info", arguments: {} });
  expect(answer["content"]).toEqual([{ type: "text", text: JSON.stringify(answer["structuredContent"]) }]);
});

const described = async (client: TestClient) => {
  const { tools } = (await client.request("tools/list")) as {
    tools: { name: string; description: string }[];
  };
  return Object.fromEntries(tools.map(({ name, description }) => [name, description]));
};

test("the tools say what they do, and whose sessions they mean", async () => {
  expect(await described(await openClient(worker))).toEqual({
    session_info: "What the server knows about this session",
    list_my_sessions: "The live sessions that were opened with your key",
    end_my_other_sessions: "End all sessions that were opened with your key, but this one",
    session_state_get: expect.any(String),
    session_state_set: expect.any(String),
    session_state_delete: expect.any(String),
    session_state_increment: expect.any(String),
  });
});

test("a person is told who they are, and that the sessions are theirs", async () => {
  await clearWeb();
  const issuer = await createIssuer();
  await issuer.publish();
  const variables = { OAUTH_ISSUERS: issuer.url };
  const client = await openClient(worker, variables, await issuer.token("zoe", "mcp"));
  expect(await client.call("session_info")).toMatchObject({
    principal: JSON.stringify([issuer.url, "zoe"]),
    issuer: issuer.url,
    subject: "zoe",
  });
  expect(await described(client)).toMatchObject({
    list_my_sessions: "The live sessions that were opened by you",
    end_my_other_sessions: "End all sessions that were opened by you, but this one",
  });
});

test("a value is written and deleted only over the version that is meant", async () => {
  const client = await openClient(worker);
  expect(await client.call("session_state_get", { key: "k" })).toEqual({
    found: false,
    value: null,
    version: 0,
  });
  await client.call("session_state_set", { key: "k", value: 1, if_version: 0 });
  for (const [tool, input] of [
    ["session_state_set", { key: "k", value: 2, if_version: 0 }],
    ["session_state_delete", { key: "k", if_version: 7 }],
  ] as const)
    await expect(client.call(tool, input)).rejects.toThrow("has been changed meanwhile");
  expect(await client.state()).toEqual({ k: 1 });
  expect(await client.call("session_state_delete", { key: "k", if_version: 1 })).toEqual({ deleted: true });
});

test.each([
  { key: "", value: 1 },
  { key: "k".repeat(257), value: 1 },
  { key: "k", value: 1, if_version: -1 },
])("%j is refused before anything is written", async (input) => {
  const client = await openClient(worker);
  await expect(client.call("session_state_set", input)).rejects.toThrow(/key|if_version/);
  expect(await client.state()).toEqual({});
  expect(await client.call("session_state_set", { key: "k".repeat(256), value: 1 })).toMatchObject({
    version: 1,
  });
});
