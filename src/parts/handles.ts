// The handles of an environment.
import type { IdleSleep } from "../cleanup/idle-sleep.ts";
import type { Database } from "../db/client.ts";
import type { HandlesOptions } from "../handles/own-handles.ts";
import { type HandleConfig, handleSettings } from "../handles/settings.ts";
import { createHandleStore } from "../handles/store.ts";
import { createHandleActivityStore } from "../session/activity-store.ts";
import { sessionSettings } from "../session/settings.ts";
import { readSettings } from "../settings.ts";
import { cleanupIn } from "./cleanup.ts";
import { databaseOf } from "./database.ts";
import { perEnv } from "./per-env.ts";

export const handlesOn = (
  database: Database,
  config: HandleConfig & { timeoutMs: number },
  { recordActivity }: Pick<IdleSleep, "recordActivity">,
): HandlesOptions => ({
  ...config,
  store: createHandleActivityStore(createHandleStore(database, config), recordActivity),
});

/** Undefined: tools have no handles. @throws ConfigurationError */
export const handlesIn = perEnv((env) => {
  const { handles } = readSettings(handleSettings, env);
  const { timeoutMs } = readSettings(sessionSettings, env);
  return handles && handlesOn(databaseOf(env), { ...handles, timeoutMs }, cleanupIn(env).idleSleep);
});
