// A client of 2026-07-28 on the wire: every request stands for itself.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { clientInfo, mcp, messageOf } from "../support/mcp.ts";

export const MODERN = "2026-07-28";

export function modern(env: Env, method: string, params: object = {}, key?: string): Promise<Response> {
  const { name } = params as { name?: unknown };
  return mcp(
    env,
    {
      method,
      params: {
        ...params,
        _meta: {
          [PROTOCOL_VERSION_META_KEY]: MODERN,
          [CLIENT_INFO_META_KEY]: clientInfo,
          [CLIENT_CAPABILITIES_META_KEY]: {},
        },
      },
    },
    {
      ...(key !== undefined && { key }),
      headers: {
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        ...(typeof name === "string" && { "Mcp-Name": name }),
      },
    },
  );
}

/** What a tool of test/support/handle-tools.ts says. @throws Error when it has failed, or the request has. */
export async function toolCall(env: Env, name: string, input: object = {}, key?: string) {
  const response = await modern(env, "tools/call", { name, arguments: input }, key);
  const { result, error } = await messageOf(response);
  if (result === undefined) throw new Error(`${response.status} ${JSON.stringify(error)}`);
  const { structuredContent, content, isError } = result as {
    structuredContent?: Record<string, unknown>;
    content: { text: string }[];
    isError?: boolean;
  };
  if (isError === true) throw new Error(content[0]?.text);
  return structuredContent ?? {};
}
