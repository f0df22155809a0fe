// Every fault of Neon's against what outlives a request: nothing is lost that was acknowledged, nothing is there twice, and a
// question is answered once or not at all.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  inputRequired,
  inputResponse,
  type McpServer,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import type { ServerContext } from "../../src/mcp/context.ts";
import { logged } from "../support/captured-logs.ts";
import { clientInfo } from "../support/mcp.ts";
import { databaseRequests, faultHits, keys, setFaults } from "../support/worker.ts";
import { type Isolates, isolates } from "../streams/isolates.ts";
import {
  answerTo,
  callOf,
  eventsIn,
  eventsOf,
  messagesOf,
  openSession,
  post,
  resume,
  textOf,
} from "../streams/wire.ts";
import { ask, type Case, casesOf, each, env, refusedIn, rows, strike, whileItLasts } from "./cases.ts";

afterEach(() => setFaults());

// The shortest delays between attempts.
beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});

const none = { inputSchema: z.object({}) };
const form = inputRequired.elicit({
  message: "?",
  requestedSchema: { type: "object", properties: { ok: { type: "string" } } },
});
const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
const ended = new Map<string, number>();

function register(server: McpServer, { session, requestState }: ServerContext): void {
  server.registerTool("close", none, (_input, { http }) => {
    http?.closeSSE?.();
    return says("done");
  });
  server.registerTool("ask", none, (_input, { mcpReq: { inputResponses } }) => {
    const answer = inputResponse(inputResponses, "q");
    if (answer.kind !== "elicit") return inputRequired({ inputRequests: { q: form } });
    const key = session?.key ?? "";
    ended.set(key, (ended.get(key) ?? 0) + 1);
    return says(JSON.stringify(answer.content));
  });
  server.registerTool("buy", none, async (_input, { mcpReq }) => {
    if (inputResponse(mcpReq.inputResponses, "q").kind === "elicit")
      return says(`Bought for ${mcpReq.requestState<number>()}`);
    const sealed = await requestState?.seal(42, { singleUse: true });
    return inputRequired({ inputRequests: { q: form }, requestState: sealed ?? "" });
  });
}

const streaming = { MCP_STREAMS: "true", MCP_REQUEST_STATE_KEYS: "a-key-of-more-than-32-characters-0" };
/** An isolate that asks with the budget of the case; another one asks as usual. */
const struck = (one: Case) => isolates({ ...env(one), ...streaming }, register, 1);
const fresh = ({ database }: Case) => isolates(database.env(streaming), register, 1);

interface Streamed extends Case {
  workers: Isolates;
}

/** @param make gets what the fault does not hit. */
async function streamedCases(chosen = rows): Promise<Streamed[]> {
  const cases = await casesOf(chosen, false);
  const streamed: Streamed[] = [];
  for (const one of cases) {
    one.session = await openSession(fresh(one));
    streamed.push({ ...one, workers: struck(one) });
  }
  return streamed;
}

async function asked(one: Case, workers = fresh(one)) {
  const events = await eventsOf(await post(workers, callOf("ask"), { session: one.session }));
  await workers.settled();
  const last = events.at(-1);
  return {
    first: events[0]?.id ?? "",
    question: last?.message?.method === undefined ? undefined : String(last.message.id),
    refused: textOf(last?.message),
  };
}

const answer = ({ session }: Case, workers: Isolates, question: string | undefined, ok = "yes") =>
  post(workers, answerTo(question, { ok }), { session });

async function resultOf(one: Case, first: string): Promise<string[]> {
  const { messages } = await resume(fresh(one), first, { session: one.session });
  return messages.flatMap((message) => textOf(message) ?? message.error?.message ?? []);
}

