// Goes on with a suspended call when its questions are answered, on whichever isolate the last answer has reached. The stored
// call is served as one of MCP 2026-07-28, which brings its answers with it: so an author writes a tool once.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  isInputRequiredResult,
  type JSONRPCMessage,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { RequestId } from "../streams/event-id.ts";
import { CannotAsk, questionsOf } from "../streams/questions.ts";
import type { StreamRecorder } from "../streams/recorder.ts";
import { messageTextsOf } from "../session/protocol.ts";
import type { Session } from "../session/session.ts";
import { MODERN, serveModern, type Serving } from "./modern-call.ts";

/** A call, as it is kept while it waits. */
export const suspendedCall = z.object({
  id: z.union([z.string(), z.number()]),
  method: z.string(),
  params: z.looseObject({ _meta: z.looseObject({}).optional() }),
  requestState: z.string().optional(),
});
export type SuspendedCall = z.infer<typeof suspendedCall>;

/** What a client has answered: a result, or an error. */
const answer = z.union([
  z.object({ result: z.looseObject({}) }),
  z.object({ error: z.looseObject({ message: z.string() }) }),
]);

export interface Reentry extends Serving {
  session: Session;
  recorder: StreamRecorder;
}

/**
 * Records what the call sends and ends in, also when that is a mistake in here.
 * @param answers by the names of the questions, each a member of a JSON-RPC response.
 * @throws the mistake.
 */
export async function goOn(
  call: SuspendedCall,
  answers: Record<string, unknown>,
  reentry: Reentry,
): Promise<void> {
  const { recorder } = reentry;
  try {
    await end(call, answers, reentry);
  } finally {
    if (!recorder.hasResponse && !recorder.isAsking) fail(call.id, recorder, "The call has not ended");
  }
}

async function end(call: SuspendedCall, answers: Record<string, unknown>, reentry: Reentry): Promise<void> {
  const { recorder } = reentry;
  const given = z.record(z.string(), answer).parse(answers);
  const inputResponses: Record<string, unknown> = {};
  for (const [key, said] of Object.entries(given)) {
    if ("error" in said) return fail(call.id, recorder, `The client has not answered: ${said.error.message}`);
    inputResponses[key] = said.result;
  }
  const response = await serve(call, inputResponses, reentry);
  for (const text of await messageTextsOf(response)) {
    const message: JSONRPCMessage | object = JSON.parse(text);
    // A refusal of its scopes is one of OAuth.
    if (!("jsonrpc" in message)) return fail(call.id, recorder, "The call was refused");
    if (!("result" in message)) {
      recorder.record("error" in message ? { ...message, id: call.id } : message);
      continue;
    }
    const { result } = message;
    if (isInputRequiredResult(result)) await askAgain(call, result, reentry);
    else recorder.record({ ...message, id: call.id, result: asBefore(result) });
  }
}

function fail(id: RequestId, recorder: StreamRecorder, message: string): void {
  recorder.record({ jsonrpc: "2.0", id, error: { code: -32603, message } });
}

function serve(
  { id, method, params, requestState }: SuspendedCall,
  inputResponses: Record<string, unknown>,
  reentry: Reentry,
): Promise<Response> {
  const { session } = reentry;
  const meta = {
    ...Object(params["_meta"]),
    [PROTOCOL_VERSION_META_KEY]: MODERN,
    [CLIENT_INFO_META_KEY]: session.clientInfo,
    [CLIENT_CAPABILITIES_META_KEY]: session.capabilities,
    ...(session.logLevel !== null && { "io.modelcontextprotocol/logLevel": session.logLevel }),
  };
  const given = {
    ...params,
    inputResponses,
    ...(requestState !== undefined && { requestState }),
    _meta: meta,
  };
  return serveModern({ id, method, params: given }, reentry);
}

async function askAgain(
  call: SuspendedCall,
  result: { inputRequests?: unknown; requestState?: unknown },
  { session, recorder }: Reentry,
): Promise<void> {
  try {
    await ask(call, result, session, recorder);
  } catch (error) {
    if (!(error instanceof CannotAsk)) throw error;
    fail(call.id, recorder, error.message);
  }
}

/** Stores the questions of a call. @returns them with their events' numbers. @throws CannotAsk */
export async function ask(
  call: Omit<SuspendedCall, "requestState">,
  { inputRequests, requestState }: { inputRequests?: unknown; requestState?: unknown },
  session: Session,
  recorder: StreamRecorder,
) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- questionsOf checks each
  const questions = questionsOf(inputRequests as never, session.capabilities);
  const kept = { ...call, ...(typeof requestState === "string" && { requestState }) };
  const firstEvent = await recorder.ask(
    questions.map(({ request }) => request),
    {
      call: JSON.stringify(kept),
      questions: questions.map(({ key, request }) => ({ id: request.id, key })),
    },
  );
  if (firstEvent === undefined)
    throw new CannotAsk("The question cannot be kept, so the client cannot be asked now");
  return questions.map(({ request }, i) => ({ request, event: firstEvent + i }));
}

/** A result without what only the answers of MCP 2026-07-28 have. */
export function asBefore(modern: Record<string, unknown>): Record<string, unknown> {
  const { resultType: _type, _meta: whole, ...result } = modern;
  const { [SERVER_INFO_META_KEY]: _server, ...meta } = { ...Object(whole) };
  return { ...result, ...(Object.keys(meta).length > 0 && { _meta: meta }) };
}
