// What the SDK says of parameters that it does not take, in words. Its own text is the JSON of a validator, and a part of it has
// the code of a mistake of the server.
import {
  isJSONRPCErrorResponse,
  type JSONRPCMessage,
  type McpServer,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import * as z from "zod";

// Members that the protocol names. Below `experimental` and `extensions` names are the client's.
const NAMED = /^(?:[a-zA-Z]{1,32}|\d{1,4})$/;
const OPEN = ["experimental", "extensions"];

/** The member that a path leads to, as far as the protocol names what is on it: `params.level`. */
export function memberAt(path: readonly PropertyKey[]): string {
  const names = path.map(String);
  const end = names.findIndex((name, i) => OPEN.includes(names[i - 1] ?? "") || !NAMED.test(name));
  return (end === -1 ? names : names.slice(0, end)).join(".");
}

const DUMP = /^(?:Invalid [a-zA-Z/_]+ request: )?(\[\s*\{[^]*\])$/;
const issuesOfRequest = z
  .tuple([z.object({ path: z.tuple([z.literal("params")]).rest(z.union([z.string(), z.number()])) })])
  .rest(z.unknown());

/** A validator's list of what is wrong with the parameters of a request as one sentence; every other message as it is. */
export function inWords(message: JSONRPCMessage): JSONRPCMessage {
  if (!isJSONRPCErrorResponse(message)) return message;
  const dump = DUMP.exec(message.error.message)?.[1];
  if (dump === undefined) return message;
  const issues = issuesOfRequest.safeParse(jsonOf(dump));
  if (!issues.success) return message;
  const says = `The member ${memberAt(issues.data[0].path)} is not as the Model Context Protocol has it`;
  return { ...message, error: { code: ProtocolErrorCode.InvalidParams, message: says } };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A text of the author's that only looks like it.
  }
}

/** Has a server send its errors in words, over whatever transport it is connected to. */
export function speakInWords(server: McpServer): void {
  const connect = server.connect.bind(server);
  server.connect = (transport) => {
    const send = transport.send.bind(transport);
    transport.send = (message, options) => send(inWords(message), options);
    return connect(transport);
  };
}
