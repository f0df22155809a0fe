// What an author's server needs of an environment: for requests, and for tasks that are run without one.
import type * as z from "zod";
import { tokenSettings } from "../auth/settings.ts";
import type { ServerDefinition } from "../mcp/context.ts";
import { createServerFactory } from "../mcp/server-factory.ts";
import { createTaskRun } from "../mcp/task-run.ts";
import { createStateStore } from "../session/state-store.ts";
import { readSettings } from "../settings.ts";
import { databaseOf } from "./database.ts";
import { handlesIn } from "./handles.ts";
import { perEnv } from "./per-env.ts";
import { sessionsIn } from "./sessions.ts";
import { streamsIn } from "./streams.ts";
import { tasksIn } from "./tasks.ts";

/** Made once for a definition. @throws ConfigurationError when it is used, while a variable is wrong. */
export const serverParts = <Shape extends z.ZodRawShape>(server: ServerDefinition<Shape>) =>
  perEnv((env) => {
    const { settings, store } = sessionsIn(env);
    const parts = {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- who declares no variables has none in the type either
      createServer: createServerFactory(server, readVariables(server.variables ?? ({} as Shape), env)),
      sessions: store,
      state: createStateStore(databaseOf(env), settings),
      tokens: readSettings(tokenSettings, env).tokens,
      handles: handlesIn(env),
      ...streamsIn(env),
    };
    const tasks = tasksIn(env);
    return { ...parts, tasks: tasks && { ...tasks, run: createTaskRun({ ...parts, tasks }) } };
  });

const readVariables = <Shape extends z.ZodRawShape>(shape: Shape, env: object) =>
  readSettings({ shape, read: (values) => values }, env);
