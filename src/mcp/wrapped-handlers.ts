// Wraps request handlers as they are registered, so what the SDK or an author registers need not know of it.
import type { McpServer, ServerContext } from "@modelcontextprotocol/server";

export type Handler = (request: { method: string; params?: object }, context: ServerContext) => unknown;

/** To be used before anything is registered. @param wrap the handlers of these methods. */
export function wrapHandlers(
  { server }: McpServer,
  methods: readonly string[],
  wrap: (handler: Handler, method: string) => Handler,
): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the SDK's overloads all end with the handler
  const setHandler = server.setRequestHandler.bind(server) as (method: string, ...others: unknown[]) => void;
  const setWrapped = (method: string, ...others: unknown[]) => {
    const handler = others.at(-1);
    if (!methods.includes(method) || !isHandler(handler)) return setHandler(method, ...others);
    return setHandler(method, ...others.slice(0, -1), wrap(handler, method));
  };
  Object.assign(server, { setRequestHandler: setWrapped });
}

const isHandler = (value: unknown): value is Handler => typeof value === "function";