async function buy(workers: Isolates, requestState?: string) {
  const meta = {
    [PROTOCOL_VERSION_META_KEY]: "2026-07-28",
    [CLIENT_INFO_META_KEY]: clientInfo,
    [CLIENT_CAPABILITIES_META_KEY]: { elicitation: {} },
  };
  const back = requestState !== undefined && {
    requestState,
    inputResponses: { q: { action: "accept", content: {} } },
  };
  const response = await workers.fetch("https://worker.test/mcp", {
    method: "POST",
    headers: {
      Authorization: `Bearer ${keys.alice}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "MCP-Protocol-Version": "2026-07-28",
      "Mcp-Method": "tools/call",
      "Mcp-Name": "buy",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "buy", arguments: {}, ...back, _meta: meta },
    }),
  });
  return response;
}

async function outcomeOf(response: Response) {
  const text = await response.text();
  const [message] =
    response.headers.get("Content-Type")?.startsWith("text/event-stream") === true
      ? messagesOf(eventsIn(text))
      : [JSON.parse(text)];
  return message;
}
const stateOf = async (response: Response) => String((await outcomeOf(response)).result.requestState);

describe("while a fault lasts", () => {
  test("an answer that cannot be stored is logged, and is there whole or not at all", async () => {
    const interrupted = expect.stringContaining("interrupted");
    const cases = await streamedCases();
    const closed = async (one: Case) => {
      const { workers } = one as Streamed;
      const events = await eventsOf(await post(workers, callOf("close"), { session: one.session }));
      await workers.settled();
      return events[0]?.id ?? "";
    };
    const ids = await whileItLasts(cases, closed, { matching: "mcp_append_events" });
    expect(
      logged("Events not kept")
        .map(({ reason }) => String(reason))
        .toSorted(),
    ).toEqual(cases.map(({ reason }) => reason).toSorted());
    const found = async (one: Case) => resultOf(one, ids[JSON.stringify(one.fault)] ?? "");
    expect(await each(cases, found)).toEqual(
      await each(cases, ({ commits = false }) => (commits ? ["done"] : [])),
    );
    await each(cases, ({ database }) =>
      database.query("UPDATE mcp_streams SET detached_at = detached_at - interval '1 minute'"),
    );
    for (let times = 0; times < 2; times++)
      expect(await each(cases, found)).toEqual(
        await each(cases, ({ commits = false }) => [commits ? "done" : interrupted]),
      );
  });

  test("a question that cannot be kept is not asked", async () => {
    const cases = await streamedCases();
    const outcomes = await whileItLasts(cases, (one) => asked(one, (one as Streamed).workers), {
      matching: "mcp_append_events",
    });
    for (const { question, refused } of Object.values(outcomes)) {
      expect(question).toBeUndefined();
      expect(refused).toContain("cannot be kept");
    }
  });

  test("an answer is refused, is taken once or not at all, and the call ends", async () => {
    const interrupted = expect.stringContaining("interrupted");
    const cases = await streamedCases();
    const known = new Map<Case, { first: string; question: string | undefined }>();
    for (const one of cases) known.set(one, await asked(one));
    const answered = (one: Case) => ask(answer(one, (one as Streamed).workers, known.get(one)?.question));
    expect(await whileItLasts(cases, answered, { matching: "mcp_answer_question" })).toEqual(
      await each(cases, refusedIn),
    );
    // Its client answers again.
    const again = async (one: Case) => {
      const workers = fresh(one);
      const { status } = await answer(one, workers, known.get(one)?.question, "again");
      await workers.settled();
      return status;
    };
    expect(await each(cases, again)).toEqual(await each(cases, () => 202));
    await each(cases, ({ database }) =>
      database.query("UPDATE mcp_streams SET detached_at = detached_at - interval '1 minute'"),
    );
    expect(await each(cases, (one) => resultOf(one, known.get(one)?.first ?? ""))).toEqual(
      await each(cases, ({ commits = false }) => [commits ? interrupted : '{"ok":"again"}']),
    );
  });

  test("a client that comes back is told to wait, and loses nothing", async () => {
    const cases = await streamedCases();
    const ids = new Map<Case, string>();
    for (const one of cases) {
      const workers = fresh(one);
      const [first] = await eventsOf(await post(workers, callOf("close"), { session: one.session }));
      await workers.settled();
      ids.set(one, first?.id ?? "");
    }
    const back = (one: Case) => {
      const sent = { session: one.session, method: "GET", lastEventId: ids.get(one) ?? "" };
      return ask(post((one as Streamed).workers, "", sent));
    };
    expect(await whileItLasts(cases, back, { matching: "mcp_replay_stream" })).toEqual(
      await each(cases, refusedIn),
    );
    expect(await each(cases, (one) => resultOf(one, ids.get(one) ?? ""))).toEqual(
      await each(cases, () => ["done"]),
    );
  });

  test("a cancellation is refused, and can be sent again", async () => {
    const cases = await streamedCases();
    for (const one of cases) await asked(one);
    const message = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
    const cancel = (one: Case, workers: Isolates) => post(workers, message, { session: one.session });
    expect(
      await whileItLasts(cases, (one) => ask(cancel(one, (one as Streamed).workers)), {
        matching: "mcp_cancel_call",
      }),
    ).toEqual(await each(cases, refusedIn));
    const left = async ({ database }: Case) => (await database.query("SELECT FROM mcp_questions")).length;
    expect(await each(cases, left)).toEqual(await each(cases, ({ commits = false }) => (commits ? 0 : 1)));
    expect(await each(cases, async (one) => (await cancel(one, fresh(one))).status)).toEqual(
      await each(cases, () => 202),
    );
    expect(await each(cases, left)).toEqual(await each(cases, () => 0));
  });

  test("a state of one use is used once or not at all", async () => {
    const cases = await streamedCases();
    const states = new Map<Case, string>();
    for (const one of cases) states.set(one, await stateOf(await buy(fresh(one))));
    const bought = async (one: Case) => (await buy((one as Streamed).workers, states.get(one))).status;
    expect(await whileItLasts(cases, bought, { matching: "mcp_make_mark" })).toEqual(
      await each(cases, () => 503),
    );
    const again = async (one: Case) => textOf(await outcomeOf(await buy(fresh(one), states.get(one))));
    expect(await each(cases, again)).toEqual(
      await each(cases, ({ commits = false }) => (commits ? undefined : "Bought for 42")),
    );
    expect(await each(cases, again)).toEqual(await each(cases, () => undefined));
  });
});

test("when a fault hits once, everything is as if nothing had happened, with one attempt more, and done once", async () => {
  const cases = await streamedCases(rows.filter(({ isRetried }) => isRetried !== false));
  /** What comes of the work, in which the fault hits one of so many requests, and one more makes up for it. */
  const hit = async <T>(work: (one: Streamed) => Promise<T>, requests: number, matching: string) => {
    await strike(cases, { times: 1, matching });
    const before = await databaseRequests();
    const outcomes = await each(cases, (one) => work(one as Streamed));
    expect(await faultHits()).toEqual(cases.map(() => 1));
    expect((await databaseRequests()) - before).toBe(cases.length * (requests + 1));
    await setFaults();
    return outcomes;
  };
  const all = <T>(value: T) => each(cases, () => value);
  const firsts = new Map<Case, string>();

  const closed = await hit(
    async ({ workers, session }) => {
      const events = await eventsOf(await post(workers, callOf("close"), { session }));
      await workers.settled();
      return events[0]?.id ?? "";
    },
    2,
    "mcp_append_events",
  );
  expect(await each(cases, (one) => resultOf(one, closed[JSON.stringify(one.fault)] ?? ""))).toEqual(
    await all(["done"]),
  );

  const questions = await hit((one) => asked(one, one.workers), 2, "mcp_append_events");
  const of = (one: Case) => questions[JSON.stringify(one.fault)];
  expect(
    await each(cases, async ({ database }) => (await database.query("SELECT FROM mcp_questions")).length),
  ).toEqual(await all(1));

  ended.clear();
  const answered = async (one: Streamed) => {
    const { status } = await answer(one, one.workers, of(one)?.question);
    await one.workers.settled();
    return status;
  };
  // The session, the answer, and the result.
  expect(await hit(answered, 3, "mcp_answer_question")).toEqual(await all(202));
  expect([...ended.values()]).toEqual(cases.map(() => 1));
  for (const one of cases) firsts.set(one, of(one)?.first ?? "");

  const back = async (one: Streamed) =>
    (await resume(one.workers, firsts.get(one) ?? "", { session: one.session })).messages.map(textOf).at(-1);
  expect(await hit(back, 2, "mcp_replay_stream")).toEqual(await all('{"ok":"yes"}'));

  // On another isolate than the one that knows of the call.
  const cancel = async (one: Streamed) => {
    const message = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "other" } };
    return (await post(one.workers, message, { session: one.session })).status;
  };
  expect(await hit(cancel, 2, "mcp_cancel_call")).toEqual(await all(202));
  expect(
    await each(cases, async ({ database }) => (await database.query("SELECT FROM mcp_marks")).length),
  ).toEqual(await all(1));

  const states = await each(cases, async (one) => stateOf(await buy(fresh(one))));
  const bought = async (one: Streamed) =>
    textOf(await outcomeOf(await buy(one.workers, states[JSON.stringify(one.fault)])));
  expect(await hit(bought, 1, "SELECT mcp_make_mark")).toEqual(await all("Bought for 42"));
});
