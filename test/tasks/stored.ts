// The store of tasks by itself, and tasks for it.
import { inject } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createTaskStore, type NewTask } from "../../src/tasks/store.ts";
import { createDatabase } from "../support/worker.ts";

/** A database of its own. */
export async function tasksIn({ maxPerPrincipal }: { maxPerPrincipal: number }) {
  const database = await createDatabase();
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  // Whoever waits does so until the test lets it go on.
  const store = createTaskStore(connection, { timeoutMs: 60_000, maxPerPrincipal });
  const create = (key: string, more: Partial<NewTask> = {}) =>
    store.create({
      key,
      owner: "alice",
      tool: "work",
      call: '{"of":"work"}',
      onLost: "retry",
      maxAttempts: 2,
      pollMs: 1000,
      ttlSeconds: 600,
      ...more,
    });
  return { database, store, create };
}
