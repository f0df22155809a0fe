// The door for other Workers of the account: a named entrypoint that they call by a service binding.
import { createSessionsStore } from "../admin/sessions-store.ts";
import { vouchFor } from "../auth/vouched.ts";
import { overdueSeconds } from "../health/grade.ts";
import { AppError, errorResponse } from "../http/errors.ts";
import { errorName, logOf } from "../log.ts";
import { legacyVersions } from "../mcp/revisions.ts";
import { type Answer, refusal, refusalOfError } from "../rpc/answer.ts";
import { type Caller, principalOfUser, readCaller } from "../rpc/caller.ts";
import { createVerbs, type Input, inputs, scopeOf, type Values, type Verb } from "../rpc/verbs.ts";
import { createAdminActivityStore } from "../session/activity-store.ts";
import { createStateStore } from "../session/state-store.ts";
import { ConfigurationError } from "../settings.ts";
import { cleanupIn } from "./cleanup.ts";
import { databaseOf } from "./database.ts";
import { keepsIn, keptOn } from "./kept.ts";
import { perEnv } from "./per-env.ts";
import { openingLimitOf, sessionsIn } from "./sessions.ts";
import { watchIn } from "./watch.ts";

const log = logOf("rpc", {
  info: {
    call: {
      meaning: "One line for each call of another Worker. `by` is the caller that the binding names.",
      fields: ["verb", "by", "outcome", "duration_ms", "request_id"],
    },
  },
  error: {
    "The call failed": {
      meaning: "A mistake in the Worker, or a wrong configuration. `error` is the name of the error.",
      fields: ["verb", "error", "request_id"],
    },
  },
});

const verbsIn = perEnv((env) => {
  const database = databaseOf(env);
  const { settings, store } = sessionsIn(env);
  const { byHand, idleSleep } = cleanupIn(env);
  const { store: health, limits, now } = watchIn(env);
  const { timeoutMs, clientDataMaxBytes } = settings;
  return createVerbs({
    sessions: store,
    state: createStateStore(database, settings),
    allSessions: createAdminActivityStore(
      createSessionsStore(database, { timeoutMs, onEnded: store.forgetAll }),
      idleSleep.recordActivity,
    ),
    ...keptOn(database, keepsIn(env), settings, idleSleep),
    health,
    cleanups: byHand,
    mayOpen: openingLimitOf(settings),
    clientDataMaxBytes,
    protocolVersions: legacyVersions,
    overdueSeconds: overdueSeconds(limits, now()),
    now,
  });
});

/** What the entrypoint can be called with: every verb, and requests. No verb throws. */
export type SessionsEntrypoint = { [V in Verb]: (input: Input<V>) => Promise<Answer<Values[V]>> } & {
  /** Serves a request of this user, whom the caller has found out. What the request says of its sender is not looked at. */
  fetchFor: (user: string, request: Request) => Promise<Response>;
  /** Serves a request of whoever it says it is from, as the Worker's own address does. */
  fetch: (request: Request) => Promise<Response>;
};

interface Base {
  ctx: { props?: unknown; waitUntil: (promise: Promise<unknown>) => void };
  env: unknown;
}

/** The Worker whose routes `fetch` and `fetchFor` serve: what `createWorker` makes. */
interface Served {
  fetch: (request: Request, env: object, context: never) => Promise<Response>;
}

/**
 * `export class Sessions extends sessionsEntrypoint(WorkerEntrypoint, worker) {}`, with the class of `cloudflare:workers`. The
 * binding of a caller needs `entrypoint = "Sessions"` and `props = { caller = "front", scopes = ["mcp"] }`.
 */
export function sessionsEntrypoint(
  WorkerEntrypoint: abstract new (...args: never[]) => object,
  worker: Served,
): new (ctx: never, env: never) => SessionsEntrypoint {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a mixin takes any arguments
  const Parent = WorkerEntrypoint as unknown as new (...args: unknown[]) => Base;
  class Entrypoint extends Parent {
    async fetch(request: Request): Promise<Response> {
      return served(this, worker, request);
    }
    async fetchFor(user: string, request: Request): Promise<Response> {
      const caller = readCaller(this.ctx.props);
      const isUser = inputs.resume.shape.user.safeParse(user).success;
      if (caller === undefined || !isUser) {
        const error = new AppError(caller === undefined ? "forbidden" : "invalid_request", problemOf(caller));
        return errorResponse(error, crypto.randomUUID());
      }
      return served(this, worker, vouchFor(request, await principalOfUser(caller, user)));
    }
  }
  for (const verb of Object.keys(inputs).filter(isVerb)) {
    Object.defineProperty(Entrypoint.prototype, verb, {
      value(this: Base, input: unknown) {
        return answer(this, verb, input);
      },
    });
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop has added the verbs
  return Entrypoint as unknown as new (ctx: never, env: never) => SessionsEntrypoint;
}

const isVerb = (name: string): name is Verb => Object.hasOwn(inputs, name);

const NO_CALLER = "The binding must have props: caller, a name, and scopes";
const problemOf = (caller: Caller | undefined) =>
  caller === undefined ? NO_CALLER : "The user must be a text of 1 to 255 characters";

const served = ({ env, ctx }: Base, worker: Served, request: Request) =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the context of an entrypoint is one of Hono's
  worker.fetch(request, Object(env), ctx as never);

async function answer(entrypoint: Base, verb: Verb, input: unknown): Promise<Answer<unknown>> {
  const startedAt = Date.now();
  const requestId = crypto.randomUUID();
  const caller = readCaller(entrypoint.ctx.props);
  const answered = await attempt(entrypoint, caller, verb, input).catch((error: unknown): Answer<never> => {
    const known = refusalOfError(error);
    if (known !== undefined) return known;
    const isConfiguration = error instanceof ConfigurationError;
    log.error("The call failed", { verb, error: errorName(error), request_id: requestId });
    return isConfiguration
      ? refusal("configuration_invalid", "The Worker's configuration is wrong; its log names the variables")
      : refusal("internal", "The Worker failed; its log has the error");
  });
  log.info("call", {
    verb,
    by: caller?.caller ?? "nobody",
    outcome: answered.ok ? "succeeded" : answered.code,
    duration_ms: Date.now() - startedAt,
    request_id: requestId,
  });
  return answered;
}

async function attempt(
  { env, ctx }: Base,
  caller: Caller | undefined,
  verb: Verb,
  input: unknown,
): Promise<Answer<unknown>> {
  if (caller === undefined) return refusal("forbidden", NO_CALLER);
  const scope = scopeOf[verb];
  if (!caller.scopes.includes(scope)) return refusal("forbidden", `The binding needs the scope ${scope}`);
  const parsed = inputs[verb].safeParse(input);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refusal(
      "invalid_request",
      `The input of ${verb} is wrong: ${issue?.path.join(".") || "its members"}`,
    );
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schema of this very verb has read it
  const work = verbsIn(Object(env))[verb] as (caller: Caller, input: unknown) => Promise<unknown>;
  const working = work(caller, parsed.data);
  // A run goes on when the caller has gone.
  ctx.waitUntil(working.catch(() => undefined));
  return { ok: true, value: await working };
}
