// What outlives a request, with MCP_STREAMS: two Workers behind a switch that sends every request to the other one, and a
// restart of both in the middle.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CreateMessageRequestSchema, ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSystem, type System, type TestWorker } from "./support.ts";

let system: System;
let workers: readonly [TestWorker, TestWorker];
beforeAll(async () => {
  system = await startSystem();
  const vars = { MCP_STREAMS: "true", MCP_STREAM_RETRY_MS: "200" };
  workers = await Promise.all([system.startWorker(vars), system.startWorker(vars)]);
});
afterAll(() => system.stop());

// A deploy is no outage: requests wait for the new version.
let deployed: Promise<unknown> = Promise.resolve();
function restart(): Promise<unknown> {
  deployed = Promise.all(workers.map((worker) => worker.restart()));
  return deployed;
}
const clientInfo = { name: "asked", version: "1.0.0" };
const capabilities = { elicitation: { form: {} }, sampling: {} };

interface Answers {
  /** What a person says to a question with this name of a field. */
  person: (field: string, message: string) => Promise<string>;
  model: () => Promise<string>;
}

interface Asked {
  call: (
    name: string,
    args?: Record<string, unknown>,
    onProgress?: (progress: number) => void,
  ) => Promise<string>;
  exchanges: { method: string; worker: number; status: number }[];
  close: () => Promise<void>;
}

/** Fetches from one Worker after the other. */
function switching() {
  const exchanges: Asked["exchanges"] = [];
  let turn = 0;
  return {
    exchanges,
    settings: {
      requestInit: { headers: { Authorization: `Bearer ${system.keys.alice}` } },
      async fetch(_: string | URL, init?: RequestInit) {
        await deployed;
        const worker = turn++ % 2;
        const response = await fetch(workers[worker === 0 ? 0 : 1].mcp, init);
        exchanges.push({ method: init?.method ?? "GET", worker, status: response.status });
        return response;
      },
    },
  };
}

const fieldOf = (schema: unknown) => Object.keys(Object(schema).properties ?? {})[0] ?? "";

async function connectV2({ person, model }: Answers): Promise<Asked> {
  const { exchanges, settings } = switching();
  const client = new ClientV2(clientInfo, { capabilities, versionNegotiation: { mode: "legacy" } });
  client.setRequestHandler("elicitation/create", async ({ params }) => {
    const field = fieldOf(Object(params).requestedSchema);
    return { action: "accept" as const, content: { [field]: await person(field, params.message) } };
  });
  client.setRequestHandler("sampling/createMessage", async () => ({
    model: "a model",
    role: "assistant" as const,
    content: { type: "text" as const, text: await model() },
  }));
  await client.connect(new TransportV2(workers[0].mcp, settings));
  return {
    exchanges,
    call: async (name, args = {}, onprogress) => {
      const { content } = await client.callTool(
        { name, arguments: args },
        { timeout: 170_000, ...(onprogress && { onprogress: ({ progress }) => onprogress(progress) }) },
      );
      return textOf(content);
    },
    close: () => client.close(),
  };
}

async function connectV1({ person, model }: Answers): Promise<Asked> {
  const { exchanges, settings } = switching();
  const client = new ClientV1(clientInfo, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    const field = fieldOf(Object(params).requestedSchema);
    return { action: "accept" as const, content: { [field]: await person(field, params.message) } };
  });
  client.setRequestHandler(CreateMessageRequestSchema, async () => ({
    model: "a model",
    role: "assistant" as const,
    content: { type: "text" as const, text: await model() },
  }));
  await client.connect(new TransportV1(workers[0].mcp, settings));
  return {
    exchanges,
    call: async (name, args = {}, onprogress) => {
      const { content } = await client.callTool({ name, arguments: args }, undefined, {
        timeout: 170_000,
        ...(onprogress && { onprogress: ({ progress }) => onprogress(progress) }),
      });
      return textOf(content);
    },
    close: () => client.close(),
  };
}

function textOf(content: unknown): string {
  const [first] = content as [{ text: string }];
  return first.text;
}

describe.each([
  ["@modelcontextprotocol/client 2.x", connectV2],
  ["@modelcontextprotocol/sdk 1.x", connectV1],
])("%s", (_name, connect) => {
  test("takes the answer of a long tool later, with its progress in order and once", async () => {
    const asked = await connect(silent);
    for (const closes of [true, false]) {
      const progress: number[] = [];
      const work = { steps: 5, step_ms: 300, closes };
      expect(await asked.call("work", work, (step) => progress.push(step))).toBe("Done in 5 steps");
      expect(progress).toEqual([1, 2, 3, 4, 5]);
    }
    await asked.close();
  });

  test("is asked, and the answer reaches the other Worker, after a restart of both, too", async () => {
    for (const between of [() => Promise.resolve(), restart]) {
      const questions: string[] = [];
      const asked = await connect({
        ...silent,
        async person(_field, message) {
          questions.push(message);
          await between();
          return "Ada";
        },
      });
      expect(await asked.call("ask_name")).toBe('Hello {"name":"Ada"}');
      expect(questions).toEqual(["Your name?"]);
      await asked.close();
    }
  });

  test("is asked one question after the other, with a restart before each answer", async () => {
    const questions: string[] = [];
    const asked = await connect({
      ...silent,
      async person(field, message) {
        questions.push(message);
        await restart();
        return field.toUpperCase();
      },
    });
    expect(await asked.call("ask_twice")).toBe("Then SECOND");
    expect(questions).toEqual(["First?", "After FIRST?"]);
    await asked.close();
  });

  test("is asked two things at once, its person and its model", async () => {
    const asked = await connect({ person: () => Promise.resolve("Ada"), model: () => Promise.resolve("Hm") });
    expect(await asked.call("ask_person_and_model")).toBe("Ada: Hm");
    await asked.close();
  });
});

const silent: Answers = {
  person: () => Promise.reject(new Error("Not to be asked")),
  model: () => Promise.reject(new Error("Not to be asked")),
};
