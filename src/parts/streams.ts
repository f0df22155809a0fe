// What outlives a request, of an environment.
import type { IdleSleep } from "../cleanup/idle-sleep.ts";
import type { Database } from "../db/client.ts";
import type { RequestStateOptions } from "../mcp/request-state.ts";
import type { StreamOptions } from "../mcp/streamed.ts";
import { createMarksActivityStore, createStreamActivityStore } from "../session/activity-store.ts";
import { sessionSettings } from "../session/settings.ts";
import { readSettings } from "../settings.ts";
import { createCancellation } from "../streams/cancellation.ts";
import { createMarksStore } from "../streams/marks-store.ts";
import { createSealer } from "../streams/sealed.ts";
import { type StreamConfig, type StreamsConfig, streamSettings } from "../streams/settings.ts";
import { createStreamStore } from "../streams/store.ts";
import { cleanupIn } from "./cleanup.ts";
import { databaseOf } from "./database.ts";
import { perEnv } from "./per-env.ts";

export interface Streams {
  /** Undefined: no answer outlives its request. */
  streams: StreamOptions | undefined;
  /** Undefined: nothing is sealed. */
  requestState: RequestStateOptions | undefined;
}

export function streamsOn(
  database: Database,
  { streams, requestStateKeys, timeoutMs }: StreamsConfig & { timeoutMs: number },
  { recordActivity }: Pick<IdleSleep, "recordActivity">,
  now: () => Date,
): Streams {
  return {
    streams: streams && streamOptions(database, { ...streams, timeoutMs }, recordActivity, now),
    requestState: requestStateKeys && {
      sealer: createSealer(requestStateKeys, now),
      marks: createMarksActivityStore(createMarksStore(database, { timeoutMs }), recordActivity),
      now,
    },
  };
}

function streamOptions(
  database: Database,
  config: StreamConfig & { timeoutMs: number },
  recordActivity: IdleSleep["recordActivity"],
  now: () => Date,
): StreamOptions {
  const store = createStreamActivityStore(createStreamStore(database, config), recordActivity);
  return { ...config, now, store, cancellation: createCancellation(store) };
}

/** @throws ConfigurationError */
export const streamsIn = perEnv((env) => {
  const { timeoutMs } = readSettings(sessionSettings, env);
  const config = { ...readSettings(streamSettings, env), timeoutMs };
  return streamsOn(databaseOf(env), config, cleanupIn(env).idleSleep, () => new Date());
});
