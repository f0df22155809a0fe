// What another Worker can do with sessions. Each verb checks its input as the HTTP routes do, and asks the same stores.
import * as z from "zod";
import type { ListedSession } from "../admin/listed-session.ts";
import type { SessionsStore } from "../admin/sessions-store.ts";
import { nameOfBearer } from "../auth/principal.ts";
import type { Scope } from "../auth/api-keys.ts";
import { CleanupFailed, clean } from "../cleanup/clean.ts";
import type { CleanupReport, CleanupStore } from "../cleanup/store.ts";
import { type Tier, tierNames } from "../cleanup/tiers.ts";
import type { HealthStore } from "../health/store.ts";
import { AppError } from "../http/errors.ts";
import { principalName } from "../auth/principal-name.ts";
import type { Json, StateEntry } from "../mcp/context.ts";
import { checkClientData } from "../session/client-data.ts";
import { RATE_LIMIT_PERIOD_SECONDS } from "../session/protocol.ts";
import {
  createSessionId,
  isSessionId,
  keyOfSession,
  nameOfSession,
  type Session,
} from "../session/session.ts";
import { createSessionState } from "../session/state.ts";
import type { StateStore } from "../session/state-store.ts";
import type { SessionStore } from "../session/store.ts";
import { type Caller, nameOfUser } from "./caller.ts";
import { createKeptVerbs, keptInputs, type KeptValues, type KeptVerbsOptions } from "./kept-verbs.ts";

export interface VerbsOptions extends KeptVerbsOptions {
  sessions: SessionStore;
  state: StateStore;
  allSessions: SessionsStore;
  health: HealthStore;
  cleanups: CleanupStore;
  mayOpen: (principal: string) => Promise<boolean>;
  clientDataMaxBytes: number;
  protocolVersions: readonly string[];
  /** How long a session may have been expired before cleanup is overdue. */
  overdueSeconds: number;
  now: () => Date;
}

/** A live session, as another Worker sees it. Times are null when another program has put one there that no Date can say. */
export interface SessionView extends Pick<
  Session,
  "protocolVersion" | "clientInfo" | "capabilities" | "logLevel" | "createdAt" | "lastActive" | "expiresAt"
> {
  /** Its name in the logs. */
  session: string;
}

const MAX_PAGE = 1000;
// A subject of a token has as many: auth/claims.ts.
const user = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text));
const id = z.string();
const record = z.record(z.string(), z.unknown());
const owned = z.strictObject({ user, id });
const keyed = owned.extend({ key: z.string() });

/** What each verb takes. */
export const inputs = {
  open: z.strictObject({
    user,
    protocolVersion: z.string(),
    clientInfo: record.default({}),
    capabilities: record.default({}),
  }),
  resume: owned,
  end: owned,
  getState: keyed,
  setState: keyed.extend({ value: z.unknown(), ifVersion: z.int().min(0).optional() }),
  deleteState: keyed.extend({ ifVersion: z.int().min(0).optional() }),
  list: z.strictObject({
    principal: principalName.optional(),
    issuer: principalName.optional(),
    subject: principalName.optional(),
    state: z.enum(["active", "expired"]).optional(),
    session: z
      .string()
      .regex(/^[0-9a-f]{8}$/)
      .optional(),
    after: z.guid().optional(),
    limit: z.int().min(1).max(MAX_PAGE).default(100),
  }),
  endAll: z.union([
    z.strictObject({ principal: principalName }),
    z.strictObject({ issuer: principalName, subject: principalName }),
  ]),
  census: z.strictObject({}).default({}),
  cleanUp: z.strictObject({ tier: z.enum(tierNames) }),
  ...keptInputs,
};

export type Verb = keyof typeof inputs;
export type Input<V extends Verb> = z.input<(typeof inputs)[V]>;

/** What each verb answers. */
export interface Values extends KeptValues {
  /** `evicted`: how many of the user's sessions were ended to make room. The id is said once, here. */
  open: { id: string; session: string; evicted: number };
  resume: SessionView;
  end: null;
  /** Null when the key is not there. */
  getState: StateEntry | null;
  setState: { version: number; sizeBytes: number };
  /** Whether it was there. */
  deleteState: { existed: boolean };
  list: { sessions: ListedSession[]; next: string | null };
  /** `hasMore`: call again. */
  endAll: { ended: number; hasMore: boolean };
  census: { total: number; active: number; expired: number };
  cleanUp: CleanupReport & { tier: Tier };
}

