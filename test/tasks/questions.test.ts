// Tasks that ask their clients.
import { acceptedContent, inputRequired, type McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import * as z from "zod";
import type { ServerContext } from "../../src/mcp/context.ts";
import { keys } from "../support/worker.ts";
import { says, type SeenTask, tasksWith } from "./wire.ts";

const none = { inputSchema: z.object({}) };
const name = z.object({ name: z.string() });
const form = (message: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  });
const accept = (said: string) => ({ action: "accept", content: { name: said } });
/** The keys of a task's questions by their messages. */
const asked = ({ inputRequests = {} }: SeenTask) =>
  Object.fromEntries(Object.entries(inputRequests).map(([key, { params }]) => [params.message, key]));

function registerAsking(server: McpServer, { task, requestState }: ServerContext): void {
  server.registerTool(
    "two",
    none,
    task((_, { mcpReq }) => {
      const [a, b] = ["a", "b"].map((key) => acceptedContent(mcpReq.inputResponses, key, name)?.name);
      if (a !== undefined && b !== undefined) return says(`${a} and ${b}`);
      return inputRequired({ inputRequests: { a: form("Who?"), b: form("Who else?") } });
    }),
  );
  server.registerTool(
    "again",
    none,
    task(async (_, { mcpReq }) => {
      const state = mcpReq.requestState<{ rounds: number }>();
      const rounds = (state?.rounds ?? 0) + 1;
      const said = acceptedContent(mcpReq.inputResponses, "who ♥/?", name)?.name;
      if (rounds > 2) return says(`${said} after ${rounds - 1} rounds`);
      const sealed = await requestState?.seal({ rounds }, { singleUse: true });
      return inputRequired({
        inputRequests: { "who ♥/?": form(`Round ${rounds}`) },
        ...(sealed !== undefined && { requestState: sealed }),
      });
    }),
  );
  const greet = task({ required: true }, ({ who }: { who: string }) => says(`Hello, ${who}!`));
  server.registerTool("first", none, async (_, { mcpReq }) => {
    const who = acceptedContent(mcpReq.inputResponses, "who", name)?.name;
    if (who !== undefined) return greet({ who });
    const sealed = await requestState?.seal("once", { singleUse: true });
    return inputRequired({
      inputRequests: { who: form("Who?") },
      ...(sealed !== undefined && { requestState: sealed }),
    });
  });
  server.registerTool(
    "nothing",
    none,
    task(() => inputRequired({ requestState: "x" })),
  );
}

const vars = { MCP_REQUEST_STATE_KEYS: "a-key-of-32-characters-or-more-0" };
const asking = () => tasksWith(registerAsking, vars);

test("a task waits until all of its questions are answered; each is answered once", async () => {
  const { call, send, settled, get } = await asking();
  const { taskId } = await call("two");
  const waiting = await settled(taskId);
  expect(waiting).toMatchObject({ status: "input_required" });
  expect(waiting.inputRequests).toEqual({
    [asked(waiting)["Who?"] ?? ""]: form("Who?"),
    [asked(waiting)["Who else?"] ?? ""]: form("Who else?"),
  });
  expect(waiting).not.toHaveProperty("requestState");
  const { "Who?": first = "", "Who else?": second = "" } = asked(waiting);
  const update = async (inputResponses: object) => {
    const { result } = await send("tasks/update", { taskId, inputResponses });
    const { _meta, ...answer } = result;
    expect(answer).toEqual({ resultType: "complete" });
  };
  await update({ unknown: { ignored: true }, "0.a": accept("of another round") });
  expect(asked(await get(taskId))).toEqual(asked(waiting));
  await update({ [first]: accept("A") });
  expect(asked(await get(taskId))).toEqual({ "Who else?": second });
  await update({ [first]: accept("not A") });
  await update({ [first]: accept("not A"), [second]: accept("B"), unknown: accept("C") });
  expect(await settled(taskId)).toMatchObject({ status: "completed", result: says("A and B") });
  await update({ [second]: accept("not B") });
  expect((await get(taskId)).result).toEqual(says("A and B"));
});

