// Calls that need input of their client, for the revisions before 2026-07-28: a call that returns `inputRequired` is suspended.
import {
  type InputRequiredResult,
  isInputRequiredResult,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type RequestId,
} from "@modelcontextprotocol/server";
import { CannotAsk } from "../streams/questions.ts";
import { wrapHandlers } from "./wrapped-handlers.ts";

/** The requests whose results can say that input is required (MCP 2026-07-28). */
const methods: readonly string[] = ["tools/call", "prompts/get", "resources/read"];

export interface SuspendedCall {
  id: RequestId;
  method: string;
  params: Record<string, unknown>;
  result: InputRequiredResult;
}

/**
 * Has `suspend` called for each call of a server that needs input. The server's answer to that call goes nowhere. To be used
 * before anything is registered.
 * @param suspend @throws CannotAsk when the client cannot be asked.
 */
export function suspendCalls(server: McpServer, suspend: (call: SuspendedCall) => Promise<void>): void {
  wrapHandlers(server, methods, (handler, method) => async (request, context) => {
    const result = await handler(request, context);
    if (!isInputRequiredResult(result)) return result;
    const call = { id: context.mcpReq.id, method, params: { ...request.params }, result };
    try {
      await suspend(call);
    } catch (error) {
      if (!(error instanceof CannotAsk)) throw error;
      return refusalOf(method, error.message);
    }
    return {};
  });
}

/** As the revisions before have it: what goes wrong in a tool is a result. */
function refusalOf(method: string, message: string): object {
  if (method !== "tools/call") throw new ProtocolError(ProtocolErrorCode.InternalError, message);
  return { content: [{ type: "text", text: message }], isError: true };
}