/** The scope that the props of the binding must have. */
export const scopeOf = {
  open: "mcp",
  resume: "mcp",
  end: "mcp",
  getState: "mcp",
  setState: "mcp",
  deleteState: "mcp",
  list: "admin",
  endAll: "admin",
  census: "health",
  cleanUp: "admin",
  listHandles: "admin",
  endHandle: "admin",
  listTasks: "admin",
  cancelTask: "admin",
} as const satisfies Record<Verb, Scope>;

type Verbs = { [V in Verb]: (caller: Caller, input: z.output<(typeof inputs)[V]>) => Promise<Values[V]> };

/** Each @throws AppError, StateError and DatabaseFault. */
export function createVerbs(options: VerbsOptions): Verbs {
  const { sessions, allSessions } = options;

  /** @throws AppError `session_not_found`: unknown, expired, ended, or of somebody else. */
  async function live(caller: Caller, meant: z.output<typeof owned>): Promise<Session> {
    const session = isSessionId(meant.id)
      ? await sessions.resume(await keyOfSession(meant.id), nameOfUser(caller, meant.user))
      : undefined;
    if (session === undefined) throw new AppError("session_not_found");
    return session;
  }

  const stateOf = async (caller: Caller, meant: z.output<typeof owned>) =>
    createSessionState(options.state, await live(caller, meant));

  return {
    async open(caller, { user: meant, protocolVersion, ...said }) {
      if (!options.protocolVersions.includes(protocolVersion))
        throw new AppError("unsupported_protocol_version");
      const clientData = { clientInfo: asJson(said.clientInfo), capabilities: asJson(said.capabilities) };
      checkClientData(clientData, options.clientDataMaxBytes);
      const principal = nameOfUser(caller, meant);
      if (!(await options.mayOpen(principal)))
        throw new AppError("too_many_sessions", undefined, {
          "Retry-After": String(RATE_LIMIT_PERIOD_SECONDS),
        });
      const newId = createSessionId();
      const key = await keyOfSession(newId);
      const evicted = await sessions.open({ ...clientData, key, principal, protocolVersion });
      return { id: newId, session: nameOfSession(key), evicted };
    },

    async resume(caller, meant) {
      const { key, principal: _, isDegraded: __, ...session } = await live(caller, meant);
      return { ...session, session: nameOfSession(key) };
    },

    async end(caller, meant) {
      const isEnded =
        isSessionId(meant.id) &&
        (await sessions.end(await keyOfSession(meant.id), nameOfUser(caller, meant.user)));
      if (!isEnded) throw new AppError("session_not_found");
      return null;
    },

    getState: async (caller, { key, ...meant }) => (await (await stateOf(caller, meant)).get(key)) ?? null,
    setState: async (caller, { key, value, ifVersion, ...meant }) => {
      // Between Workers a value can refer to itself.
      asJson({ value });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is checked where it is kept
      return (await stateOf(caller, meant)).set(key, value as Json, { ifVersion });
    },
    deleteState: async (caller, { key, ifVersion, ...meant }) => ({
      existed: await (await stateOf(caller, meant)).delete(key, { ifVersion }),
    }),

    list: (_caller, { issuer, subject, principal, ...filter }) => {
      if (
        (issuer === undefined) !== (subject === undefined) ||
        (principal ?? issuer) !== (issuer ?? principal)
      )
        throw new AppError("invalid_request", "Give the principal, or its issuer and subject");
      const meant = issuer === undefined || subject === undefined ? principal : nameOfBearer(issuer, subject);
      return allSessions.list({ ...filter, principal: meant });
    },
    endAll: (_caller, meant) =>
      allSessions.endAll("principal" in meant ? meant.principal : nameOfBearer(meant.issuer, meant.subject)),

    async census() {
      const { total, expired } = await options.health.takeCensus(options.overdueSeconds);
      return { total, active: total - expired, expired };
    },

    async cleanUp(_caller, { tier }) {
      try {
        return { tier, ...(await clean(options.cleanups, tier, options.now())) };
      } catch (error) {
        if (!(error instanceof CleanupFailed)) throw error;
        return { tier, ...error.report };
      }
    },

    ...createKeptVerbs(options),
  };
}

/** As JSON keeps it. @throws AppError `invalid_request` */
function asJson(value: Record<string, unknown>): Record<string, unknown> {
  try {
    return record.parse(JSON.parse(JSON.stringify(value)));
  } catch {
    throw new AppError("invalid_request", "What is to be kept must be JSON");
  }
}
