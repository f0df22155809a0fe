// What handlers get to know and to use, for a request and for a task that is run without one.
import type { TokenConfig } from "../auth/token-settings.ts";
import { createOwnHandles, type HandlesOptions } from "../handles/own-handles.ts";
import { createOwnSessions } from "../session/own-sessions.ts";
import type { Session } from "../session/session.ts";
import { createSessionState } from "../session/state.ts";
import type { StateStore } from "../session/state-store.ts";
import type { SessionStore } from "../session/store.ts";
import { createRequireScopes } from "./caller.ts";
import type { Caller } from "./context.ts";
import { type RequestStateOptions, requestStatesOf } from "./request-state.ts";
import type { RequestContext } from "./server-factory.ts";
import { runHere, type TaskCalls } from "./task-calls.ts";

export interface ContextOptions {
  sessions: SessionStore;
  state: StateStore;
  /** Undefined: no token is taken. */
  tokens: TokenConfig | undefined;
  /** Undefined: tools have no handles. */
  handles: HandlesOptions | undefined;
  /** Undefined: nothing is sealed. */
  requestState: RequestStateOptions | undefined;
}

export interface Surroundings {
  waitUntil: (promise: Promise<unknown>) => void;
  signal: AbortSignal;
  /** Left out: no call becomes a task. */
  taskCalls?: TaskCalls | undefined;
}

export function contextOf(
  { sessions, state, tokens, handles, requestState }: ContextOptions,
  { caller, session }: { caller: Caller; session: Session | undefined },
  { waitUntil, signal, taskCalls = runHere }: Surroundings,
): RequestContext {
  const owner = caller.name;
  return {
    session,
    principal: owner,
    caller,
    requireScopes: createRequireScopes(caller, tokens),
    sessions: createOwnSessions(sessions, owner, session),
    state: session === undefined ? undefined : createSessionState(state, session),
    handles: handles && createOwnHandles(handles, owner),
    requestState: requestState && requestStatesOf(requestState, owner),
    task: taskCalls.task,
    taskRun: taskCalls.taskRun,
    waitUntil,
    signal,
  };
}
