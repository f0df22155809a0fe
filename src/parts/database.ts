// The database of an environment. All parts of a Worker share it, and with it its circuit breaker.
import { connect, type Database } from "../db/client.ts";
import { databaseSettings } from "../db/settings.ts";
import { configureLogOnce, logSettings } from "../log.ts";
import { readSettings } from "../settings.ts";
import { perEnv } from "./per-env.ts";

/** @throws ConfigurationError */
export const databaseOf: (env: object) => Database = perEnv((env) => {
  configureLogOnce(readSettings(logSettings, env));
  return connect(readSettings(databaseSettings, env));
});
