// A call of a tool, as it is kept until its task has ended. Without the key or the token, and without the claims of a token. Pure.
import * as z from "zod";
import type { Caller } from "./context.ts";

const scopes = z.array(z.string());
const storedCaller = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("key"), name: z.string(), scopes }),
  z.object({
    kind: z.literal("person"),
    name: z.string(),
    issuer: z.string(),
    subject: z.string(),
    clientId: z.string().optional(),
    scopes,
    expiresAt: z.number(),
  }),
]);

/** Of the form in which it is kept. */
export const storedCall = z.object({
  caller: storedCaller,
  /** Of the client's request, without its query. */
  url: z.string(),
  /** Those that repeat an argument of the tool. */
  headers: z.record(z.string(), z.string()),
  params: z.looseObject({ name: z.string(), _meta: z.looseObject({}) }),
});
export type StoredCall = z.infer<typeof storedCall>;

/** What is kept of a request; undefined when it is no call of a tool. */
export function storedCallOf(
  { url, headers }: Request,
  body: { method?: unknown; params?: unknown } | undefined,
  caller: Caller,
): StoredCall | undefined {
  if (body?.method !== "tools/call") return undefined;
  const { data: params } = storedCall.shape.params.safeParse(body.params);
  if (params === undefined) return undefined;
  // Nobody waits for its progress.
  const { progressToken: _, ...meta } = params["_meta"];
  const ours = [...headers].filter(([name]) => name.startsWith("mcp-param-"));
  const { origin, pathname } = new URL(url);
  return {
    caller: keptCaller(caller),
    url: `${origin}${pathname}`,
    headers: Object.fromEntries(ours),
    params: { ...params, _meta: meta },
  };
}

function keptCaller(caller: Caller): StoredCall["caller"] {
  const scopesOfCaller = [...caller.scopes];
  if (caller.kind === "key") return { kind: "key", name: caller.name, scopes: scopesOfCaller };
  const { kind, name, issuer, subject, clientId, expiresAt } = caller;
  return { kind, name, issuer, subject, clientId, scopes: scopesOfCaller, expiresAt: expiresAt.getTime() };
}

/** The caller of a call that is kept, for its tool: without claims. */
export function callerOf({ caller }: StoredCall): Caller {
  if (caller.kind === "key") return caller;
  const { clientId, expiresAt, ...rest } = caller;
  return { ...rest, clientId, claims: {}, expiresAt: new Date(expiresAt) };
}