test("questions of a later round have other keys, and what the tool carries comes back with the answers", async () => {
  const { call, send, settled } = await asking();
  const { taskId } = await call("again");
  const first = asked(await settled(taskId));
  const key = first["Round 1"] ?? "";
  expect(key).toMatch(/^[\w.!~*'()%-]+$/);
  await send("tasks/update", { taskId, inputResponses: { [key]: accept("one") } });
  const second = asked(await settled(taskId));
  const later = second["Round 2"] ?? "";
  expect(later).not.toBe(key);
  // The answer of the round before changes nothing.
  await send("tasks/update", { taskId, inputResponses: { [key]: accept("old") } });
  await send("tasks/update", { taskId, inputResponses: { [later]: accept("two") } });
  expect(await settled(taskId)).toMatchObject({ status: "completed", result: says("two after 2 rounds") });
});

test("a tool asks first, and becomes a task when it is answered", async () => {
  const { send, settled, database } = await asking();
  const { result: first } = await send("tools/call", { name: "first", arguments: {} });
  expect(first).toMatchObject({ resultType: "input_required", inputRequests: { who: form("Who?") } });
  expect(first).not.toHaveProperty("taskId");
  expect(await database.query("SELECT FROM mcp_tasks")).toHaveLength(0);
  const { result: second } = await send("tools/call", {
    name: "first",
    arguments: {},
    inputResponses: { who: accept("Alice") },
    requestState: first.requestState,
  });
  expect(second).toMatchObject({ resultType: "task", status: "working" });
  expect(second).not.toHaveProperty("requestState");
  expect(second).not.toHaveProperty("inputRequests");
  // The state is good for one use: that of its client. The task reads it again.
  expect(await settled(second.taskId)).toMatchObject({ status: "completed", result: says("Hello, Alice!") });
});

test("nobody else answers, and answers hold what JSON can hold", async () => {
  const { call, send, settled } = await asking();
  const { taskId } = await call("two");
  const { "Who?": first = "", "Who else?": second = "" } = asked(await settled(taskId));
  const inputResponses = {
    [first]: accept("\u0000"),
    [second]: accept('\ud800 \\u0000 "'),
    ["__proto__"]: {},
  };
  expect((await send("tasks/update", { taskId, inputResponses }, { key: keys.bob })).error?.code).toBe(
    -32_602,
  );
  expect(await settled(taskId)).toMatchObject({ status: "input_required" });
  expect((await send("tasks/update", { taskId })).error?.code).toBe(-32_602);
  await send("tasks/update", { taskId, inputResponses });
  expect((await settled(taskId)).result).toEqual(says('\u0000 and \ud800 \\u0000 "'));
});

test("who cannot be asked, and who is asked nothing, ends as a failed task", async () => {
  const { call, settled } = await asking();
  const { extensions } = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  const mute = await call("two", {}, { capabilities: { extensions } });
  expect(await settled(mute.taskId)).toMatchObject({
    status: "failed",
    error: { code: -32_021, data: { requiredCapabilities: { elicitation: {} } } },
  });
  expect(await settled((await call("nothing")).taskId)).toMatchObject({
    status: "failed",
    error: { code: -32_603, message: "A task that needs input must say which" },
  });
});

test("a waiting task is cancelled at once, and takes no answer after that", async () => {
  const { call, send, settled, get } = await asking();
  const { taskId } = await call("two");
  const questions = asked(await settled(taskId));
  await send("tasks/cancel", { taskId });
  expect(await get(taskId)).toMatchObject({ status: "cancelled" });
  expect(await get(taskId)).not.toHaveProperty("inputRequests");
  const inputResponses = Object.fromEntries(Object.values(questions).map((key) => [key, accept("late")]));
  expect((await send("tasks/update", { taskId, inputResponses })).result).toMatchObject({
    resultType: "complete",
  });
  expect(await settled(taskId)).toMatchObject({ status: "cancelled" });
});
