// A tool whose calls are all that a history needs: they report, ask, are held up, and say in the end what they were told.
import { inputRequired, inputResponse, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

export const talk = z.object({
  call: z.string(),
  /** How much it reports before each question and before the end. */
  reports: z.number(),
  rounds: z.number(),
  /** How many questions it asks at once. */
  width: z.number(),
  /** Whether it waits at first until it is let go. */
  isHeld: z.boolean(),
  closes: z.boolean(),
});
export type Talk = z.infer<typeof talk>;

const state = z.object({ round: z.number(), said: z.array(z.string()) });

export interface Talks {
  /** How often each call has come to its end. */
  ends: Map<string, number>;
  /** Lets a call go on. */
  release: Map<string, () => void>;
  register: (server: McpServer) => void;
}

export function talks(): Talks {
  const ends = new Map<string, number>();
  const release = new Map<string, () => void>();
  const gates = new Map<string, Promise<void>>();
  const register = (server: McpServer) => {
    server.registerTool(
      "talk",
      { inputSchema: talk },
      async ({ call, reports, rounds, width, isHeld, closes }, { mcpReq, http }) => {
        const before = mcpReq.requestState<string>();
        const { round, said } =
          before === undefined ? { round: 0, said: [] } : state.parse(JSON.parse(before));
        if (round === 0 && closes) http?.closeSSE?.();
        for (let i = 0; i < reports; i++)
          await mcpReq.notify({
            method: "notifications/progress",
            params: { progressToken: call, progress: round * 10 + i, message: `${call} ${round} ${i}` },
          });
        if (round === 0 && isHeld) {
          const gate = gates.get(call) ?? new Promise<void>((resolve) => release.set(call, resolve));
          await gate;
        }
        for (let i = 0; i < (round === 0 ? 0 : width); i++) {
          const answer = inputResponse(mcpReq.inputResponses, `${round - 1} ${i}`);
          said.push(answer.kind === "elicit" ? String(answer.content?.["text"]) : answer.kind);
        }
        if (round < rounds)
          return inputRequired({
            inputRequests: Object.fromEntries(
              Array.from({ length: width }, (_, i) => [`${round} ${i}`, question(`${call} ${round} ${i}`)]),
            ),
            requestState: JSON.stringify({ round: round + 1, said }),
          });
        ends.set(call, (ends.get(call) ?? 0) + 1);
        return { content: [{ type: "text", text: JSON.stringify(said) }] };
      },
    );
  };
  return { ends, release, register };
}

const question = (message: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
  });
