// The run of a task: what its tool is given, what is kept of how it ends, and what is said of it.
import {
  acceptedContent,
  inputRequired,
  McpServer,
  ProtocolError,
  type ServerContext as ToolContext,
} from "@modelcontextprotocol/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { DatabaseFault, undoneWrite } from "../../src/db/fault.ts";
import type { ServerContext } from "../../src/mcp/context.ts";
import { createServerFactory, type ServerFactory } from "../../src/mcp/server-factory.ts";
import { createTaskRun, type TaskRunOptions } from "../../src/mcp/task-run.ts";
import { RENEWAL_MS } from "../../src/tasks/lease.ts";
import { RESULT_BYTES, type TakenTask, type TaskStore } from "../../src/tasks/store.ts";
import { logged } from "../support/captured-logs.ts";
import { metaOf, says, taskStoreOf } from "./served.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

const KEY = "ab".repeat(32);
const stored = {
  caller: { kind: "key", name: "alice", scopes: ["mcp"] },
  url: "https://worker.test/mcp",
  headers: {},
  params: { name: "do", arguments: {}, _meta: metaOf() },
};
const taken: TakenTask = {
  outcome: "taken",
  owner: "alice",
  call: stored,
  answers: [],
  requestState: null,
  attempt: 2,
  version: 5,
};
const form = inputRequired.elicit({
  message: "Who?",
  requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
});

type Register = (server: McpServer, context: ServerContext) => void;
type Handler = (context: ToolContext) => object | Promise<object>;

/** Registers the tool `do`. */
const tool =
  (make: (context: ServerContext, server: McpServer) => Handler): Register =>
  (server, context) => {
    const handler = make(context, server);
    server.registerTool("do", { inputSchema: z.object({}) }, async (_, own) => ({
      ...says(""),
      ...(await handler(own)),
    }));
  };
const factory = (register: Register) => createServerFactory({ name: "test", version: "1", register }, {});

/** Runs a task whose store says what the test says. */
function running(createServer: ServerFactory, own: Partial<TaskStore> = {}, of: Partial<TakenTask> = {}) {
  const kept: unknown[] = [];
  const claims = new Set<string>();
  const promises: Promise<unknown>[] = [];
  const store = taskStoreOf({
    take: async (_, claim) => {
      claims.add(claim);
      return { ...taken, ...of };
    },
    finish: async (key, claim, ending) => {
      claims.add(claim);
      kept.push([key, ending]);
      return true;
    },
    ask: async (key, claim, ...asked) => {
      claims.add(claim);
      kept.push([key, ...asked]);
      return true;
    },
    ...own,
  });
  const unused = {} as never;
  const options: TaskRunOptions = {
    createServer,
    tasks: { store },
    sessions: unused,
    state: unused,
    tokens: undefined,
    handles: undefined,
    requestState: undefined,
  };
  const run = () => createTaskRun(options)(KEY, { waitUntil: (promise) => void promises.push(promise) });
  return { kept, claims, promises, run };
}

const completed = (result: object) => [KEY, { status: "completed", result: JSON.stringify(result) }];
const failed = (message: string, code = -32603) => [
  KEY,
  { status: "failed", result: JSON.stringify({ code, message }) },
];
const lines = (outcome: string) => [
  expect.objectContaining({ level: "INFO", task: KEY.slice(0, 8), outcome, attempt: 2 }),
];

test.each(["busy", "over"] as const)("a task that is %s is not run", async (outcome) => {
  const { run, kept } = running(() => Promise.reject(new Error("Not made")), {
    take: async () => ({ outcome }),
  });
  expect(await run()).toBe(outcome);
  expect([kept, vi.getTimerCount(), logged("Task run")]).toEqual([[], 0, []]);
});

describe("a task that ends", () => {
  test("keeps its result, says how long it took, and gives its lease back", async () => {
    const { run, kept, claims } = running(
      factory(
        tool(() => () => {
          vi.setSystemTime(Date.now() + 250);
          return says("done");
        }),
      ),
    );
    expect(await run()).toBe("done");
    expect(kept).toEqual([completed(says("done"))]);
    expect([claims.size, vi.getTimerCount()]).toEqual([1, 0]);
    expect(logged("Task run")).toEqual([
      expect.objectContaining({ outcome: "completed", attempt: 2, duration_ms: 250 }),
    ]);
  });

  test("when it is no longer wanted has been stopped", async () => {
    const { run } = running(factory(tool(() => () => says("done"))), { finish: async () => false });
    expect(await run()).toBe("over");
    expect([logged("Task run"), vi.getTimerCount()]).toEqual([lines("stopped"), 0]);
  });

  test("with a mistake of its tool has a result", async () => {
    const { run, kept } = running(
      factory(
        tool(() => () => {
          throw new Error("a mistake");
        }),
      ),
    );
    expect(await run()).toBe("done");
    expect(kept).toEqual([completed({ ...says("a mistake"), isError: true })]);
  });

  test("with an error of the protocol has failed", async () => {
    const { run, kept } = running(
      factory(
        tool(({ task }) =>
          task(() => {
            throw new ProtocolError(-32_000, "refused");
          }),
        ),
      ),
    );
    expect(await run()).toBe("done");
    expect([kept, logged("Task run")]).toEqual([[failed("refused", -32_000)], lines("failed")]);
  });

  test("without any answer of the server has failed", async () => {
    const { run, kept } = running(
      factory(
        tool((_, server) => async () => {
          await server.close();
          return says("done");
        }),
      ),
    );
    expect(await run()).toBe("done");
    expect(kept).toEqual([failed("The call was refused")]);
  });

  test("without the scopes of its tool has failed", async () => {
    const { run, kept } = running(
      factory((server, { requireScopes }) => {
        const scopeChallenge = requireScopes("notes:read");
        server.registerTool("do", { inputSchema: z.object({}), scopeChallenge }, () => says("never"));
      }),
    );
    expect(await run()).toBe("done");
    expect(kept).toEqual([failed("The call was refused")]);
  });

  test.each([
    ["is kept", 0, true],
    ["is replaced by an error", 1, false],
  ])("with a result of a mebibyte and %s: %d bytes more", async (_, more, isKept) => {
    const odd = "é";
    const bare = new TextEncoder().encode(JSON.stringify(says(odd))).length;
    const text = odd + "x".repeat(RESULT_BYTES - bare + more);
    const { run, kept } = running(factory(tool(() => () => says(text))));
    await run();
    expect(kept).toEqual([isKept ? completed(says(text)) : failed("The result is too large to be kept")]);
  });
});

