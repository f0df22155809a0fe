// The configuration: the variables of all rooms, and of the author's server, parsed once for both doors.
// Errors name variables, never their values.
import * as z from "zod";
import { authSettings } from "./auth/settings.ts";
import { cleanupSettings } from "./cleanup/settings.ts";
import { databaseSettings } from "./db/settings.ts";
import { handleSettings } from "./handles/settings.ts";
import { healthSettings } from "./health/settings.ts";
import { httpSettings } from "./http/settings.ts";
import { logSettings } from "./log.ts";
import { findDifferences } from "./page/differences.ts";
import { mcpSettings } from "./mcp/settings.ts";
import { pageSettings } from "./page/settings.ts";
import { sessionSettings } from "./session/settings.ts";
import { ConfigurationError, type Rule } from "./settings.ts";
import { streamSettings } from "./streams/settings.ts";
import { taskSettings } from "./tasks/settings.ts";
import { findUnknownVariables } from "./unknown-variables.ts";

/** Every room that has variables, in the order of the reference manual. */
export const rooms = {
  database: databaseSettings,
  auth: authSettings,
  cleanup: cleanupSettings,
  sessions: sessionSettings,
  mcp: mcpSettings,
  streams: streamSettings,
  handles: handleSettings,
  tasks: taskSettings,
  health: healthSettings,
  http: httpSettings,
  page: pageSettings,
  log: logSettings,
} satisfies Record<string, { shape: z.ZodRawShape }>;

const roomShape = {
  ...databaseSettings.shape,
  ...authSettings.shape,
  ...cleanupSettings.shape,
  ...sessionSettings.shape,
  ...mcpSettings.shape,
  ...streamSettings.shape,
  ...handleSettings.shape,
  ...taskSettings.shape,
  ...healthSettings.shape,
  ...httpSettings.shape,
  ...pageSettings.shape,
  ...logSettings.shape,
};
const roomValues = z.object(roomShape);
// zod looks through a schema when it first parses. Here that is a part of the start, whose time is not that of a request.
roomValues.safeParse({});

/**
 * The Worker's environment as a configuration. docs/reference/variables.md has every variable.
 * @param serverVariables what the author's server declares beside ours.
 * @throws ConfigurationError naming every variable that is wrong.
 */
export function readConfig<Shape extends z.ZodRawShape>(env: object, serverVariables?: Shape) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- who declares no variables has none in the type either
  const serverShape = serverVariables ?? ({} as Shape);
  const problems: Record<string, string> = {};
  const report = (name: string, problem: string) => {
    problems[name] = problems[name] === undefined ? problem : `${problems[name]}, ${problem}`;
  };
  const parse = <T>(schema: z.ZodType<T>): T | undefined => {
    const parsed = schema.safeParse(env);
    for (const { path, message } of parsed.error?.issues ?? []) report(String(path[0]), message);
    return parsed.data;
  };
  const check = <V>(values: V, rules: readonly Rule<V>[] = []) => {
    for (const { variable, holds, problem } of rules) if (!holds(values)) report(variable, problem);
  };

  const values = parse(roomValues);
  const serverValues = parse(z.object(serverShape));
  if (values !== undefined) {
    check(values, databaseSettings.rules);
    check(values, authSettings.rules);
    check(values, cleanupSettings.rules);
    check(values, sessionSettings.rules);
  }
  if (values === undefined || serverValues === undefined || Object.keys(problems).length > 0) {
    throw new ConfigurationError(problems);
  }
  return {
    database: databaseSettings.read(values),
    ...authSettings.read(values),
    cleanup: cleanupSettings.read(values),
    sessions: sessionSettings.read(values),
    ...mcpSettings.read(values),
    ...streamSettings.read(values),
    ...handleSettings.read(values),
    ...taskSettings.read(values),
    health: healthSettings.read(values),
    ...httpSettings.read(values),
    page: {
      ...pageSettings.read(values),
      differences: values.ADMIN_PAGE ? findDifferences(roomShape, env) : [],
    },
    log: logSettings.read(values),
    server: serverValues,
    unknownVariables: findUnknownVariables(Object.keys(env), [
      ...Object.keys(roomShape),
      ...Object.keys(serverShape),
    ]),
  };
}

export type Config = ReturnType<typeof readConfig>;
