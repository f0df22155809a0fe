// Requests of a client of sessions as they are on the wire, to isolates that know nothing of each other.
import { capabilities as usual, clientInfo } from "../support/mcp.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { keys } from "../support/worker.ts";
import type { Isolates } from "./isolates.ts";

export interface Sent {
  /** What is searched for in the logs: session ids, event ids. */
  session?: string;
  key?: string;
  version?: string | undefined;
  accept?: string;
  method?: string;
  lastEventId?: string;
  signal?: AbortSignal;
}

export interface StreamEvent {
  id: string | undefined;
  /** Undefined of an event without data. */
  message: Message | undefined;
}

export interface Message {
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown> & { content?: { text: string }[]; isError?: boolean };
  error?: { code: number; message: string };
}

export const VERSION = "2025-11-25";

/** Sends a message; or text, as it is. */
export function post(
  to: Pick<Isolates, "fetch">,
  message: object | string,
  sent: Sent = {},
): Promise<Response> {
  const {
    session,
    key = keys.alice,
    version = VERSION,
    accept = "application/json, text/event-stream",
  } = sent;
  const { method = "POST", lastEventId, signal } = sent;
  const body = typeof message === "string" ? message : JSON.stringify(message);
  return to.fetch("https://worker.test/mcp", {
    method,
    headers: {
      Authorization: `Bearer ${key}`,
      Accept: accept,
      ...(method === "POST" && { "Content-Type": "application/json" }),
      ...(session !== undefined && { "Mcp-Session-Id": session, "MCP-Protocol-Version": version }),
      ...(lastEventId !== undefined && { "Last-Event-ID": lastEventId }),
    },
    ...(method === "POST" && { body }),
    ...(signal !== undefined && { signal }),
  });
}

export async function openSession(
  to: Pick<Isolates, "fetch">,
  {
    capabilities = { ...usual, elicitation: {} },
    version = VERSION,
    ...sent
  }: Sent & { capabilities?: object } = {},
): Promise<string> {
  const params = { protocolVersion: version, clientInfo, capabilities };
  const response = await post(
    to,
    { jsonrpc: "2.0", id: 0, method: "initialize", params },
    { ...sent, version },
  );
  const id = response.headers.get("Mcp-Session-Id");
  if (id === null) throw new Error(`initialize was answered with ${response.status}`);
  await response.text();
  return keepSecret(id);
}

export const callOf = (name: string, input: object = {}, id: string | number = 1, token?: string) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: input, ...(token !== undefined && { _meta: { progressToken: token } }) },
});

export const answerTo = (id: unknown, content: object) => ({
  jsonrpc: "2.0",
  id,
  result: { action: "accept", content },
});

export function eventsIn(text: string): StreamEvent[] {
  return text
    .split("\n\n")
    .filter((block) => block !== "" && !block.startsWith(":"))
    .map((block) => {
      const lines = block.split("\n");
      const of = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const id = of("id");
      const data = of("data") ?? "";
      return {
        id: id === undefined ? undefined : keepSecret(id),
        message: data === "" ? undefined : (JSON.parse(data) as Message),
      };
    });
}

export const eventsOf = async (response: Response) => eventsIn(await response.text());

/** What a client that comes back gets. */
export async function resume(to: Pick<Isolates, "fetch">, lastEventId: string, sent: Sent) {
  const response = await post(to, "", { ...sent, method: "GET", lastEventId });
  const events = response.status === 200 ? await eventsOf(response) : [];
  return { status: response.status, events, messages: messagesOf(events) };
}

export const messagesOf = (events: readonly StreamEvent[]) =>
  events.flatMap(({ message }) => (message === undefined ? [] : [message]));

/** Reads the first event of a stream, which stays open. */
export async function firstEventOf({ body }: Response) {
  if (body === null) throw new Error("There is no stream");
  const reader = body.getReader();
  const { value } = await reader.read();
  const [event] = eventsIn(new TextDecoder().decode(value));
  const rest = async () => {
    let text = "";
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value: more } = await reader.read();
      if (done) return eventsIn(text);
      text += decoder.decode(more, { stream: true });
    }
  };
  return { id: event?.id ?? "", cut: () => reader.cancel(), rest };
}

export const textOf = (message: Message | undefined) => message?.result?.content?.[0]?.text;