describe("a task that asks its client", () => {
  test("waits, and each question has a key of this run", async () => {
    const { run, kept, claims } = running(
      factory(tool(() => () => inputRequired({ inputRequests: { "a b": form }, requestState: "next" }))),
    );
    expect(await run()).toBe("done");
    expect(kept).toEqual([[KEY, { "5.a%20b": form }, "next"]]);
    expect([claims.size, logged("Task run"), vi.getTimerCount()]).toEqual([1, lines("input_required"), 0]);
  });

  test("without a state has none", async () => {
    const { run, kept } = running(factory(tool(() => () => inputRequired({ inputRequests: { a: form } }))));
    await run();
    expect(kept).toEqual([[KEY, { "5.a": form }, undefined]]);
  });

  test("for nothing has failed", async () => {
    const { run, kept } = running(factory(tool(() => () => inputRequired({ requestState: "next" }))));
    await run();
    expect(kept).toEqual([failed("A task that needs input must say which")]);
  });

  test("gets all answers by their names, and the state", async () => {
    const name = z.object({ name: z.string() });
    const accept = (said: string) => ({ action: "accept", content: { name: said } });
    const { run, kept } = running(
      factory(
        tool(() => ({ mcpReq }) => {
          const given = ["early", "late"].map(
            (key) => acceptedContent(mcpReq.inputResponses, key, name)?.name,
          );
          return says(`${given.join(" and ")}, ${String(mcpReq.requestState())}`);
        }),
      ),
      {},
      {
        call: { ...stored, params: { ...stored.params, inputResponses: { early: accept("Ada") } } },
        answers: [{ key: "2.late", answer: accept("Bob") }],
        requestState: "state",
      },
    );
    await run();
    expect(kept).toEqual([completed(says("Ada and Bob, state"))]);
  });
});

describe("a task that cannot be run", () => {
  test("has failed when its call is of another version", async () => {
    const { run, kept } = running(() => Promise.reject(new Error("Not made")), {}, { call: { of: "x" } });
    expect(await run()).toBe("done");
    expect([kept, logged("Task broken")]).toEqual([[failed("The call was kept by another version")], []]);
  });

  test("has failed when its server cannot be made, and the log names the mistake", async () => {
    const { run, kept } = running(() => Promise.reject(new RangeError("secret")));
    expect(await run()).toBe("done");
    expect(kept).toEqual([failed("The server could not be made")]);
    expect(logged("Task broken")).toEqual([
      expect.objectContaining({ level: "ERROR", task: KEY.slice(0, 8), error: "RangeError" }),
    ]);
  });

  test("is tried again when the database has failed, and its lease runs out", async () => {
    const fault = new DatabaseFault("reading", undoneWrite);
    const { run, kept } = running(() => Promise.reject(fault));
    await expect(run()).rejects.toBe(fault);
    expect([kept, vi.getTimerCount(), logged()]).toEqual([[], 0, []]);
  });
});

test("a task whose lease is lost is stopped at once, and its tool is told", async () => {
  const told: boolean[] = [];
  const { run, kept } = running(
    factory(
      tool(({ signal }) => async () => {
        signal.addEventListener("abort", () => void told.push(signal.aborted));
        await new Promise(() => undefined);
        return says("never");
      }),
    ),
    { renew: async () => false },
  );
  const ended = run();
  await vi.advanceTimersByTimeAsync(RENEWAL_MS);
  expect(await ended).toBe("over");
  expect([told, kept, vi.getTimerCount(), logged("Task run")]).toEqual([[true], [], 0, lines("stopped")]);
});

test("a tool gets what it needs of the run", async () => {
  const later = Promise.resolve();
  const { run, kept, promises } = running(
    factory(
      tool(({ principal, taskRun, session, waitUntil }) => () => {
        waitUntil(later);
        return says(JSON.stringify([principal, taskRun, session ?? null]));
      }),
    ),
  );
  await run();
  expect(kept).toEqual([completed(says(JSON.stringify(["alice", { key: KEY, attempt: 2 }, null])))]);
  expect(promises).toEqual([later]);
});
