// The contract with the author's room: what a server definition is, and what its handlers may use.
import type { McpServer, ScopeChallengeHandler, ServerOptions } from "@modelcontextprotocol/server";
import type * as z from "zod";
import type { Handles } from "../handles/handles.ts";
import type { Session } from "../session/session.ts";
import type { MayBeTask, TaskRun } from "../tasks/may-be-task.ts";

export {
  type HandleEntry,
  HandleError,
  type HandleErrorCode,
  type HandleOptions,
  type Handles,
  type HandleSummary,
} from "../handles/handles.ts";

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Why a change of session state was refused. The error's message may be shown to the client. */
export type StateErrorCode =
  /** The session has been ended, or has expired, since the request began. */
  | "session_ended"
  /** The database cannot be asked: MCP_DEGRADED_MODE lets the request run without it. Nothing was written. */
  | "unavailable"
  /** JSON, or PostgreSQL, cannot keep the value as it was given. */
  | "not_storable"
  /** The session's document would exceed STATE_LIMIT_BYTES. */
  | "too_large"
  /** Somebody else has written the key since `ifVersion` was read. */
  | "version_mismatch";

export class StateError extends Error {
  override name = "StateError";
  readonly code: StateErrorCode;

  constructor(code: StateErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A value of the session's document. */
export interface StateEntry {
  value: Json;
  /** A whole number above 0 that is different after each write of the key. */
  version: number;
}

export interface StateWriteOptions {
  /** Write only if the key has this version; 0: only if the key is not there. Left out: write in any case. */
  ifVersion?: number | undefined;
}

/**
 * The document of a session: JSON values by key, at most 64 KiB in all. It lives as long as the session.
 * Every method @throws StateError, and DatabaseFault when the database fails.
 */
export interface SessionState {
  /** Undefined when the key is not there. */
  get(key: string): Promise<StateEntry | undefined>;
  /** Keeps a value. `sizeBytes` is the size of the whole document. */
  set(key: string, value: Json, options?: StateWriteOptions): Promise<{ version: number; sizeBytes: number }>;
  /** False when the key was not there. */
  delete(key: string, options?: StateWriteOptions): Promise<boolean>;
  /**
   * Changes a value atomically: reads it, calls `change` and writes the result if nobody has written the key meanwhile.
   * Otherwise it begins again with the new value, 100 times at most. `change` must have no side effects.
   * @param change gets undefined when the key is not there.
   */
  update(key: string, change: (current: Json | undefined) => Json): Promise<StateEntry>;
}

/** What a principal may see of its own sessions. Of a client that says very much of itself, only the name and version. */
export type SessionSummary = Pick<Session, "key" | "clientInfo" | "createdAt" | "lastActive" | "expiresAt">;

/** The sessions of the principal that is asking. Both methods @throw DatabaseFault. */
export interface OwnSessions {
  /** The live ones, the last used first, at most 100. */
  list(): Promise<SessionSummary[]>;
  /** Ends all of them but the current one, 10,000 at most, and says how many. */
  endOthers(): Promise<number>;
}

/** Who is asking: the holder of a key, or a person with a token of an authorization server. */
export type Caller =
  | {
      kind: "key";
      /** The name of the key. */
      name: string;
      /** `mcp`, `health`, `metrics` and `admin`, as API_KEYS has them. */
      scopes: readonly string[];
    }
  | {
      kind: "person";
      /** Issuer and subject, as one text. */
      name: string;
      issuer: string;
      /** Who it is, for that issuer: never the same as for another one. */
      subject: string;
      /** The client that asked for the token, where the token says it. */
      clientId: string | undefined;
      /** Those of ours that the token gives, and all others as the token has them. */
      scopes: readonly string[];
      /** Everything that the token says. What is in it depends on the issuer. */
      claims: Readonly<Record<string, unknown>>;
      expiresAt: Date;
    };

/**
 * The `scopeChallenge` of a tool, prompt or resource that needs these scopes beside `mcp`. Without them a call is refused
 * before it begins, with 403 `insufficient_scope` and all scopes to ask for, so that a client can ask its person.
 */
export type RequireScopes = (...scopes: readonly [string, ...string[]]) => ScopeChallengeHandler;

export interface SealOptions {
  /** Whether the state is good for one answer only. Costs a statement when it comes back. Left out: it may come back again. */
  singleUse?: boolean;
  /** How long it is good, in seconds. Left out: 600. */
  ttlSeconds?: number;
}

/** What a client carries from one question to the next: `ctx.mcpReq.requestState()` is the value when it comes back. */
export interface RequestStates {
  /** For `inputRequired({ requestState })`. The client can neither read nor change it, and nobody else can use it. */
  seal(value: Json, options?: SealOptions): Promise<string>;
}

/** What handlers get to know and to use, made anew for each request. */
export interface ServerContext<Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** The session of a client up to 2025-11-25. Undefined for a client of 2026-07-28, which has none. */
  session: Session | undefined;
  /** Whose sessions these are: `caller.name`. */
  principal: string;
  caller: Caller;
  requireScopes: RequireScopes;
  sessions: OwnSessions;
  /** The session's document; undefined without a session. */
  state: SessionState | undefined;
  /** The principal's handles, with and without a session; undefined without MCP_HANDLES. */
  handles: Handles | undefined;
  /** Undefined without MCP_REQUEST_STATE_KEYS. */
  requestState: RequestStates | undefined;
  /** Without MCP_TASKS the handler runs in its request. */
  task: MayBeTask;
  /** Defined while a task is run. */
  taskRun: TaskRun | undefined;
  /** The variables, secrets and bindings that the definition declares, parsed. */
  env: z.output<z.ZodObject<Shape>>;
  /** Keeps the Worker running for a promise after the response, for 30 s at most (Cloudflare, "Context API"). */
  waitUntil: (promise: Promise<unknown>) => void;
  /** Aborted when the client goes away, where the platform notices. */
  signal: AbortSignal;
}

type OrFromContext<T, Shape extends z.ZodRawShape> = T | ((context: ServerContext<Shape>) => T);

/** An MCP server, as its author writes it. */
export interface ServerDefinition<Shape extends z.ZodRawShape = z.ZodRawShape> {
  name: string;
  version: string;
  /** For people. */
  title?: string;
  /**
   * Variables, secrets and bindings of the author's own, each with `.describe()`. They are checked when the Worker starts,
   * and handed to handlers as `context.env`.
   */
  variables?: Shape;
  /** Options of the SDK's McpServer, such as `instructions`, `cacheHints` and `requestState`. */
  options?: OrFromContext<ServerOptions, Shape>;
  /**
   * Registers tools, prompts and resources. Called for each request, with a server of its own, so keep it quick.
   * What a tool throws reaches the client as its message.
   */
  register: (server: McpServer, context: ServerContext<Shape>) => void | Promise<void>;
}

/** Types a server definition: `context.env` has what `variables` declares. */
export function defineServer<const Shape extends z.ZodRawShape = z.ZodRawShape>(
  definition: ServerDefinition<Shape>,
): ServerDefinition<Shape> {
  return definition;
}
