// The consumer of a Cloudflare Queue whose messages name tasks. A message comes at least once, so one that comes twice finds the
// lease taken, or the task over.
import * as z from "zod";
import { errorName, logOf } from "../log.ts";
import type { RunOutcome } from "./runner.ts";
import { LEASE_SECONDS } from "./store.ts";
import { nameOfTask } from "./task.ts";

/** A message, as Cloudflare passes it. */
export interface TaskMessage {
  body: unknown;
  ack(): void;
  retry(options?: { delaySeconds?: number }): void;
}

const log = logOf("tasks", {
  warning: {
    "Task not run": {
      meaning:
        "The database failed before the work began, or while its end was written. The message comes again.",
      fields: ["task", "error"],
    },
  },
  error: {
    "Unknown message": {
      meaning: "A message of the Queue names no task. Somebody else writes to it. It was dropped.",
      fields: [],
    },
  },
});

// Time for a database that is down. Cloudflare counts the attempts, and the consumer's max_retries ends them.
const RETRY_SECONDS = 10;

const started = z.object({ task: z.string() });

/** Runs the tasks of a batch beside each other. Does not throw: each message has its own end. */
export async function consume(
  messages: readonly TaskMessage[],
  run: (key: string) => Promise<RunOutcome>,
): Promise<void> {
  await Promise.all(messages.map((message) => consumeOne(message, run)));
}

async function consumeOne(message: TaskMessage, run: (key: string) => Promise<RunOutcome>): Promise<void> {
  const { data } = started.safeParse(message.body);
  if (data === undefined) {
    log.error("Unknown message");
    return message.ack();
  }
  try {
    const outcome = await run(data.task);
    // Whoever has the lease may be dead: then this message is the next attempt.
    if (outcome === "busy") message.retry({ delaySeconds: LEASE_SECONDS });
    else message.ack();
  } catch (error) {
    log.warning("Task not run", { task: nameOfTask(data.task), error: errorName(error) });
    message.retry({ delaySeconds: RETRY_SECONDS });
  }
}
